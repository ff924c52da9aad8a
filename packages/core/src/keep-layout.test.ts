import { setImmediate } from 'node:timers/promises';

import { expect, test } from 'vitest';

import { currentTask, run, type TaskInfo } from './index.js';
import { keepLayout } from './keep-layout.js';

test('an example is made outside of every context', async () => {
  const name = await run(() => {
    let task: TaskInfo | undefined;
    keepLayout(() => (task = currentTask()));
    return task?.name;
  });
  expect(name).toBe('root');
});

test('an example is never collected', async () => {
  const keep = (): WeakRef<object> => {
    const example = {};
    keepLayout(() => example);
    return new WeakRef(example);
  };
  const [kept, other] = [keep(), new WeakRef({})];
  for (let i = 0; i < 10 && other.deref() !== undefined; i++) {
    await setImmediate();
    globalThis.gc!();
  }
  expect(other.deref()).toBeUndefined();
  expect(kept.deref()).toBeDefined();
});
