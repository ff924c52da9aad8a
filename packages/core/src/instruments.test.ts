import { virtualTime, waitAllTasksBlocked } from '@taskscope/testing';
import { describe, expect, test } from 'vitest';

import { throwing } from './failing.fixture.js';
import {
  Cancelled,
  CancelScope,
  checkpoint,
  currentTask,
  moveOnAfter,
  run,
  sleep,
  sleepForever,
  taskGroup,
  type TaskInfo,
  withSignal,
} from './index.js';
import { addInstrument, ParkingLot, suspend, type Instrument } from './lowlevel.js';
import { errorOf } from './observing.fixture.js';
import { warningsDuring } from './process-events.fixture.js';
import { inPlainOrder } from './schedules.fixture.js';

/** Records every event in a line. */
class Recorder implements Instrument {
  readonly record: string[] = [];
  taskSpawned(task: TaskInfo): void {
    this.record.push(`spawned ${task.name}`);
  }
  taskStarted(task: TaskInfo): void {
    this.record.push(`started ${task.name}`);
  }
  taskExited(task: TaskInfo): void {
    this.record.push(`exited ${task.name}`);
  }
  scopeEntered(scope: { name: string; task: TaskInfo }): void {
    this.record.push(`entered ${scope.name} in ${scope.task.name}`);
  }
  scopeExited(scope: { name: string; task: TaskInfo }): void {
    this.record.push(`left ${scope.name} in ${scope.task.name}`);
  }
  scopeCancelled(scope: { name: string }, cancelled: Cancelled): void {
    this.record.push(`cancelled ${scope.name}: ${cancelled.source}`);
  }
  waitStarted(wait: { label: string; task: TaskInfo }): void {
    this.record.push(`waits ${wait.label} in ${wait.task.name}`);
  }
  waitEnded(wait: { label: string; task: TaskInfo }): void {
    this.record.push(`waited ${wait.label} in ${wait.task.name}`);
  }
}

