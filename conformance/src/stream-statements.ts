import { channelStatistics } from './objects.js';
import type { Statements } from './task.js';

export const streamStatements = {
  async send(task, { op, end, value, raise }) {
    const sender = task.env.sendEnds.get(end);
    if (await task.attempt(op, end, raise, () => sender.send(value, task.options)))
      task.record(op, end, value);
  },

  async send_nowait(task, { op, end, value, raise }) {
    const sender = task.env.sendEnds.get(end);
    if (await task.attempt(op, end, raise, () => sender.sendNowait(value))) task.record(op, end, value);
  },

  async receive(task, { op, end, raise }) {
    const receiver = task.env.receiveEnds.get(end);
    const received = await task.attempt(op, end, raise, () => receiver.receive(task.options));
    if (received) task.record(op, end, received.value);
  },

  async receive_nowait(task, { op, end, raise }) {
    const receiver = task.env.receiveEnds.get(end);
    const received = await task.attempt(op, end, raise, () => receiver.receiveNowait());
    if (received) task.record(op, end, received.value);
  },

  /** By hand, to tell an error of the iteration from one of the body. */
  async for_each(task, { op, end, body = [], raise }) {
    const iterator = task.env.receiveEnds.get(end).values(task.options)[Symbol.asyncIterator]();
    for (;;) {
      const step = await task.attempt(op, end, raise, () => iterator.next());
      if (step === undefined) return;
      if (step.value.done) break;
      task.record('item', end, step.value.value);
      await task.do(body);
    }
    task.record('end_of_stream', end);
  },

  async clone(task, { op, end, as, raise }) {
    const { sendEnds, receiveEnds, statistics } = task.env;
    const sender = sendEnds.find(end);
    if (sender !== undefined) {
      const cloned = await task.attempt(op, end, raise, () => sender.clone());
      if (cloned === undefined) return;
      sendEnds.bind(as, cloned.value);
      statistics.bind(as, () => channelStatistics(cloned.value));
    } else {
      const receiver = receiveEnds.get(end);
      const cloned = await task.attempt(op, end, raise, () => receiver.clone());
      if (cloned === undefined) return;
      receiveEnds.bind(as, cloned.value);
      statistics.bind(as, () => channelStatistics(cloned.value));
    }
    task.record(op, end, as);
  },

  close(task, { op, end }) {
    const { sendEnds, receiveEnds } = task.env;
    (sendEnds.find(end) ?? receiveEnds.get(end)).close();
    task.record(op, end);
  },
} satisfies Statements;
