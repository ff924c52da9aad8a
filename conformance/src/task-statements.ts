import { type TaskContext, taskGroup, type TaskStatus } from '@taskscope/core';
import { canonical } from './canonical.js';
import type { Value } from './language.js';
import { type Statements, Task } from './task.js';

export const taskStatements = {
  async group(task, { id, body }) {
    let bodyLeft = 'ok';
    try {
      await taskGroup(async (group) => {
        task.env.groups.bind(id, group);
        task.env.scopes.bind(id, group.cancelScope);
        try {
          await task.doIn(group.cancelScope, body);
        } catch (error) {
          if (canonical(error) === 'Cancelled') bodyLeft = 'caught'; // unless something leaves the group
          throw error;
        }
      }, task.options);
    } catch (error) {
      task.record('group_exit', id, canonical(error));
      throw error;
    }
    task.record('group_exit', id, bodyLeft);
  },

  async spawn(task, { op, group, task: name, body, raise }) {
    const live = (place: TaskContext): Promise<void> =>
      new Task(task.env, name, place, task.starting).live(body);
    const spawned = await task.attempt(op, name, raise, () =>
      task.env.groups.get(group).createTask(live, { name }),
    );
    if (spawned) task.record(op, name);
  },

  async start(task, { op, group, task: name, body, raise }) {
    const live = (status: TaskStatus<Value>): Promise<void> =>
      new Task(task.env, name, status, { task: name, status }).live(body);
    const started = await task.attempt(op, name, raise, () => task.env.groups.get(group).start(live));
    if (started) task.record(op, name, started.value);
  },

  async started(task, { op, value, raise }) {
    const { starting } = task;
    if (starting === undefined) throw new Error("the program says 'started' outside of a 'start'");
    const reported = await task.attempt(op, starting.task, raise, () => starting.status.started(value));
    if (reported) task.record(op, value);
  },
} satisfies Statements;
