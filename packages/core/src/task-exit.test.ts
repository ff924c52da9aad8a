import { virtualTime } from '@taskscope/testing';
import { expect, test } from 'vitest';

import { throwing } from './failing.fixture.js';
import { currentTask, run, sleep, sleepForever, taskGroup, type TaskHandle, type TaskInfo } from './index.js';
import { errorOf } from './observing.fixture.js';
import { uncaughtDuring } from './process-events.fixture.js';
import { ExitWatch, onTaskExit } from './task-exit.js';

test(
  'actions happen when the task ends, in the order in which they came, after its status is known',
  virtualTime(async () => {
    const record: string[] = [];
    let handle: TaskHandle<unknown> | undefined;
    await taskGroup((tg) => {
      handle = tg.startSoon(() => {
        for (let i = 0; i < 3; i++) {
          onTaskExit('test', currentTask(), () => void record.push(`${i} ${handle!.status}`));
        }
        record.push('ends');
      });
    });
    expect(record).toEqual(['ends', '0 finished', '1 finished', '2 finished']);
  }),
);

test(
  'however it ends, and before its group knows',
  virtualTime(async () => {
    for (const end of [() => {}, throwing('boom'), () => sleepForever()]) {
      const record: string[] = [];
      await taskGroup(async (tg) => {
        const task = tg.startSoon(() => {
          onTaskExit('test', currentTask(), () => void record.push('exit'));
          return end();
        });
        task.cancel();
      })
        .finally(() => record.push('group'))
        .catch(() => {});
      expect(record).toEqual(['exit', 'group']);
    }
  }),
);

test('the first task of a run has an end, too', async () => {
  const record: string[] = [];
  await run(() => void onTaskExit('test', currentTask(), () => void record.push('exit')));
  expect(record).toEqual(['exit']);
  await errorOf(
    run(() => {
      onTaskExit('test', currentTask(), () => void record.push('failed'));
      throw new Error('boom');
    }),
  );
  expect(record).toEqual(['exit', 'failed']);
});

test(
  'what was disposed of does not happen, also when another action does it',
  virtualTime(async () => {
    const record: string[] = [];
    await taskGroup((tg) => {
      tg.startSoon(() => {
        const task = currentTask();
        const first = onTaskExit('test', task, () => void record.push('disposed'));
        const keep = (): void => void record.push('kept');
        onTaskExit('test', task, keep);
        const twice = onTaskExit('test', task, keep);
        for (const each of [first, twice, first, twice]) each![Symbol.dispose]();
      });
    });
    expect(record).toEqual(['kept']);
  }),
);

test('one that throws keeps neither the others nor the end of the task: its error is nobody’s', async () => {
  const error = new Error('broken');
  let others = 0;
  const uncaught = await uncaughtDuring(() =>
    taskGroup((tg) => {
      tg.startSoon(() => {
        onTaskExit('test', currentTask(), throwing(error));
        onTaskExit('test', currentTask(), () => others++);
      });
    }),
  );
  expect(uncaught).toEqual([error]);
  expect(others).toBe(1);
});

test(
  'of a task that has ended there is nothing to wait for',
  virtualTime(async () => {
    let task: TaskInfo | undefined;
    await taskGroup((tg) => void tg.startSoon(() => void (task = currentTask())));
    expect(onTaskExit('test', task!, () => expect.fail('not called'))).toBeUndefined();
  }),
);

test(
  'a watch is for one task at a time, and others stay in order whichever goes',
  virtualTime(async () => {
    for (let gone = 0; gone < 3; gone++) {
      const record: string[] = [];
      const watches = ['a', 'b', 'c'].map((name) => new ExitWatch(() => void record.push(name)));
      await taskGroup(async (tg) => {
        const first = tg.startSoon(() => {
          for (const watch of watches) {
            expect(watch.watch('test', currentTask())).toBe(true);
            expect(watch.watch('test', currentTask())).toBe(true);
          }
          return sleep(1);
        });
        tg.startSoon(async () => {
          await sleep(0.5);
          watches[gone]!.watch('test', currentTask());
          await first.wait();
          record.push('first');
        });
      });
      const rest = ['a', 'b', 'c'].filter((_, index) => index !== gone);
      expect(record).toEqual([...rest, 'first', 'abc'[gone]]);
    }
  }),
);

test(
  'a watch that was ended watches nothing, and may watch again',
  virtualTime(async () => {
    let ended = 0;
    let task: TaskInfo | undefined;
    const watch = new ExitWatch(() => ended++);
    watch.unwatch();
    await taskGroup((tg) => {
      tg.startSoon(() => {
        task = currentTask();
        watch.watch('test', task);
        watch[Symbol.dispose]();
      });
    });
    expect(watch.watch('test', task!)).toBe(false);
    expect(ended).toBe(0);
    await taskGroup((tg) => void tg.startSoon(() => watch.watch('test', currentTask())));
    expect(ended).toBe(1);
  }),
);

test(
  'a task that has ended is not watched, and neither is the one before any more',
  virtualTime(async () => {
    let ended = 0;
    const watch = new ExitWatch(() => ended++);
    const before = await taskGroup(async (tg) => {
      const handle = tg.startSoon(currentTask);
      return handle.result();
    });
    await taskGroup((tg) => {
      tg.startSoon(() => {
        expect(watch.watch('test', currentTask())).toBe(true);
        expect(watch.watch('test', before!)).toBe(false);
      });
    });
    expect(ended).toBe(0);
  }),
);

test('anything but a task is refused', () => {
  for (const bad of [undefined, null, 'task', {}, { hasEnded: 'no' }]) {
    expect(() => onTaskExit('here()', bad as never, () => {})).toThrow(
      /here\(\): task must be what currentTask\(\) returned/,
    );
    expect(() => new ExitWatch(() => {}).watch('here()', bad as never)).toThrow(TypeError);
  }
});
