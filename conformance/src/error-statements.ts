import { catchErrors, flattenErrors } from '@taskscope/core';
import { canonical, sortByText } from './canonical.js';
import type { CatchKind, How } from './language.js';
import type { Statements } from './task.js';

export const errorStatements = {
  async try(task, statement) {
    try {
      await task.do(statement.body);
    } catch (error) {
      const how = canonical(error);
      if (statement.catch !== 'all' && statement.catch !== kindOf(how)) throw error;
      task.record('caught', how);
      await task.do(statement.handler ?? []);
      if (statement.rethrow) throw error;
    } finally {
      await task.do(statement.finally ?? []);
    }
  },

  async catch_errors(task, { errors, body, handler = [] }) {
    await catchErrors(
      () => task.do(body),
      [
        (error) => isListed(errors, canonical(error)),
        async (group) => {
          task.record('caught_errors', sortByText(flattenErrors(group).map(canonical)));
          await task.do(handler);
        },
      ],
    );
  },
} satisfies Statements;

function kindOf(how: How): CatchKind {
  if (typeof how !== 'string') return 'group';
  return how === 'Cancelled' ? 'cancelled' : 'error';
}

function isListed(errors: readonly string[], how: How): boolean {
  return typeof how === 'string' && errors.includes(how);
}
