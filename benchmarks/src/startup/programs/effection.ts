/* oxlint-disable require-yield -- adding to the queue does not wait */

import { createQueue, race, run, sleep, spawn, type Operation } from 'effection';

function* work(): Operation<number> {
  const queue = createQueue<number, void>();
  void (yield* spawn(function* () {
    for (let item = 0; item < 100; item++) queue.add(item);
    queue.close();
  }));
  let sum = 0;
  for (let next = yield* queue.next(); next.done !== true; next = yield* queue.next()) sum += next.value;
  return sum;
}

function* timeout(): Operation<number> {
  yield* sleep(1000);
  throw new Error('timed out');
}

export const result: number = await run(() => race([work(), timeout()]));
