/** Driving a primitive and a plain model of it with the same random commands, and comparing the two after each. */

import {
  CancelScope,
  run,
  sleepForever,
  taskGroup,
  type TaskHandle,
  type WaitOptions,
} from '@taskscope/core';
import { bindToScope } from '@taskscope/core/lowlevel';
import fc from 'fast-check';

import { turns } from '../../core/src/observing.fixture.js';

/** How an operation is doing: pending, done, or the name of the error that it rejected with. */
export type Status = string;

/** An operation that may have to wait, and that can be cancelled by itself. */
export class Operation {
  status: Status = 'pending';
  value: unknown = undefined;
  readonly #scope = new CancelScope();

  constructor(begin: (options: WaitOptions, operation: Operation) => Promise<unknown>) {
    begin({ signal: this.#scope.signal }, this).then(
      (value) => {
        this.status = 'done';
        this.value = value;
      },
      (error: unknown) => {
        this.status = nameOf(error);
      },
    );
  }

  cancel(): void {
    this.#scope.cancel();
  }
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : String(error);
}

/** What a call that does not wait came to: `done`, or the name of the error that it threw. */
export function called(fn: () => unknown): Status {
  try {
    fn();
    return 'done';
  } catch (error) {
    return nameOf(error);
  }
}

/** A task that does what it is told. */
export interface Actor {
  readonly name: string;
  /** Calls `fn` in the task. */
  act<T>(fn: () => T): T;
  /** Ends the task, with all its waits. */
  end(): void;
}

/** Runs `body` with as many tasks. */
export async function withActors(count: number, body: (actors: readonly Actor[]) => unknown): Promise<void> {
  await run(() =>
    taskGroup(async (tg) => {
      const actors = Array.from({ length: count }, (_, index): Promise<Actor> => {
        const name = `actor ${index}`;
        return new Promise((ready) => {
          const handle: TaskHandle<never> = tg.createTask(
            () => {
              const act = bindToScope((fn: () => unknown) => fn()) as Actor['act'];
              ready({ name, act, end: () => handle.cancel() });
              return sleepForever();
            },
            { name },
          );
        });
      });
      await body(await Promise.all(actors));
      tg.cancel();
    }),
  );
}

/** A real thing, and all operations on it that were begun. */
export interface Real {
  readonly operations: Operation[];
}

/** The model of it, and what it says about those operations. */
export interface Model {
  readonly operations: Status[];
}

/** The number of an operation that is pending, chosen by any number; undefined if none is. */
export function pendingOperation({ operations }: Model, choice: number): number | undefined {
  const pending = [...operations.keys()].filter((index) => operations[index] === 'pending');
  return pending[choice % pending.length];
}

/** The commands of one kind, each with an argument. */
export function command<M extends Model, R extends Real, A>(
  name: string,
  argument: fc.Arbitrary<A>,
  run: (model: M, real: R, argument: A) => void,
  isPossible: (model: M, argument: A) => boolean = () => true,
): fc.Arbitrary<fc.AsyncCommand<M, R>> {
  return argument.map((chosen) => ({
    check: (model) => isPossible(model, chosen),
    async run(model, real) {
      run(model, real, chosen);
      // Everyone who was woken goes on.
      await turns(2);
    },
    toString: () => `${name}(${chosen === undefined ? '' : fc.stringify(chosen)})`,
  }));
}

/**
 * Runs random sequences of commands. `compare` returns the same of the model and of the real thing, and is asked after
 * each command.
 */
export async function checkModel<M extends Model, R extends Real>(
  commands: readonly fc.Arbitrary<fc.AsyncCommand<M, R>>[],
  setUp: (actors: readonly Actor[]) => { model: M; real: R },
  compare: (model: M, real: R) => readonly (readonly [expected: unknown, actual: unknown])[],
  actors: number = 0,
): Promise<void> {
  const compared = commands.map((arbitrary) =>
    arbitrary.map((each): fc.AsyncCommand<M, R> => ({
      check: (model) => each.check(model),
      async run(model, real) {
        await each.run(model, real);
        const statuses = real.operations.map(({ status }) => status);
        for (const [expected, actual] of [[model.operations, statuses], ...compare(model, real)]) {
          const [left, right] = [fc.stringify(expected), fc.stringify(actual)];
          if (left !== right) throw new Error(`after ${String(each)}: expected ${left}, got ${right}`);
        }
      },
      toString: () => String(each),
    })),
  );
  await fc.assert(
    fc.asyncProperty(fc.commands(compared, { maxCommands: 40 }), (sequence) =>
      withActors(actors, (team) => fc.asyncModelRun(() => setUp(team), sequence)),
    ),
    { numRuns: 60 },
  );
}
