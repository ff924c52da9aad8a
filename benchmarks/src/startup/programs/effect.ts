import { Effect, Fiber, Queue } from 'effect';

const work = Effect.gen(function* () {
  const queue = yield* Queue.bounded<number>(10);
  const produce = Effect.gen(function* () {
    for (let item = 0; item < 100; item++) yield* Queue.offer(queue, item);
  });
  const consume = Effect.gen(function* () {
    let sum = 0;
    for (let i = 0; i < 100; i++) sum += yield* Queue.take(queue);
    return sum;
  });
  const producer = yield* Effect.forkChild(produce);
  const consumer = yield* Effect.forkChild(consume);
  yield* Fiber.join(producer);
  return yield* Fiber.join(consumer);
});

export const result: number = await Effect.runPromise(Effect.timeout(work, 1000));