describe('the hooks', () => {
  test('tell of everything, synchronously and in order', async () => {
    const recorder = new Recorder();
    await run(
      async () => {
        recorder.record.push('main begins');
        await taskGroup(
          (tg) => {
            tg.createTask(() => sleep(1), { name: 'child' });
            recorder.record.push('body ends');
          },
          { name: 'group' },
        );
        recorder.record.push('main ends');
      },
      { name: 'program', instruments: [recorder] },
    );
    expect(recorder.record).toEqual([
      'spawned program',
      'entered program in program',
      'started program',
      'main begins',
      'entered group in program',
      'spawned child',
      'entered child in child',
      'body ends',
      'started child',
      'waits sleep in child',
      'waited sleep in child',
      'left child in child',
      'exited child',
      'left group in program',
      'main ends',
      'left program in program',
      'exited program',
    ]);
  });

  test('of a cancellation: the scope that was cancelled, once, then the waits that it ends', async () => {
    const recorder = new Recorder();
    await run(
      async () => {
        await new CancelScope({ name: 'outer' }).run(async (scope) => {
          const inner = new CancelScope({ name: 'inner' }).run(() => sleepForever());
          await checkpoint();
          recorder.record.length = 0;
          scope.cancel();
          scope.cancel();
          recorder.record.push('cancel() returned');
          await inner;
        });
      },
      { instruments: [recorder] },
    );
    expect(recorder.record).toEqual([
      'cancelled outer: cancel',
      'waited sleepForever in main',
      'cancel() returned',
      'left inner in main',
      'left outer in main',
      'left main in main',
      'exited main',
    ]);
  });

  test(
    'tell what began a cancellation',
    virtualTime(async () => {
      const recorder = new Recorder();
      const instrument = addInstrument(recorder);
      await moveOnAfter(1, () => sleepForever(), { name: 'brief' });
      await errorOf(
        taskGroup(
          (tg) => {
            tg.startSoon(throwing(new Error('boom')));
            return sleepForever();
          },
          { name: 'failing' },
        ),
      );
      const controller = new AbortController();
      const abortable = taskGroup(() => sleepForever(), { name: 'abortable', signal: controller.signal });
      controller.abort();
      await abortable;
      instrument[Symbol.dispose]();
      expect(recorder.record.filter((line) => line.startsWith('cancelled'))).toEqual([
        'cancelled brief: deadline',
        'cancelled failing: task-failure',
        'cancelled abortable: signal',
      ]);
    }),
  );

  test(
    'a wait that ends at once is none',
    inPlainOrder('what can be done at once is done at once', async () => {
      const recorder = new Recorder();
      const instrument = addInstrument(recorder);
      await checkpoint();
      instrument[Symbol.dispose]();
      expect(recorder.record).toEqual([]);
    }),
  );

  test(
    'a wait has a label and the task that waits; a parked one and a joining one, too',
    inPlainOrder('tasks begin in the order in which they were started', async () => {
      const recorder = new Recorder();
      const lot = new ParkingLot();
      await taskGroup(async (tg) => {
        const instrument = addInstrument(recorder);
        const parked = tg.createTask(() => lot.park({ label: 'tea' }), { name: 'parked' });
        tg.createTask(() => parked.wait(), { name: 'joining' });
        await waitAllTasksBlocked();
        lot.unpark();
        await waitAllTasksBlocked();
        instrument[Symbol.dispose]();
      });
      const waits = recorder.record.filter(
        (line) => line.startsWith('wait') && !line.includes('waitAllTasks'),
      );
      expect(waits).toEqual([
        'waits tea in parked',
        'waits the end of task "parked" in joining',
        'waited tea in parked',
        'waited the end of task "parked" in joining',
      ]);
    }),
  );

  test(
    'foreign work is a wait, too, until it has ended',
    virtualTime(async () => {
      const recorder = new Recorder();
      const instrument = addInstrument(recorder);
      await errorOf(withSignal(() => Promise.reject(new Error('no'))));
      const cancelled = await moveOnAfter(1, () =>
        withSignal(async (signal) => {
          await new Promise((resolve) => signal.addEventListener('abort', resolve));
          recorder.record.push('aborted');
        }),
      );
      instrument[Symbol.dispose]();
      expect(cancelled).toBeUndefined();
      expect(recorder.record.filter((line) => line.includes('withSignal') || line === 'aborted')).toEqual([
        'waits withSignal in test',
        'waited withSignal in test',
        'waits withSignal in test',
        'aborted',
        'waited withSignal in test',
      ]);
    }),
  );

  test('tasks have their ids, and the running task is the one that is told of', async () => {
    const spawned: TaskInfo[] = [];
    const inStarted: number[] = [];
    const ids = await run(
      async () => {
        const own = [currentTask().id];
        await taskGroup((tg) => void tg.startSoon(() => void own.push(currentTask().id)));
        return own;
      },
      {
        instruments: [
          {
            taskSpawned: (task) => void spawned.push(task),
            taskExited: (task) => void inStarted.push(task.id),
          },
        ],
      },
    );
    expect(spawned.map((task) => task.id)).toEqual(ids);
    expect(spawned[1]!.parentId).toBe(ids[0]);
    expect(inStarted).toEqual([ids[1], ids[0]]);
  });

  test('two tasks: spawned in order, started in order', async () => {
    const recorder = new Recorder();
    await run(
      () =>
        taskGroup((tg) => {
          tg.createTask(() => checkpoint(), { name: 'a' });
          tg.createTask(() => checkpoint(), { name: 'b' });
        }),
      { instruments: [recorder] },
    );
    const ofTasks = recorder.record.filter((line) => /^(spawned|started|exited) [ab]$/.test(line));
    expect(ofTasks).toEqual(['spawned a', 'spawned b', 'started a', 'started b', 'exited a', 'exited b']);
  });

  test('every one is optional, and other members are let alone', async () => {
    const other: Instrument & { somethingElse(): never } = {
      somethingElse(): never {
        throw new Error('not a hook');
      },
    };
    expect(await run(() => taskGroup(() => checkpoint().then(() => 1)), { instruments: [{}, other] })).toBe(
      1,
    );
  });

  test('a hook that is set later is called from then on, and has its instrument for `this`', async () => {
    const instrument: Instrument & { seen?: unknown } = {};
    await run(
      async () => {
        instrument.taskExited = function (this: unknown): void {
          instrument.seen = this;
        };
        await taskGroup((tg) => void tg.startSoon(() => {}));
      },
      { instruments: [instrument] },
    );
    expect(instrument.seen).toBe(instrument);
  });
});

