/** A test for each export of `@taskscope/core/lowlevel`. */

import {
  CancelScope,
  Cancelled,
  checkpoint,
  currentTask,
  currentTime,
  sleepForever,
  taskGroup,
} from '@taskscope/core';
import {
  activityCount,
  addInstrument,
  addParkingLotBreaker,
  addProbe,
  bindToScope,
  callAt,
  chain,
  checkCount,
  checkFunction,
  checkOptions,
  checkTime,
  completed,
  currentScope,
  describe,
  ExitWatch,
  findSection,
  inNextTurn,
  isTurnPending,
  nowOrNextTurn,
  onTaskExit,
  ParkingLot,
  putOff,
  readIterable,
  refusal,
  rejected,
  scopeOfWait,
  Section,
  silence,
  suspend,
  WaitQueue,
} from '@taskscope/core/lowlevel';
import type * as lowlevel from '@taskscope/core/lowlevel';
import { equal, nextTurn, rejects, throws, type TestsOf } from './check.js';

export const lowlevelTests: TestsOf<typeof lowlevel> = {
  async suspend() {
    equal(
      await suspend<string>((resolve) => {
        setTimeout(resolve, 0, 'done');
        return () => {};
      }),
      'done',
    );
    let undone: unknown;
    const scope = new CancelScope();
    await scope.run(({ signal }) => {
      setTimeout(() => scope.cancel('enough'), 0);
      return suspend(() => (cancelled) => (undone = cancelled.reason), { signal });
    });
    equal(undone, 'enough');
  },

  async ParkingLot() {
    const lot = new ParkingLot();
    const scope = new CancelScope();
    await scope.run(async ({ signal }) => {
      const parked = lot.park({ signal });
      equal(lot.size, 1);
      scope.cancel();
      equal(lot.size, 0);
      await parked;
    });
    const parked = [lot.park(), lot.park()];
    equal([lot.unpark(), lot.unparkAll()], [1, 1]);
    await Promise.all(parked);
  },

  async addParkingLotBreaker({ ambient }) {
    const lot = new ParkingLot();
    let parked: Promise<void> | undefined;
    await taskGroup((tg) => {
      tg.createTask(() => {
        if (ambient) addParkingLotBreaker(currentTask(), lot, new RangeError('the owner is gone'));
        parked = lot.park({ signal: tg.cancelScope.signal });
        void parked.catch(() => {});
        // In explicit mode nobody knows in which task this is, and the root never ends.
        if (!ambient) addParkingLotBreaker(currentTask(), lot)[Symbol.dispose]();
      });
    });
    if (ambient) await rejects(parked!, RangeError);
    else equal([lot.unpark(), await parked], [1, undefined]);
  },

  async WaitQueue() {
    const queue = new WaitQueue<string, number>();
    const waits = [1, 2].map((n) => queue.wait('turn', scopeOfWait('test'), n));
    equal([queue.size, queue.first?.data], [2, 1]);
    queue.shift()?.resolve('served');
    equal(await waits[0], 'served');
    queue.rejectAll(new RangeError('closed'));
    await rejects(waits[1]!, RangeError);
    equal(queue.size, 0);
  },

  async completed() {
    equal(await completed('value'), 'value');
    equal(await completed(), undefined);
  },

  async nowOrNextTurn() {
    await nextTurn(); // with the whole budget
    equal(nowOrNextTurn('value'), 'value');
  },

  async refusal() {
    const scope = new CancelScope();
    await scope.run(async ({ signal }) => {
      equal(refusal('test', scopeOfWait('test', { signal }), { signal }), undefined);
      scope.cancel();
      await rejects(refusal('test', scopeOfWait('test', { signal }), { signal })!, Cancelled);
    });
  },

  async scopeOfWait() {
    await taskGroup((tg) => {
      tg.createTask(({ signal }) => equal(scopeOfWait('test', { signal }).task.name, 'kettle'), {
        name: 'kettle',
      });
    });
    equal(scopeOfWait('test').task.name, 'root');
  },

  async silence() {
    const error = new RangeError('no');
    const promise = Promise.reject(error);
    silence(promise, error);
    await rejects(promise, RangeError);
  },

  async chain() {
    equal(await chain(completed(20), (n) => n + 1), 21);
    await rejects(
      chain(rejected(new RangeError('no')), () => {}),
      RangeError,
    );
  },

  async rejected() {
    await rejects(rejected(new RangeError('no')), RangeError);
  },

  async onTaskExit({ ambient }) {
    const log: string[] = [];
    await taskGroup((tg) => {
      tg.createTask(async ({ signal }) => {
        onTaskExit('test', scopeOfWait('test', { signal }).task, () => log.push('task'));
        await nextTurn();
        log.push('body');
      });
    });
    equal(log, ['body', 'task']);
    if (ambient) return;
    // The root never ends.
    const added = onTaskExit('test', currentTask(), () => log.push('never'));
    added?.[Symbol.dispose]();
  },

  async ExitWatch({ ambient }) {
    const log: string[] = [];
    const watch = new ExitWatch(() => log.push('watched'));
    await taskGroup((tg) => {
      tg.createTask(({ signal }) => {
        equal(watch.watch('test', scopeOfWait('test', { signal }).task), true);
      });
    });
    equal(log, ['watched']);
    if (ambient) return;
    equal(watch.watch('test', currentTask()), true);
    watch.unwatch();
  },

  checkCount() {
    checkCount('test', 'n', 1, 1);
    throws(() => checkCount('test', 'n', 0, 1), RangeError);
    throws(() => checkCount('test', 'n', '1', 1), TypeError);
  },

  checkFunction() {
    checkFunction('test', 'fn', () => {});
    throws(() => checkFunction('test', 'fn', Promise.resolve()), TypeError);
  },

  checkOptions() {
    checkOptions('test', { signal: undefined });
    throws(() => checkOptions('test', 5), TypeError);
  },

  checkTime() {
    checkTime('test', 'ms', 1.5);
    throws(() => checkTime('test', 'ms', NaN), RangeError);
  },

  describe() {
    equal([describe('tea'), describe(null), describe(5)], ['"tea"', 'null', '5']);
  },

  async currentScope({ ambient }) {
    const root = currentScope();
    await new CancelScope().run((scope) => equal(currentScope() === (ambient ? scope : root), true));
  },

  async Section({ ambient }) {
    const mark = {};
    const isInside = (): boolean => findSection((each) => each === mark) === mark;
    const section = new Section(mark, 'tea time');
    await section.run(async () => {
      equal(isInside(), ambient);
      await new CancelScope().run(() => equal(isInside(), ambient));
    });
    section.end();
    equal(isInside(), false);
  },

  findSection() {
    equal(
      findSection(() => true),
      undefined,
    );
  },

  async bindToScope({ ambient }) {
    const scope = new CancelScope();
    await scope.run(async () => {
      const bound = bindToScope(() => currentScope() === scope);
      await new CancelScope().run(() => equal(bound(), ambient));
    });
  },

  async callAt() {
    const calls: string[] = [];
    callAt(currentTime() + 1, () => calls.push('never'))[Symbol.dispose]();
    await new Promise<void>((resolve) => {
      callAt(currentTime() + 2, () => {
        calls.push('due');
        resolve();
      });
    });
    equal(calls, ['due']);
  },

  async readIterable() {
    const reader = readIterable('test', [1, 2]);
    equal(await reader.next(), { value: 1, done: false });
    await reader.close();
    throws(() => readIterable('test', 5 as never), TypeError);
  },

  async addInstrument() {
    const events: string[] = [];
    const added = addInstrument({
      taskSpawned: ({ name }) => events.push(`${name} spawned`),
      taskExited: ({ name }) => events.push(`${name} exited`),
      waitStarted: ({ label }) => events.push(label),
    });
    await taskGroup(async (tg) => {
      const task = tg.createTask(({ signal }) => sleepForever({ signal }), { name: 'kettle' });
      await nextTurn();
      task.cancel();
    });
    added[Symbol.dispose]();
    await taskGroup((tg) => void tg.createTask(() => {}, { name: 'unseen' }));
    equal(
      events.filter((event) => /kettle|unseen|sleepForever/.test(event)),
      ['kettle spawned', 'sleepForever', 'kettle exited'],
    );
  },

  activityCount() {
    const before = activityCount();
    const lot = new ParkingLot();
    void lot.park();
    equal(activityCount() > before, true);
    lot.unpark();
  },

  async addProbe() {
    const kinds: string[] = [];
    const probe = addProbe({
      operation: (kind) => kinds.push(kind) > 0,
      cancelPoint() {},
    });
    await checkpoint();
    probe[Symbol.dispose]();
    equal(kinds.includes('checkpoint'), true);
  },

  async inNextTurn() {
    const log: string[] = [];
    await new Promise<void>((resolve) => {
      inNextTurn(() => {
        log.push('turn');
        resolve();
      });
      queueMicrotask(() => log.push('microtask'));
      log.push('now');
    });
    equal(log, ['now', 'microtask', 'turn']);
  },

  async isTurnPending() {
    equal(isTurnPending(), false);
    await new Promise<void>((resolve) => {
      putOff(resolve);
      equal(isTurnPending(), true);
    });
    equal(isTurnPending(), false);
  },

  async putOff() {
    const log: string[] = [];
    await new Promise<void>((resolve) => {
      putOff(() => log.push('first'));
      putOff(() => {
        log.push('second');
        resolve();
      });
      queueMicrotask(() => log.push('microtask'));
    });
    equal(log, ['microtask', 'first', 'second']);
  },
};
