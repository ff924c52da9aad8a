import { virtualTime, waitAllTasksBlocked } from '@taskscope/testing';
import { describe, expect, test } from 'vitest';

import {
  CancelScope,
  checkpoint,
  currentTask,
  formatTaskTree,
  moveOnAfter,
  run,
  shield,
  sleep,
  sleepForever,
  taskGroup,
  taskTree,
  withSignal,
  type TaskInfo,
  type TaskNode,
  type TaskStatus,
} from './index.js';
import { ParkingLot, type Clock, type RunMonitor } from './lowlevel.js';
import { errorOf } from './observing.fixture.js';
import { inPlainOrder } from './schedules.fixture.js';
import { withResolvers } from './with-resolvers.fixture.js';

/** The part of the tree that belongs to this test. */
function here(): TaskNode {
  return taskTree().children.at(-1)!;
}

function find(name: string, node: TaskNode = taskTree()): TaskNode | undefined {
  if (node.name === name) return node;
  for (const child of node.children) {
    const found = find(name, child);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Kinds and names only, as nested arrays. */
function outline(node: TaskNode): unknown {
  return [`${node.kind} ${node.name}`, ...node.children.map(outline)];
}

describe('currentTask', () => {
  test('outside is the root, with the id 0 and no parent', () => {
    const root = currentTask();
    expect([root.id, root.name, root.parentId]).toEqual([0, 'root', undefined]);
    expect(root).toBe(currentTask());
  });

  test('in a run is the task of main', async () => {
    await run(
      () => {
        expect(currentTask().name).toBe('tea');
        expect(currentTask().parentId).toBe(0);
      },
      { name: 'tea' },
    );
  });

  test(
    'in a child is the child, through every wait and scope, and a group is no task',
    virtualTime(async () => {
      const main = currentTask();
      await taskGroup(async (tg) => {
        expect(currentTask()).toBe(main);
        const child = tg.startSoon(async () => {
          const self = currentTask();
          await sleep(1);
          await new CancelScope().run(async () => {
            await checkpoint();
            expect(currentTask()).toBe(self);
          });
          await taskGroup(() => expect(currentTask()).toBe(self));
          return self;
        });
        const self = await child.result();
        expect(self.parentId).toBe(main.id);
        expect(self.id).not.toBe(main.id);
      });
      expect(currentTask()).toBe(main);
    }),
  );

  test(
    'ids are never used again, and the parent is the task of the group, not the one that called startSoon',
    virtualTime(async () => {
      const main = currentTask().id;
      const seen: TaskInfo[] = [];
      await taskGroup((tg) => {
        tg.startSoon(() => {
          seen.push(currentTask());
          tg.startSoon(() => void seen.push(currentTask()));
        });
        tg.startService(() => void seen.push(currentTask()));
      });
      expect(new Set([main, ...seen.map((task) => task.id)]).size).toBe(4);
      expect(seen.map((task) => task.parentId)).toEqual([main, main, main]);
    }),
  );

  test(
    'hasPendingCancellation() speaks of the current scope of the caller',
    virtualTime(async () => {
      const task = currentTask();
      expect(task.hasPendingCancellation()).toBe(false);
      await new CancelScope().run(async (scope) => {
        scope.cancel();
        expect(task.hasPendingCancellation()).toBe(true);
        await shield(() => {
          expect(task.hasPendingCancellation()).toBe(false);
        });
        expect(currentTask().hasPendingCancellation()).toBe(true);
      });
      expect(task.hasPendingCancellation()).toBe(false);
      await taskGroup(async (tg) => {
        const child = tg.startSoon(() => {
          expect(currentTask().hasPendingCancellation()).toBe(true);
          return currentTask();
        });
        child.cancel();
        await child.wait();
        expect(child.returnValue.hasPendingCancellation()).toBe(false);
      });
    }),
  );
});

describe('taskTree', () => {
  test(
    'has every live task, group and scope, where it belongs, in the order in which they came',
    virtualTime(async () => {
      await taskGroup(
        async (tg) => {
          tg.createTask(() => sleepForever(), { name: 'first' });
          tg.createTask(
            () =>
              taskGroup(
                (inner) => {
                  inner.createTask(() => moveOnAfter(1_000, () => sleepForever(), { name: 'timed' }), {
                    name: 'grandchild',
                  });
                },
                { name: 'inner' },
              ),
            { name: 'second' },
          );
          tg.startService(async function service() {
            await sleepForever();
          });
          await waitAllTasksBlocked();
          expect(outline(here())).toEqual([
            'run test',
            [
              'group outer',
              ['task first'],
              ['task second', ['group inner', ['task grandchild', ['scope timed']]]],
              ['services outer', ['task service']],
            ],
          ]);
          tg.cancel();
        },
        { name: 'outer' },
      );
      expect(outline(here())).toEqual(['run test']);
    }),
  );

  test(
    'says what everyone waits for, who is shielded, who is cancelled, and how much time is left',
    virtualTime(async () => {
      const lot = new ParkingLot();
      await taskGroup(
        async (tg) => {
          tg.createTask(() => lot.park({ label: 'a taxi' }), { name: 'parked' });
          tg.createTask(() => shield(() => sleep(50), { name: 'shielded' }), { name: 'stubborn' });
          tg.createTask(() => moveOnAfter(100, () => sleepForever(), { name: 'timed' }), { name: 'patient' });
          const joined = tg.createTask(() =>
            taskGroup((inner) => void inner.startSoon(() => lot.park()), { name: 'joining' }),
          );
          await waitAllTasksBlocked();
          expect(find('parked')!.waitingFor).toEqual(['a taxi']);
          expect(find('joining')!.waitingFor).toEqual(['its tasks']);
          expect(find('shielded')).toMatchObject({ kind: 'scope', shield: true, waitingFor: ['sleep'] });
          expect(find('timed')).toMatchObject({ timeLeft: 100, shield: false, cancelled: false });
          expect(find('parked')!.timeLeft).toBe(Infinity);
          await sleep(30);
          expect(find('timed')!.timeLeft).toBe(70);
          lot.unparkAll();
          await joined.wait();
          tg.cancel();
          expect(find('outer')!.cancelled).toBe(true);
          expect(find('shielded')!.cancelled).toBe(false);
          expect(find('stubborn')!.cancelled).toBe(true);
          expect(find('stubborn')!.waitingFor).toEqual([]);
        },
        { name: 'outer' },
      );
    }),
  );

  test(
    'shows to whom a task belongs that is getting ready, and where it has moved',
    virtualTime(async () => {
      const lot = new ParkingLot();
      const getReady = async (status: TaskStatus): Promise<void> => {
        await lot.park();
        status.started();
        await lot.park();
      };
      await taskGroup(
        async (tg) => {
          tg.createTask(() => tg.start(getReady), { name: 'starter' });
          await waitAllTasksBlocked();
          expect(outline(here())).toEqual(['run test', ['group outer', ['task starter', ['task getReady']]]]);
          lot.unpark();
          await waitAllTasksBlocked();
          expect(outline(here())).toEqual(['run test', ['group outer', ['task getReady']]]);
          lot.unpark();
        },
        { name: 'outer' },
      );
    }),
  );

  test(
    'tasks are told apart by their ids',
    inPlainOrder('tasks begin in the order in which they were started', async () => {
      await taskGroup(async (tg) => {
        const ids: number[] = [];
        for (let i = 0; i < 2; i++) {
          tg.createTask(
            () => {
              ids.push(currentTask().id);
              return sleepForever();
            },
            { name: 'same' },
          );
        }
        await waitAllTasksBlocked();
        const group = here().children[0]!;
        expect(group.taskId).toBe(currentTask().id);
        expect(group.children.map((node) => node.taskId)).toEqual(ids);
        tg.cancel();
      });
    }),
  );

  test(
    'is a snapshot of plain data',
    virtualTime(async () => {
      const before = here();
      await taskGroup(() => {
        expect(before.children).toEqual([]);
        expect(here().children).toHaveLength(1);
      });
      expect(structuredClone(before)).toEqual(before);
    }),
  );

  test('is there without any run as well', async () => {
    await taskGroup(async (tg) => {
      tg.createTask(() => sleepForever(), { name: 'lonely' });
      await waitAllTasksBlocked();
      expect(find('lonely')!.kind).toBe('task');
      tg.cancel();
    });
    expect(find('lonely')).toBeUndefined();
    expect(taskTree().kind).toBe('root');
  });

  test(
    'nested groups of one task come and go like a stack, also by an error',
    virtualTime(async () => {
      const depth = (): number => {
        let count = 0;
        for (let node = here(); node.children.length > 0; node = node.children[0]!) count++;
        return count;
      };
      expect(depth()).toBe(0);
      await taskGroup(async () => {
        expect(depth()).toBe(1);
        let innermost = 0;
        await errorOf(
          taskGroup(() => {
            innermost = depth();
            throw new Error('boom');
          }),
        );
        expect(innermost).toBe(2);
        expect(depth()).toBe(1);
      });
      expect(depth()).toBe(0);
    }),
  );
});

describe('a clock may ask whether its run is stuck', () => {
  /** Asks when `main` has come to wait for something, and cancels it then. */
  async function isStuck(main: (scope: CancelScope) => unknown): Promise<boolean> {
    let monitor: RunMonitor | undefined;
    let answer: boolean | undefined;
    const clock: Clock = {
      now: () => 0,
      schedule: () => ({ cancel() {} }),
      attach(asked) {
        monitor = asked;
        return () => {};
      },
    };
    await run(
      () =>
        new CancelScope().run(async (scope) => {
          setImmediate(() => {
            answer = monitor!.isStuck();
            scope.cancel();
          });
          await main(scope);
        }),
      { clock },
    );
    return answer!;
  }

  /** Something that the runtime does not know of, until the signal of a scope aborts. */
  function bare({ signal }: { signal: AbortSignal }): Promise<void> {
    return new Promise((resolve) => signal.addEventListener('abort', () => resolve()));
  }

  test.each<[string, (scope: CancelScope) => unknown]>([
    ['it waits for ever', () => sleepForever()],
    [
      'it waits for its tasks, which wait',
      () =>
        taskGroup((tg) => {
          tg.startSoon(() => sleepForever());
          tg.startSoon(() => new CancelScope().run(() => new ParkingLot().park()));
        }),
    ],
    ['it starts a task that never says so', () => taskGroup((tg) => tg.start(() => sleepForever()))],
    ['it waits in a run inside', () => run(() => sleepForever())],
  ])('yes: %s', async (_why, main) => {
    expect(await isStuck(main)).toBe(true);
  });

  test.each<[string, (scope: CancelScope) => unknown]>([
    ['it waits for a bare promise', bare],
    ['it works with a signal', () => withSignal((signal) => bare({ signal }))],
    ['it sleeps', () => sleep(1)],
    [
      'a task waits for a bare promise',
      (scope) =>
        taskGroup((tg) => {
          tg.startSoon(() => sleepForever());
          tg.startSoon(() => bare(scope));
        }),
    ],
    [
      'another waits with the signal of one that waits for a bare promise',
      (scope) =>
        taskGroup((tg) => {
          const listening = new CancelScope();
          tg.startSoon(() => listening.run(() => bare(scope)));
          tg.startSoon(() => sleepForever({ signal: listening.signal }));
        }),
    ],
  ])('no: %s', async (_why, main) => {
    expect(await isStuck(main)).toBe(false);
  });

  test('no: a task outside of it waits for a bare promise, and may wake who is inside', async () => {
    const outer = new CancelScope();
    const answers: boolean[] = [];
    await run(() =>
      outer.run(() =>
        taskGroup(async (tg) => {
          const helper = tg.createTask(() => bare(outer));
          answers.push(await isStuck(() => sleepForever()));
          outer.cancel();
          await helper.wait();
        }),
      ),
    );
    expect(answers).toEqual([false]);
  });
});

describe('formatTaskTree', () => {
  test(
    'draws the tree',
    virtualTime(async () => {
      await taskGroup(
        async (tg) => {
          tg.createTask(() => sleepForever(), { name: 'kettle' });
          tg.createTask(() => shield(() => moveOnAfter(1_500, () => sleep(1_000), { name: 'brewing' })), {
            name: 'pot',
          });
          await waitAllTasksBlocked();
          const pot = find('pot')!.taskId;
          const kettle = find('kettle')!.taskId;
          expect(formatTaskTree(here())).toBe(
            [
              `run "test" (task ${currentTask().id})`,
              '└─ group "kitchen"',
              `   ├─ task "kettle" (task ${kettle}), waits for sleepForever`,
              `   └─ task "pot" (task ${pot})`,
              '      └─ scope "shield", shielded',
              '         └─ scope "brewing", 1500 ms left, waits for sleep',
            ].join('\n'),
          );
          tg.cancel();
          expect(formatTaskTree(here())).toContain(`task "kettle" (task ${kettle}), cancelled`);
        },
        { name: 'kitchen' },
      );
    }),
  );

  test(
    'draws a line down past the children of those who have siblings below',
    virtualTime(async () => {
      await taskGroup(
        async (tg) => {
          for (const name of ['a', 'b']) {
            tg.createTask(() => new CancelScope({ name: `in ${name}` }).run(() => sleepForever()), { name });
          }
          await waitAllTasksBlocked();
          const lines = formatTaskTree(find('siblings'))
            .split('\n')
            .map((line) => line.replace(/ \(task.*|,.*/, ''));
          expect(lines).toEqual([
            'group "siblings"',
            '├─ task "a"',
            '│  └─ scope "in a"',
            '└─ task "b"',
            '   └─ scope "in b"',
          ]);
          tg.cancel();
        },
        { name: 'siblings' },
      );
    }),
  );

  test(
    'says of a task that its children wait, and not it itself',
    virtualTime(() =>
      taskGroup(async (tg) => {
        const bare = new CancelScope();
        const { promise, resolve } = withResolvers<void>();
        const parent = (): Promise<void> =>
          taskGroup((inner) => {
            inner.createTask(() => sleepForever({ signal: bare.signal }), { name: 'child' });
            return bare.run(() => promise);
          });
        tg.createTask(parent, { name: 'parent' });
        await waitAllTasksBlocked();
        const lines = formatTaskTree().split('\n');
        const unknown = /waits for nothing that the runtime knows of$/;
        expect(lines.find((line) => line.includes('"parent"'))).toMatch(unknown);
        expect(lines.find((line) => line.includes('"child"'))).not.toMatch(unknown);
        resolve();
        tg.cancel();
      }),
    ),
  );

  test(
    'draws everything from the root, if nothing is said',
    virtualTime(() => {
      expect(formatTaskTree().split('\n')[0]).toBe('root "root"');
      expect(formatTaskTree()).toContain('run "test"');
    }),
  );

  /** Calls `look` in scopes that are nested `depth` deep. */
  const nested = async (depth: number, look: () => void): Promise<void> => {
    await checkpoint();
    if (depth === 0) look();
    else await new CancelScope().run(() => nested(depth - 1, look));
  };

  test(
    'of a tree 1,000 deep, and a snapshot of one 10,000 deep',
    virtualTime(async () => {
      let lines = 0;
      // The indentation of a drawing grows with the square of the depth.
      await nested(1_000, () => {
        lines = formatTaskTree(here()).split('\n').length;
      });
      expect(lines).toBe(1_001);
      let deepest = 0;
      await nested(10_000, () => {
        for (let node = here(); node.children.length > 0; node = node.children[0]!) deepest++;
      });
      expect(deepest).toBe(10_000);
    }),
  );
});