describe('where they look', () => {
  test('those of a run see only that run, and are dismissed with it, however it ends', async () => {
    const recorder = new Recorder();
    await taskGroup(async (tg) => {
      tg.createTask(() => {}, { name: 'outside' });
      await run(() => taskGroup((inner) => void inner.createTask(() => {}, { name: 'inside' })), {
        instruments: [recorder],
      });
    });
    await errorOf(run(throwing(new Error('boom')), { instruments: [recorder], name: 'failing' }));
    const before = recorder.record.length;
    await taskGroup((tg) => void tg.createTask(() => {}, { name: 'after' }));
    expect(recorder.record).toHaveLength(before);
    expect(recorder.record).toContain('exited inside');
    expect(recorder.record).toContain('exited failing');
    expect(recorder.record.filter((line) => /outside|after/.test(line))).toEqual([]);
  });

  test('those of a run are not told of what outlives it', async () => {
    const recorder = new Recorder();
    // Another one is there, so that somebody is told.
    const everything = new Recorder();
    const instrument = addInstrument(everything);
    let floating: Promise<void> | undefined;
    await run(
      () => {
        floating = sleep(1);
      },
      { instruments: [recorder] },
    );
    const before = recorder.record.length;
    await floating;
    instrument[Symbol.dispose]();
    expect(recorder.record).toHaveLength(before);
    expect(recorder.record).not.toContain('waited sleep in main');
    expect(everything.record.some((line) => line.startsWith('waited sleep'))).toBe(true);
  });

  test('those of an outer run and of the process see an inner run, the inner ones first', async () => {
    const order: string[] = [];
    const told = (name: string): Instrument => ({
      taskExited: (task) => void (task.name === 'child' && order.push(name)),
    });
    const instrument = addInstrument(told('process'));
    await run(
      () =>
        run(() => taskGroup((tg) => void tg.createTask(() => {}, { name: 'child' })), {
          instruments: [told('inner'), told('inner, second')],
        }),
      { instruments: [told('outer')] },
    );
    instrument[Symbol.dispose]();
    expect(order).toEqual(['inner', 'inner, second', 'outer', 'process']);
  });

  test('process-wide ones may come and go while tasks run', async () => {
    const [first, second, third] = [new Recorder(), new Recorder(), new Recorder()];
    await run(
      async () => {
        const second_ = addInstrument(second);
        await sleep(0);
        second_[Symbol.dispose]();
        const third_ = addInstrument(third);
        await sleep(0);
        third_[Symbol.dispose]();
      },
      { instruments: [first] },
    );
    const waits = (recorder: Recorder): string[] => recorder.record.filter((line) => line.startsWith('wait'));
    expect(waits(second)).toEqual(['waits sleep in main', 'waited sleep in main']);
    expect(waits(third)).toEqual(waits(second));
    expect(waits(first)).toEqual([...waits(second), ...waits(third)]);
  });

  test('one that is added twice is told once, and disposing twice does nothing', async () => {
    const recorder = new Recorder();
    const other = new Recorder();
    const disposables = [addInstrument(recorder), addInstrument(recorder), addInstrument(other)];
    await taskGroup((tg) => void tg.createTask(() => {}, { name: 'child' }));
    disposables[0]![Symbol.dispose]();
    disposables[0]![Symbol.dispose]();
    expect(recorder.record.filter((line) => line === 'exited child')).toHaveLength(1);
    other.record.length = 0;
    await taskGroup((tg) => void tg.createTask(() => {}, { name: 'child' }));
    expect(recorder.record.filter((line) => line === 'exited child')).toHaveLength(1);
    expect(other.record.filter((line) => line === 'exited child')).toHaveLength(1);
    const again = addInstrument(recorder);
    disposables[0]![Symbol.dispose]();
    await taskGroup((tg) => void tg.createTask(() => {}, { name: 'child' }));
    expect(recorder.record.filter((line) => line === 'exited child')).toHaveLength(2);
    for (const each of [...disposables, again]) each[Symbol.dispose]();
  });

  test('an instrument may remove itself while it is told', async () => {
    const order: string[] = [];
    const self = addInstrument({
      taskStarted() {
        order.push('self');
        self[Symbol.dispose]();
      },
    });
    const other = addInstrument({ taskStarted: () => void order.push('other') });
    await taskGroup((tg) => {
      tg.startSoon(() => {});
      tg.startSoon(() => {});
    });
    other[Symbol.dispose]();
    expect(order).toEqual(['self', 'other', 'other']);
  });

  test('hooks may use the runtime: they are told of what they cause', async () => {
    const record: string[] = [];
    await run(
      () =>
        taskGroup(async (tg) => {
          tg.createTask(() => {}, { name: 'first' });
          await sleep(1);
        }),
      {
        instruments: [
          {
            taskExited(task) {
              record.push(`${task.name} in ${currentTask().name}`);
            },
          },
        ],
      },
    );
    expect(record[0]).toMatch(/^first in /);
    expect(record[1]).toMatch(/^main in /);
  });
});

