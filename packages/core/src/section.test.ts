import { virtualTime } from '@taskscope/testing';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';

import { storage } from './ambient.js';
import {
  abandonOnCancel,
  bindToScope,
  CancelScope,
  checkpoint,
  cleanup,
  currentTask,
  detached,
  failAfter,
  map,
  moveOnAfter,
  race,
  run,
  shield,
  sleep,
  taskGroup,
  withResource,
  withSignal,
} from './index.js';
import { currentScope, findSection, Section } from './lowlevel.js';
import { DONE } from './promises.js';

const isInside = (mark: object): boolean => findSection((each) => each === mark) !== undefined;

/** Runs `fn` in a section with this mark. */
async function inSection<T>(mark: object, fn: () => Promise<T>): Promise<T> {
  const section = new Section(mark, 'section');
  try {
    return await section.run(fn);
  } finally {
    section.end();
  }
}

type Wrapper = (fn: () => Promise<void>) => Promise<unknown>;

/** Calls `fn` in code that has outlived its scope. */
const afterItsScope: Wrapper = async (fn) => {
  let outliving: Promise<unknown> | undefined;
  await new CancelScope().run(() => {
    outliving = nextTurn().then(fn);
  });
  await outliving;
};

const signal = (): AbortSignal => new AbortController().signal;

const sameCallChain: readonly [string, Wrapper][] = [
  ['a call', (fn) => fn()],
  ['a later step', (fn) => checkpoint().then(fn)],
  ['another section', (fn) => inSection({}, fn)],
  ['CancelScope', (fn) => new CancelScope().run(fn)],
  ['moveOnAfter()', (fn) => moveOnAfter(60_000, fn)],
  ['moveOnAfter() with a signal', (fn) => moveOnAfter(60_000, fn, { signal: signal() })],
  ['failAfter()', (fn) => failAfter(60_000, fn)],
  ['shield()', (fn) => shield(fn)],
  ['cleanup()', (fn) => cleanup(fn)],
  ['withResource()', (fn) => withResource(() => 1, fn, fn)],
  ['the body of a group', (fn) => taskGroup(fn)],
  ['the body of a group with a signal', (fn) => taskGroup(fn, { signal: signal() })],
  ['run() in a run', (fn) => run(fn)],
  ['run() with a signal', (fn) => run(fn, { signal: signal() })],
  ['withSignal()', (fn) => withSignal(fn)],
  ['withSignal() with a signal', (fn) => withSignal(fn, { signal: signal() })],
  ['abandonOnCancel()', (fn) => abandonOnCancel(fn)],
  ['a callback bound to the scope', (fn) => bindToScope(fn)()],
  [
    'one that is called from elsewhere',
    (fn) => {
      const bound = bindToScope(fn);
      return detached(() => bound());
    },
  ],
  ['code that has outlived its scope', afterItsScope],
  ['a scope in that', (fn) => afterItsScope(() => new CancelScope().run(fn))],
  ['withSignal() in that', (fn) => afterItsScope(() => withSignal(fn))],
  ['a callback bound in that', (fn) => afterItsScope(() => bindToScope(fn)())],
  [
    'a scope that has outlived the one around',
    async (fn) => {
      let outliving: Promise<unknown> | undefined;
      await new CancelScope().run(() => {
        outliving = new CancelScope().run(() => nextTurn().then(fn));
      });
      await outliving;
    },
  ],
];

const elsewhere: readonly [string, Wrapper][] = [
  ['a child task', (fn) => taskGroup((tg) => void tg.startSoon(fn))],
  [
    'a child that is being started',
    (fn) => taskGroup((tg) => tg.start((status) => fn().then(status.started))),
  ],
  [
    'a child that was started',
    (fn) =>
      taskGroup((tg) =>
        tg.start((status) => {
          status.started();
          return fn();
        }),
      ),
  ],
  ['a service', (fn) => taskGroup((tg) => tg.startService(fn).wait())],
  ['a task of map()', (fn) => map([1], fn)],
  ['a task of race()', (fn) => race([fn])],
  ['detached()', (fn) => detached(fn)],
];

