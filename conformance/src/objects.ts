/**
 * The objects of a program, which are made before its `main` begins, and what `stats` shows of them.
 *
 * @module
 */
import { CancelScope } from '@taskscope/core';
import { createMemoryObjectStream, type MemoryObjectStreamStatistics } from '@taskscope/streams';
import { CapacityLimiter, Condition, Event, Lock, Semaphore } from '@taskscope/sync';
import type { Amount, ObjectSpec, Value } from './language.js';
import type { Environment, Statements } from './task.js';

export const objectStatements = {
  stats(task, { op, object }) {
    task.record(op, object, task.env.statistics.get(object)());
  },
} satisfies Statements;

export function createObject(env: Environment, name: string, spec: ObjectSpec): void {
  switch (spec.type) {
    case 'event': {
      const event = new Event();
      env.events.bind(name, event);
      env.statistics.bind(name, () => ({ set: event.isSet, waiting: event.statistics().tasksWaiting }));
      break;
    }
    case 'lock': {
      const lock = new Lock();
      env.locks.bind(name, lock);
      env.statistics.bind(name, () => ({ locked: lock.locked, waiting: lock.statistics().tasksWaiting }));
      break;
    }
    case 'semaphore': {
      const semaphore = new Semaphore(spec.value);
      env.semaphores.bind(name, semaphore);
      env.statistics.bind(name, () => ({
        value: semaphore.value,
        waiting: semaphore.statistics().tasksWaiting,
      }));
      break;
    }
    case 'limiter': {
      const limiter = new CapacityLimiter(toNumber(spec.total));
      env.limiters.bind(name, limiter);
      env.statistics.bind(name, () => {
        const { borrowedTokens, totalTokens, tasksWaiting } = limiter.statistics();
        return { borrowed: borrowedTokens, total: toAmount(totalTokens), waiting: tasksWaiting };
      });
      break;
    }
    case 'condition': {
      const condition = new Condition(spec.lock === undefined ? undefined : env.locks.get(spec.lock));
      env.conditions.bind(name, condition);
      env.statistics.bind(name, () => {
        const { lockStatistics, tasksWaiting } = condition.statistics();
        return { locked: lockStatistics.locked, waiting: tasksWaiting };
      });
      break;
    }
    case 'channel': {
      const [send, receive] = createMemoryObjectStream<Value>(toNumber(spec.capacity));
      env.sendEnds.bind(`${name}.s`, send);
      env.receiveEnds.bind(`${name}.r`, receive);
      env.statistics.bind(name, () => channelStatistics(send));
      env.statistics.bind(`${name}.s`, () => channelStatistics(send));
      env.statistics.bind(`${name}.r`, () => channelStatistics(receive));
      break;
    }
    case 'scope': {
      const { type: _, ...options } = spec;
      env.scopes.bind(name, new CancelScope(options));
      break;
    }
  }
}

/** What `stats` shows of a channel, seen from one of its ends. */
export function channelStatistics(end: {
  statistics(): MemoryObjectStreamStatistics;
}): Readonly<Record<string, Amount>> {
  const statistics = end.statistics();
  return {
    used: statistics.currentBufferUsed,
    peak: statistics.peakBufferUsed,
    capacity: toAmount(statistics.maxBufferSize),
    send_ends: statistics.openSendStreams,
    receive_ends: statistics.openReceiveStreams,
    sending: statistics.tasksWaitingSend,
    receiving: statistics.tasksWaitingReceive,
  };
}

export function toNumber(amount: Amount): number {
  return amount === 'inf' ? Infinity : amount;
}

function toAmount(n: number): Amount {
  return n === Infinity ? 'inf' : n;
}
