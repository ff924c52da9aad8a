import { expect, test } from 'vitest';

import { findChange } from './change.js';
import { renderComparison } from './compare-builds.js';

test('a comparison is a table that marks what exceeds the noise', () => {
  const some = { group: 'lock', unit: 'ns per turn' };
  const changes = [
    { ...some, workload: 'slower', ...findChange([100, 101, 100], [120, 121, 120]) },
    { ...some, workload: 'the same', ...findChange([100, 102, 100], [101, 100, 101]) },
    { ...some, group: 'spawn', workload: 'quicker', ...findChange([1000, 1000], [500, 500]) },
  ];
  expect(renderComparison({ base: 'v1', changes })).toBe(
    [
      '                            v1  this   change    noise',
      '',
      'lock',
      '  slower, ns per turn      100   120  +20.0 %  ± 1.5 %  MORE',
      '  the same, ns per turn    100   101   +0.0 %  ± 3.0 %',
      '',
      'spawn',
      '  quicker, ns per turn   1,000   500  −50.0 %  ± 0.0 %  less',
      '',
      '1 less, 1 more, 1 within the noise.',
    ].join('\n'),
  );
});