test('a hook may cancel the scope that adopts a wait, which is undone once', async () => {
  const adopter = new CancelScope();
  let undone = 0;
  let failed: Promise<unknown> | undefined;
  await run(
    () =>
      adopter.run(() =>
        new CancelScope().run(() => {
          failed = errorOf(suspend(() => () => void undone++));
        }),
      ),
    { escapes: 'error', instruments: [{ scopeEscaped: () => adopter.cancel() }] },
  );
  expect(await failed).toBeInstanceOf(Cancelled);
  expect(undone).toBe(1);
});

describe('one that throws', () => {
  test('is removed with a warning that names the hook; the others and the program go on', async () => {
    const recorder = new Recorder();
    let called = 0;
    let result: unknown;
    const warnings = await warningsDuring(async () => {
      result = await run(
        () =>
          taskGroup((tg) => {
            tg.startSoon(() => {});
            tg.startSoon(() => {});
            return 'unharmed';
          }),
        {
          instruments: [
            {
              taskStarted() {
                called++;
                throw new Error('oops');
              },
            },
            recorder,
          ],
        },
      );
    });
    expect(result).toBe('unharmed');
    expect(called).toBe(1);
    expect(recorder.record.at(-1)).toBe('exited main');
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatch(/an instrument was removed because its taskStarted\(\) threw: oops/);
  });

  test('process-wide ones, too, also when they throw undefined or what cannot be made a string', async () => {
    for (const thrown of [undefined, Object.create(null), Symbol('oops')]) {
      let called = 0;
      const instrument = addInstrument({
        taskExited() {
          called++;
          throw thrown;
        },
      });
      const warnings = await warningsDuring(async () => {
        await taskGroup((tg) => {
          tg.startSoon(() => {});
          tg.startSoon(() => {});
        });
      });
      expect(called).toBe(1);
      expect(warnings).toHaveLength(1);
      instrument[Symbol.dispose]();
    }
  });

  test('in a getter is removed as well', async () => {
    let armed = false;
    const instrument: Instrument = {
      get taskExited() {
        if (armed) throw new Error('oops');
        return () => {};
      },
    };
    const warnings = await warningsDuring(() =>
      run(
        () => {
          armed = true;
        },
        { instruments: [instrument] },
      ),
    );
    expect(warnings).toHaveLength(1);
    expect(() => addInstrument(instrument)).toThrow('oops');
    const recorder = new Recorder();
    const other = addInstrument(recorder);
    await taskGroup((tg) => void tg.createTask(() => {}, { name: 'child' }));
    other[Symbol.dispose]();
    expect(recorder.record).toContain('exited child');
  });
});

test('bad instruments are refused', async () => {
  for (const bad of [undefined, null, 'x', 42]) {
    expect(() => addInstrument(bad as never)).toThrow(TypeError);
    expect(() => addInstrument(bad as never)).toThrow(/addInstrument\(\): an instrument must be an object/);
    const error = await errorOf(run(() => {}, { instruments: [bad as never] }));
    expect(error).toBeInstanceOf(TypeError);
  }
  expect(() => addInstrument({ taskExited: 'x' as never })).toThrow(
    /the instrument's taskExited must be a function, got "x"/,
  );
  const error = await errorOf(run(() => {}, { instruments: {} as never }));
  expect((error as Error).message).toMatch(/run\(\): options\.instruments must be an array/);
});
