import { inspect } from 'node:util';
import { expect, test } from 'vitest';

import { CancelScope } from './cancel-scope.js';
import { currentScope } from './cancel-scope.js';
import { formatTaskTree } from './introspection.js';
import { run } from './run.js';
import { sleepForever } from './sleep.js';
import { taskGroup } from './task-group.js';
import { virtualTime, waitAllTasksBlocked } from '@taskscope/testing';

test(
  'tasks, groups and scopes are printed in a line, and as plain data',
  virtualTime(() =>
    taskGroup(
      async (tg) => {
        const task = tg.createTask(() => sleepForever(), { name: 'kettle' });
        expect(inspect(task)).toMatch(/^task "kettle" \(task \d+\), pending$/);
        expect(JSON.parse(JSON.stringify(task))).toMatchObject({ name: 'kettle', status: 'pending' });
        expect(inspect(tg)).toBe('group "kitchen"');
        expect(JSON.parse(JSON.stringify(tg))).toEqual({
          name: 'kitchen',
          state: 'open',
          deadline: null,
          shield: false,
          cancelCalled: false,
        });
        tg.cancel();
        expect(inspect(tg)).toBe('group "kitchen", cancelled');
      },
      { name: 'kitchen' },
    ),
  ),
);

test('a scope tells its state', async () => {
  const scope = new CancelScope({ name: 'tea', deadline: 42, shield: true });
  expect(inspect(scope)).toBe('scope "tea", not entered, shielded, deadline 42');
  expect(JSON.parse(JSON.stringify(scope))).toMatchObject({ deadline: 42, shield: true });
  const outer = new CancelScope();
  await outer.run(() => {
    outer.cancel();
    return new CancelScope({ name: 'inner' }).run((inner) => {
      expect(inspect(inner)).toBe('scope "inner", cancelled from around');
    });
  });
  expect(inspect(outer)).toBe('scope "scope", left, cancelled');
  await run(() => expect(inspect(currentScope())).toBe('run "main"'));
});

test(
  'the tree says of a task that it awaits what nobody can cancel',
  virtualTime(() =>
    taskGroup(async (tg) => {
      let end = (): void => {};
      tg.createTask(() => new Promise<void>((resolve) => (end = resolve)), { name: 'stuck' });
      tg.createTask(() => new CancelScope().run(() => sleepForever()), { name: 'sleeper' });
      await waitAllTasksBlocked();
      const lines = formatTaskTree().split('\n');
      expect(lines.find((line) => line.includes('stuck'))).toMatch(
        /waits for nothing that the runtime knows of$/,
      );
      expect(lines.find((line) => line.includes('sleeper'))).not.toMatch(/waits for nothing/);
      end();
      tg.cancel();
    }),
  ),
);
