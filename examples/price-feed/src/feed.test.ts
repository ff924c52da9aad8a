import { expect, test } from 'vitest';
import { PriceFeed } from './feed.js';

test('tells subscribers of their symbols, and knows the latest prices', async () => {
  const feed = new PriceFeed();
  await feed.publish({ symbol: 'TEA', price: 1 });
  using teas = feed.subscribe('teas', new Set(['TEA']));
  using all = feed.subscribe('all');
  expect(feed.latest()).toEqual([{ symbol: 'TEA', price: 1, sequence: 1 }]);
  await feed.publish({ symbol: 'RICE', price: 2 });
  await feed.publish({ symbol: 'TEA', price: 3 });

  expect(await teas.receiveMany(10)).toEqual([{ symbol: 'TEA', price: 3, sequence: 3 }]);
  expect((await all.receiveMany(10)).map(({ sequence }) => sequence)).toEqual([2, 3]);
  expect(feed.latest(new Set(['TEA', 'MILK']))).toEqual([{ symbol: 'TEA', price: 3, sequence: 3 }]);
  expect(feed.statistics()).toMatchObject({ subscribers: 2, published: 3, delivered: 3, dropped: 0 });
});

test('who is too far behind misses the oldest prices', async () => {
  const feed = new PriceFeed();
  using slow = feed.subscribe('slow');
  for (let price = 1; price <= 110; price++) await feed.publish({ symbol: 'TEA', price });
  expect(slow.dropped).toBe(10);
  expect((await slow.receive()).price).toBe(11);
});