describe('a section', () => {
  test.each(sameCallChain)('is around %s', (_name, wrap) =>
    run(async () => {
      const mark = {};
      const seen: boolean[] = [];
      await inSection(mark, () =>
        wrap(async () => {
          seen.push(isInside(mark));
          await checkpoint();
          seen.push(isInside(mark));
        }),
      );
      expect(seen.length).toBeGreaterThan(0);
      expect(seen).not.toContain(false);
    }),
  );

  test.each(elsewhere)('is not around %s', (_name, wrap) =>
    run(async () => {
      const mark = {};
      const seen: boolean[] = [];
      await inSection(mark, () =>
        wrap(async () => {
          seen.push(isInside(mark));
          await checkpoint();
          seen.push(isInside(mark));
        }),
      );
      expect(seen).toEqual([false, false]);
    }),
  );

  test(
    'is not around a branch beside it, nor around what comes after it',
    virtualTime(async () => {
      const marks = [{}, {}] as const;
      const inside = (): boolean[] => marks.map(isInside);
      const seen = await Promise.all(marks.map((mark) => inSection(mark, () => checkpoint().then(inside))));
      expect(seen).toEqual([
        [true, false],
        [false, true],
      ]);
      expect(inside()).toEqual([false, false]);
    }),
  );

  test(
    'is not around code that outlives it',
    virtualTime(async () => {
      const mark = {};
      let outliving: Promise<boolean> | undefined;
      await inSection(mark, async () => {
        outliving = sleep(1).then(() => isInside(mark));
      });
      expect(await outliving).toBe(false);
    }),
  );

  test(
    'is around a bound callback as long as it lasts, which goes on in the scope afterwards',
    virtualTime(async () => {
      const [outer, inner] = [{}, {}];
      const inside = async (): Promise<boolean[]> => {
        await checkpoint();
        return [isInside(outer), isInside(inner)];
      };
      let bound!: typeof inside;
      await inSection(outer, async () => {
        await inSection(inner, async () => {
          bound = bindToScope(inside);
          expect(await detached(() => bound())).toEqual([true, true]);
        });
        expect(await detached(() => bound())).toEqual([true, false]);
      });
      expect(await detached(() => bound())).toEqual([false, false]);
    }),
  );

  test('is around nothing where there is no context: outside of every run, as always in explicit mode', () => {
    expect(storage.getStore()).toBeUndefined();
    expect(findSection(() => true)).toBeUndefined();
  });

  test(
    'that is entered at the end of a microtask is around what was called and what comes of it, and around no other code',
    virtualTime(async () => {
      const mark = {};
      const section = new Section(mark, 'section');
      const seen: boolean[] = [];
      const inside = DONE.then(() =>
        section.runLast(async () => {
          seen.push(isInside(mark));
          await checkpoint();
          seen.push(isInside(mark));
        }),
      );
      await inside;
      section.end();
      expect(seen).toEqual([true, true]);
      expect(isInside(mark)).toBe(false);
    }),
  );

  test(
    'opens no scope and no task',
    virtualTime(async () => {
      const [scope, task] = [currentScope(), currentTask()];
      await inSection({}, async () => {
        expect(currentScope()).toBe(scope);
        expect(currentTask()).toBe(task);
      });
    }),
  );
});

describe('nothing is kept alive', () => {
  test('by a context made in a section: not what stands for it', async () => {
    const pending: unknown[] = [];
    const refs: WeakRef<object>[] = [];
    const use = async (): Promise<void> => {
      const mark = {};
      refs.push(new WeakRef(mark));
      await inSection(mark, async () => {
        const never = new Promise<void>(() => {});
        pending.push(
          never,
          never.then(() => {}),
        );
      });
    };
    await use();
    for (let round = 0; round < 10 && refs[0]!.deref() !== undefined; round++) {
      await nextTurn();
      globalThis.gc!();
    }
    expect(refs[0]!.deref()).toBeUndefined();
    expect(pending).toHaveLength(2);
  });

  test.each([
    ['sections', (fn: () => Promise<void>) => inSection({}, fn)],
    ['scopes in sections', (fn: () => Promise<void>) => inSection({}, () => new CancelScope().run(fn))],
    ['sections in scopes', (fn: () => Promise<void>) => new CancelScope().run(() => inSection({}, fn))],
    ['bound callbacks', (fn: () => Promise<void>) => inSection({}, () => bindToScope(fn)())],
    [
      'sections that overlap',
      async (fn: () => Promise<void>) => {
        void inSection({}, () =>
          fn()
            .then(() => nextTurn())
            .then(() => nextTurn()),
        );
      },
    ],
  ])('by code that goes on from one to the next: %s', async (_name, wrap) => {
    const around = (): number => {
      let count = 0;
      for (let cell = storage.getStore(); cell !== undefined; cell = cell.outer) count++;
      return count;
    };
    const depths: number[] = [];
    const poll = async (): Promise<void> => {
      depths.push(around());
      if (depths.length === 10) return;
      let next: Promise<void> | undefined;
      // As a timer that is set anew inside of lock.run().
      await wrap(async () => {
        next = nextTurn().then(poll);
      });
      await next;
    };
    await run(poll);
    expect(depths[9]).toBe(depths[5]);
  });
});
