/** The tests that every wait has to pass: cancelled before, during and right after, in each way that there is. */

import {
  Cancelled,
  CancelScope,
  checkpoint,
  moveOnAfter,
  run,
  shield,
  type WaitOptions,
} from '@taskscope/core';
import { MockClock, virtualTime } from '@taskscope/testing';
import { describe, expect, test } from 'vitest';

import { errorOf, listeners, unhandledRejections } from '../../core/src/observing.fixture.js';

/** Something to wait for, of which nothing is to be had yet. */
export interface Awaited {
  /** The wait, called in the task of the test. */
  begin(options?: WaitOptions): Promise<unknown>;
  /** Makes there be what one wait needs. */
  satisfy(): void;
  /** Gives back what the wait got, if anything. `got` is what it resolved to, undefined if it rejected. */
  end(got: unknown): void;
  /** How many wait. */
  waiting(): number;
  /** How much is held, borrowed or taken. */
  out(): number;
  /** What the wait resolves to, if that is always the same. */
  readonly value?: unknown;
}

/** Awaits the wait, and gives back what it got. */
async function finish(awaited: Awaited, promise: Promise<unknown>): Promise<void> {
  const got = await promise;
  if ('value' in awaited) expect(got).toBe(awaited.value);
  awaited.end(got);
}

