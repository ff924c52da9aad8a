import { join } from 'node:path';
import { expect, test } from 'vitest';
import { root } from '../../tools/exec.mjs';
import { siteLink } from './links.js';

const guide = join(root, 'docs/guide');
const repository = 'https://github.com/taskscope/taskscope';

test('a link to a page leads to its place on the site', () => {
  expect(siteLink('../conformance.md#conformance', guide)).toBe('/conformance.md#conformance');
  expect(siteLink('../../README.md', guide)).toBe('/overview.md');
  expect(siteLink('packages/streams/README.md#which-ends-to-close', root)).toBe(
    '/packages/streams.md#which-ends-to-close',
  );
});

test('a link to a folder leads to the page that its README is', () => {
  expect(siteLink('examples/price-feed', root)).toBe('/examples/price-feed.md');
});

test('a link to a file that is no page leads to the repository', () => {
  expect(siteLink('../../LICENSE', guide)).toBe(`${repository}/blob/main/LICENSE`);
  expect(siteLink('../../CONTRIBUTING.md#style', guide)).toBe(
    `${repository}/blob/main/CONTRIBUTING.md#style`,
  );
  expect(siteLink('../../examples/price-feed/src', guide)).toBe(
    `${repository}/tree/main/examples/price-feed/src`,
  );
});

test('a link to the repository leads to the page, if the file is one', () => {
  expect(siteLink(`${repository}/blob/main/docs/conformance.md#x`, guide)).toBe('/conformance.md#x');
  expect(siteLink(`${repository}/blob/main/LICENSE`, guide)).toBe(`${repository}/blob/main/LICENSE`);
  expect(siteLink(repository, guide)).toBe(repository);
});

test('other links stay as they are', () => {
  for (const link of ['https://trio.readthedocs.io', 'mailto:a@example.org', '#here', '/api/']) {
    expect(siteLink(link, guide)).toBe(link);
  }
});
