/** Small programs whose end is looked at from outside by exit.test.ts: `exit.fixture.ts NAME` runs one of them. */

import { setTimeout as delay } from 'node:timers/promises';

import {
  abandonOnCancel,
  CancelScope,
  checkpoint,
  failAfter,
  formatTaskTree,
  map,
  moveOnAfter,
  race,
  run,
  sleep,
  sleepForever,
  taskGroup,
  taskTree,
  withSignal,
} from './index.js';
import { ParkingLot, suspend } from './lowlevel.js';

/** Longer than the test waits: a program that keeps such a timer does not end in time. */
const AGES = 3_600_000;

const programs: Readonly<Record<string, () => void | Promise<void>>> = {
  'scopes that were left'() {
    void run(async () => {
      await moveOnAfter(AGES, () => checkpoint());
      await failAfter(AGES, () => {
        throw new Error('no');
      }).catch(() => {});
      await new CancelScope({ timeout: AGES }).run(async (scope) => {
        setImmediate(() => scope.cancel());
        await sleep(AGES);
      });
      await taskGroup(async (tg) => {
        tg.startSoon(() => sleep(AGES));
        tg.startService(() => sleep(AGES));
        await checkpoint();
        tg.cancel();
      });
      await race([
        () => checkpoint(),
        () => sleep(AGES),
        () => withSignal((signal) => delay(AGES, null, { signal })),
      ]);
      await map([1, 2, 3], () => checkpoint(), { limit: 1 });
      console.log('left');
    });
  },
  'a pending sleep'() {
    void sleep(30).then(() => console.log('slept'));
  },
  'a scope with a deadline'() {
    void moveOnAfter(30, () => sleepForever()).then(() => console.log('timed out'));
  },
  'waits without a time'() {
    const lot = new ParkingLot();
    void run(() =>
      taskGroup((tg) => {
        tg.startSoon(() => sleepForever());
        tg.startSoon(() => lot.park());
        tg.startSoon(() => suspend(() => () => {}));
        tg.startSoon(() => abandonOnCancel(new Promise(() => {})));
        setImmediate(() => console.log(`parked: ${lot.size}`));
      }),
    );
  },
  'a deadline that was taken back'() {
    const scope = new CancelScope({ timeout: AGES });
    void scope.run(() => sleepForever());
    scope.deadline = Infinity;
    console.log('taken back');
  },
  'a floating wait that was cancelled'() {
    const scope = new CancelScope();
    void scope.run(async () => {
      void sleepForever();
      void new ParkingLot().park();
      void suspend(() => () => {});
      void withSignal((signal) => delay(AGES, null, { signal }));
      void moveOnAfter(AGES, () => sleep(AGES));
      void taskGroup((tg) => void tg.startSoon(() => sleepForever()));
      void race([() => sleepForever()]);
      void map([1], () => sleepForever());
      await checkpoint();
      scope.cancel();
      void checkpoint();
      void sleep(1);
      void taskGroup(() => checkpoint());
      console.log('cancelled');
    });
  },
  'a floating wait that was adopted and cancelled'() {
    const outer = new CancelScope();
    void outer.run(async () => {
      await new CancelScope().run(() => {
        void sleep(AGES);
        void taskGroup(() => sleep(AGES));
      });
      outer.cancel();
      console.log('cancelled');
    });
  },
  'handles that nobody awaits'() {
    void taskGroup((tg) => {
      const failing = tg.startSoon(() => Promise.reject(new Error('no')));
      const cancelled = tg.startSoon(() => sleepForever());
      for (const handle of [failing, cancelled]) {
        void handle.result();
        void handle.wait();
      }
    }).catch(() => console.log('the group told'));
  },
  'a start that was cancelled'() {
    void moveOnAfter(1, () =>
      taskGroup(async (tg) => {
        void tg.start(() => sleepForever());
        await sleepForever();
      }),
    ).then(() => console.log('over'));
  },
  'an error that nobody awaits'() {
    void taskGroup(() => {
      throw new Error('a real one');
    });
  },
  'a wait that began after its scope was left, in a strict run'() {
    void run(
      async () => {
        await new CancelScope({ name: 'inner' }).run(() => void delay(1).then(() => void checkpoint()));
        await sleep(20);
      },
      { escapes: 'error' },
    );
  },
  async 'a deadlock'() {
    process.once('beforeExit', () => {
      if (taskTree().children.length > 0) console.log(formatTaskTree());
    });
    await run(() => sleepForever());
  },
  'a wait that escaped, in a strict run'() {
    void run(() => void sleepForever(), { escapes: 'error' });
  },
};

const program = programs[process.argv[2] ?? ''];
if (program === undefined) throw new Error(`There is no program ${process.argv[2]}`);
await program();
