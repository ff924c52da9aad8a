import { CancelScope, failAfter, failAt, moveOnAfter, moveOnAt, TimeoutError } from '@taskscope/core';
import { canonical } from './canonical.js';
import type { Body, Op } from './language.js';
import { fromNow } from './plain-statements.js';
import type { Statements, Task } from './task.js';

export const scopeStatements = {
  async scope(task, statement) {
    const { timeout, deadline, shield } = statement;
    const scope = new CancelScope({
      ...(timeout !== undefined && { timeout }),
      ...(deadline !== undefined && { deadline }),
      ...(shield !== undefined && { shield, ...task.options }),
      ...task.options,
    });
    await runInScope(task, statement, (body) => scope.run(body));
  },

  async enter(task, statement) {
    await runInScope(task, statement, (body) => task.env.scopes.get(statement.id).run(body));
  },

  async move_on_after(task, statement) {
    const { ms, shield = false } = statement;
    await runInScope(task, statement, (body) => moveOnAfter(ms, body, { shield, ...task.options }));
  },

  async move_on_at(task, statement) {
    const { at, shield = false } = statement;
    await runInScope(task, statement, (body) => moveOnAt(at, body, { shield, ...task.options }));
  },

  async fail_after(task, statement) {
    const { ms, shield = false } = statement;
    await runInScope(task, statement, (body) => failAfter(ms, body, { shield, ...task.options }));
  },

  async fail_at(task, statement) {
    const { at, shield = false } = statement;
    await runInScope(task, statement, (body) => failAt(at, body, { shield, ...task.options }));
  },

  cancel(task, { op, target, reason }) {
    task.env.scopes.get(target).cancel(reason);
    task.record(op, target);
  },

  set_shield(task, { op, target, value }) {
    task.env.scopes.get(target).shield = value;
    task.record(op, target, value);
  },

  set_deadline(task, { op, target, ms }) {
    task.env.scopes.get(target).deadline = ms === null ? Infinity : task.env.now() + ms;
    task.record(op, target, ms);
  },

  scope_state(task, { op, target }) {
    const scope = task.env.scopes.get(target);
    task.record(op, target, scope.cancelCalled, fromNow(task, scope.deadline), scope.shield);
  },
} satisfies Statements;

/** Runs the body of a statement in its scope, and records how the scope was left. */
async function runInScope(
  task: Task,
  statement: { readonly op: Op; readonly id: string; readonly body: Body; readonly raise?: boolean },
  enter: (body: (scope: CancelScope) => Promise<void>) => Promise<unknown>,
): Promise<void> {
  const { op, id, body, raise } = statement;
  const inside: { scope?: CancelScope; error?: unknown } = {};
  let failure: { readonly error: unknown } | undefined;
  try {
    await enter(async (scope) => {
      inside.scope = scope;
      task.env.scopes.bind(id, scope);
      try {
        await task.doIn(scope, body);
      } catch (error) {
        inside.error = error;
        throw error;
      }
    });
  } catch (error) {
    failure = { error };
  }
  const { scope } = inside;
  if (scope === undefined) return task.fail(op, id, raise, failure?.error); // it was never entered

  const how = failure === undefined ? 'ok' : canonical(failure.error);
  // A TimeoutError that does not come from the body is that of this very scope.
  const timedOut = failure?.error instanceof TimeoutError && failure.error !== inside.error;
  const caught = how === 'ok' || how === 'Cancelled' || timedOut ? scope.cancelledCaught : null;
  task.record('scope_exit', id, how, caught, scope.cancelCalled);
  if (failure !== undefined) throw failure.error;
}
