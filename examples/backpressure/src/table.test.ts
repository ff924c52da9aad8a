import { virtualTime } from '@taskscope/testing';
import { expect, test } from 'vitest';
import { Experiment } from './experiment.js';
import { table } from './table.js';

test(
  'a row for each experiment',
  virtualTime(async () => {
    const experiments = [new Experiment('rendezvous', 0), new Experiment('unbounded', Infinity)];
    for (const experiment of experiments) {
      await experiment.run({ items: 10, produceEvery: 100, consumeEvery: 200 }, () => {});
    }
    expect(table(experiments)).toBe(`\
            buffer  peak used  producer waited  producer done  all done
rendezvous       0          0           0.90 s         1.90 s    2.10 s
unbounded        ∞          5           0.00 s         1.00 s    2.10 s
`);
  }),
);