/** Defines the tests. Each begins with a new thing to wait for. */
export function testCancellation(name: string, setUp: () => Awaited): void {
  describe(`${name}, cancelled`, () => {
    /** Nothing is left: nobody waits, and what there is to be had can be had. */
    const expectNoTrace = (awaited: Awaited): void => {
      expect(awaited.waiting()).toBe(0);
      awaited.satisfy();
      awaited.end(undefined);
      expect(awaited.out()).toBe(0);
    };

    test(
      'not at all: waits until there is what it waits for',
      virtualTime(async () => {
        const awaited = setUp();
        const promise = awaited.begin();
        expect(awaited.waiting()).toBe(1);
        awaited.satisfy();
        expect(awaited.waiting()).toBe(0);
        await finish(awaited, promise);
        expect(awaited.out()).toBe(0);
      }),
    );

    test(
      'before: rejects and does not begin',
      virtualTime(async () => {
        const awaited = setUp();
        const scope = new CancelScope();
        await scope.run(async () => {
          scope.cancel('before');
          const promise = awaited.begin();
          expect(awaited.waiting()).toBe(0);
          const error = await errorOf(promise);
          expect(error).toBeInstanceOf(Cancelled);
          expect(error).toMatchObject({ reason: 'before', source: 'cancel' });
          expectNoTrace(awaited);
          throw error;
        });
        expect(scope.cancelledCaught).toBe(true);
      }),
    );

    test(
      'before, although it need not wait: rejects and takes nothing',
      virtualTime(async () => {
        const awaited = setUp();
        const scope = new CancelScope();
        const first = awaited.begin();
        awaited.satisfy();
        await finish(awaited, first);
        const out = awaited.out();
        await scope.run(async () => {
          scope.cancel();
          expect(await errorOf(awaited.begin())).toBeInstanceOf(Cancelled);
          awaited.end(undefined);
        });
        expect(awaited.out()).toBe(out);
      }),
    );

    test(
      'during: is taken out in the very call that cancels its scope',
      virtualTime(async () => {
        const awaited = setUp();
        const outer = new CancelScope();
        const inner = new CancelScope();
        await outer.run(() =>
          inner.run(async () => {
            const promise = awaited.begin();
            expect(awaited.waiting()).toBe(1);
            outer.cancel('during');
            expect(awaited.waiting()).toBe(0);
            const error = await errorOf(promise);
            expect(error).toMatchObject({ name: 'Cancelled', reason: 'during' });
            expectNoTrace(awaited);
            throw error;
          }),
        );
        expect(outer.cancelledCaught).toBe(true);
        expect(inner.cancelledCaught).toBe(false);
      }),
    );

    test(
      'during, by a deadline',
      virtualTime(async (clock) => {
        const awaited = setUp();
        const scope = moveOnAfter(5);
        await scope.run(async () => {
          const error = await errorOf(awaited.begin());
          expect(error).toMatchObject({ name: 'Cancelled', source: 'deadline' });
          expectNoTrace(awaited);
          throw error;
        });
        expect(scope.cancelledCaught).toBe(true);
        expect(clock.now()).toBe(5);
      }),
    );

    test(
      'by a foreign signal: rejects with its reason, and keeps no listener',
      virtualTime(async () => {
        const awaited = setUp();
        const controller = new AbortController();
        const promise = awaited.begin({ signal: controller.signal });
        expect(listeners(controller.signal)).toBe(1);
        const reason = new Error('enough');
        controller.abort(reason);
        expect(awaited.waiting()).toBe(0);
        expect(await errorOf(promise)).toBe(reason);
        expect(listeners(controller.signal)).toBe(0);
        expectNoTrace(awaited);
      }),
    );

    test(
      'by a foreign signal that has aborted before: does not begin',
      virtualTime(async () => {
        const awaited = setUp();
        const signal = AbortSignal.abort('too late');
        const promise = awaited.begin({ signal });
        expect(awaited.waiting()).toBe(0);
        expect(await errorOf(promise)).toBe('too late');
        expect(listeners(signal)).toBe(0);
        expectNoTrace(awaited);
      }),
    );

    test(
      'with another scope, given by its signal',
      virtualTime(async () => {
        const awaited = setUp();
        const other = new CancelScope();
        const promise = awaited.begin({ signal: other.signal });
        expect(listeners(other.signal)).toBe(0);
        other.cancel('other');
        expect(awaited.waiting()).toBe(0);
        expect(await errorOf(promise)).toMatchObject({ name: 'Cancelled', reason: 'other' });
        expectNoTrace(awaited);
      }),
    );

    test(
      'right after: keeps what it got, and the cancellation meets the task at its next wait',
      virtualTime(async () => {
        for (const signal of [undefined, new AbortController().signal, new CancelScope().signal]) {
          const awaited = setUp();
          const scope = new CancelScope();
          let got = false;
          await scope.run(async () => {
            const promise = awaited.begin({ signal });
            awaited.satisfy();
            scope.cancel();
            if (signal !== undefined) expect(listeners(signal)).toBe(0);
            await finish(awaited, promise);
            got = true;
            await checkpoint();
          });
          expect(got).toBe(true);
          expect(scope.cancelledCaught).toBe(true);
          expect(awaited.out()).toBe(0);
        }
      }),
    );

    test(
      'right after, by a signal: keeps what it got',
      virtualTime(async () => {
        const controller = new AbortController();
        const other = new CancelScope();
        const abort: [AbortSignal, () => void][] = [
          [controller.signal, () => controller.abort()],
          [other.signal, () => other.cancel()],
        ];
        for (const [signal, cancel] of abort) {
          const awaited = setUp();
          const promise = awaited.begin({ signal });
          awaited.satisfy();
          cancel();
          await finish(awaited, promise);
          expect(awaited.out()).toBe(0);
        }
      }),
    );

    test(
      'behind a shield: does not mind',
      virtualTime(async () => {
        const awaited = setUp();
        const scope = new CancelScope();
        await scope.run(() =>
          shield(async () => {
            const promise = awaited.begin();
            scope.cancel();
            expect(awaited.waiting()).toBe(1);
            awaited.satisfy();
            await finish(awaited, promise);
            expect(awaited.out()).toBe(0);
          }),
        );
        expect(scope.cancelledCaught).toBe(false);
      }),
    );

    test('when nobody looks at it: nothing is heard of it', async () => {
      const rejections = await unhandledRejections(() =>
        run(
          async () => {
            const scope = new CancelScope();
            const other = new CancelScope();
            const controller = new AbortController();
            const begin = (options?: WaitOptions): void => void setUp().begin(options);
            await scope.run(() => {
              begin();
              scope.cancel();
              begin();
            });
            begin({ signal: other.signal });
            other.cancel();
            begin({ signal: other.signal });
            begin({ signal: controller.signal });
            controller.abort(new Error('enough'));
            begin({ signal: controller.signal });
            await checkpoint();
          },
          { clock: new MockClock({ autojump: true }) },
        ),
      );
      expect(rejections).toEqual([]);
    });

    test(
      'options that are none are refused, and nothing begins',
      virtualTime(async () => {
        for (const options of [null, 42, { signal: 'abort' }, { signal: null }]) {
          const awaited = setUp();
          const error = await errorOf(awaited.begin(options as WaitOptions));
          expect(error).toBeInstanceOf(TypeError);
          expect((error as Error).message).toMatch(/options(\.signal)? must be an (object|AbortSignal), got/);
          expectNoTrace(awaited);
        }
      }),
    );
  });
}
