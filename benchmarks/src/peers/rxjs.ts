import {
  from,
  lastValueFrom,
  mergeMap,
  of,
  range,
  reduce,
  Subject,
  throwError,
  timeout,
  timer,
  type MonoTypeOperatorFunction,
} from 'rxjs';

import type { Peer, TimedWork } from '../programs.js';
import { together } from './native.js';

const HOUR = 3_600_000;

async function timed({ count, work }: TimedWork, throws: boolean): Promise<number> {
  let sum = 0;
  const limit: MonoTypeOperatorFunction<number> = timeout({
    each: HOUR,
    with: () => (throws ? throwError(() => new Error('timed out')) : of(0)),
  });
  if (work === 'ends at once') {
    for (let i = 0; i < count; i++) sum += await lastValueFrom(from((async () => 1)()).pipe(limit));
  } else {
    await together(count, async () => {
      const result = await lastValueFrom(
        timer(1).pipe(
          mergeMap(async () => 1),
          limit,
        ),
      );
      sum += result;
    });
  }
  return sum;
}

export const rxjs: Peer = {
  name: 'rxjs',
  packages: ['rxjs'],
  programs: {
    moveOn: (parameters) => timed(parameters, false),
    fail: (parameters) => timed(parameters, true),

    // A subject calls its subscribers: there are no buffers, and nobody waits.
    async fanOut({ subscribers, messages }) {
      const subject = new Subject<number>();
      let deliveries = 0;
      for (let i = 0; i < subscribers; i++) {
        let next = 0;
        subject.subscribe((message) => {
          if (message === next++) deliveries++;
        });
      }
      const begun = performance.now();
      for (let message = 0; message < messages; message++) subject.next(message);
      return { value: deliveries, elapsed: performance.now() - begun };
    },

    async map({ items, limit, rounds }) {
      let sum = 0;
      for (let round = 0; round < rounds; round++) {
        const doubled = range(0, items).pipe(
          mergeMap(async (n) => n * 2, limit),
          reduce((total, n) => total + n, 0),
        );
        sum += await lastValueFrom(doubled);
      }
      return sum;
    },
  },
};
