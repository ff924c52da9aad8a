/** The algorithm alone, in virtual time: attempts are sleeps. */

import { CancelScope, currentTime, moveOnAfter, shield, sleep, sleepForever } from '@taskscope/core';
import { fuzzSchedule, virtualTime } from '@taskscope/testing';
import { describe, expect, test } from 'vitest';
import { staggered } from './staggered.js';

interface Candidate {
  readonly name: string;
  readonly how: 'succeeds' | 'fails' | 'hangs';
  /** How long the attempt takes. */
  readonly ms: number;
  /** Does not notice that it is cancelled before it ends. */
  readonly deaf?: boolean;
}

const succeeds = (name: string, ms: number): Candidate => ({ name, how: 'succeeds', ms });
const fails = (name: string, ms: number): Candidate => ({ name, how: 'fails', ms });
const hangs = (name: string): Candidate => ({ name, how: 'hangs', ms: 0 });
const deaf = (candidate: Candidate): Candidate => ({ ...candidate, deaf: true });

/** What happened, with the time of each event. */
class Log {
  readonly events: string[] = [];
  readonly running = new Set<string>();

  add(event: string): void {
    this.events.push(`${currentTime()} ${event}`);
  }

  readonly attempt = async ({ name, how, ms, deaf: isDeaf }: Candidate): Promise<string> => {
    this.add(`${name} begins`);
    this.running.add(name);
    let end = 'is cancelled';
    try {
      await (isDeaf === true ? shield(() => sleep(ms)) : how === 'hangs' ? sleepForever() : sleep(ms));
      end = how;
      if (how === 'fails') throw new Error(`${name} failed`);
      return name;
    } finally {
      this.running.delete(name);
      this.add(`${name} ${end}`);
    }
  };

  run(...candidates: Candidate[]): Promise<string> {
    return staggered(candidates, this.attempt, {
      delay: 250,
      discard: (name) => this.add(`${name} is discarded`),
    });
  }
}

test(
  'the first attempt succeeds in time: no other is made',
  virtualTime(async () => {
    const log = new Log();
    expect(await log.run(succeeds('a', 249), succeeds('b', 1))).toBe('a');
    expect(log.events).toEqual(['0 a begins', '249 a succeeds']);
  }),
);

test(
  'each attempt has a head start of the delay; the winner ends the others at once',
  virtualTime(async () => {
    const log = new Log();
    expect(await log.run(hangs('a'), hangs('b'), succeeds('c', 100), succeeds('d', 1))).toBe('c');
    expect(currentTime()).toBe(600);
    expect(log.events).toEqual([
      '0 a begins',
      '250 b begins',
      '500 c begins',
      '600 c succeeds',
      '600 a is cancelled',
      '600 b is cancelled',
    ]);
  }),
);

test(
  'an earlier attempt can still win',
  virtualTime(async () => {
    const log = new Log();
    expect(await log.run(succeeds('a', 300), succeeds('b', 100))).toBe('a');
    expect(log.events).toEqual(['0 a begins', '250 b begins', '300 a succeeds', '300 b is cancelled']);
  }),
);

test(
  'when an attempt fails the next one begins at once',
  virtualTime(async () => {
    const log = new Log();
    expect(await log.run(fails('a', 10), fails('b', 0), fails('c', 260), succeeds('d', 5))).toBe('d');
    expect(log.events).toEqual([
      '0 a begins',
      '10 a fails',
      '10 b begins',
      '10 b fails',
      '10 c begins',
      '260 d begins',
      '265 d succeeds',
      '265 c is cancelled',
    ]);
  }),
);

test(
  'the last attempt has as long as it needs',
  virtualTime(async () => {
    const log = new Log();
    expect(await log.run(fails('a', 10), succeeds('b', 100_000))).toBe('b');
    expect(currentTime()).toBe(100_010);
  }),
);

test(
  'all fail: every error, in the order of the candidates',
  virtualTime(async () => {
    const log = new Log();
    const error: unknown = await log
      .run(fails('a', 600), fails('b', 100), fails('c', 1))
      .catch((e: unknown) => e);
    expect(error).toBeInstanceOf(AggregateError);
    expect(error).toMatchObject({ errors: ['a', 'b', 'c'].map((name) => new Error(`${name} failed`)) });
    expect(currentTime()).toBe(600);
  }),
);

test(
  'no candidates',
  virtualTime(async () => {
    await expect(new Log().run()).rejects.toMatchObject({ name: 'AggregateError', errors: [] });
  }),
);

test(
  'an attempt that succeeds after the winner is discarded, and waited for',
  virtualTime(async () => {
    const log = new Log();
    expect(await log.run(deaf(succeeds('a', 400)), succeeds('b', 50))).toBe('b');
    expect(log.events).toEqual([
      '0 a begins',
      '250 b begins',
      '300 b succeeds',
      '400 a succeeds',
      '400 a is discarded',
    ]);
  }),
);

test(
  'an attempt that fails after the winner does no harm',
  virtualTime(async () => {
    expect(await new Log().run(deaf(fails('a', 400)), succeeds('b', 50))).toBe('b');
  }),
);

describe('cancelled from outside', () => {
  test(
    'before',
    virtualTime(async () => {
      const log = new Log();
      const scope = new CancelScope();
      scope.cancel();
      await scope.run(() => log.run(succeeds('a', 10), succeeds('b', 10)));
      expect(scope.cancelledCaught).toBe(true);
      expect(log.events).toEqual(['0 a begins', '0 a is cancelled']);
    }),
  );

  test(
    'during',
    virtualTime(async () => {
      const log = new Log();
      const scope = moveOnAfter(300);
      await scope.run(() => log.run(hangs('a'), hangs('b'), succeeds('c', 1)));
      expect(scope.cancelledCaught).toBe(true);
      expect(log.events).toEqual(['0 a begins', '250 b begins', '300 a is cancelled', '300 b is cancelled']);
    }),
  );

  test(
    'when no attempt is left to begin',
    virtualTime(async () => {
      const log = new Log();
      const scope = moveOnAfter(10_000);
      await scope.run(() => log.run(fails('a', 10), hangs('b')));
      expect(scope.cancelledCaught).toBe(true);
      expect(log.events.at(-1)).toBe('10000 b is cancelled');
    }),
  );

  test(
    'when there is a winner, but a loser has not ended: the winner is discarded',
    virtualTime(async () => {
      const log = new Log();
      const scope = moveOnAfter(350);
      await scope.run(() => log.run(deaf(fails('a', 400)), succeeds('b', 50)));
      expect(scope.cancelledCaught).toBe(true);
      expect(log.events.slice(2)).toEqual(['300 b succeeds', '400 a fails', '400 b is discarded']);
    }),
  );

  test(
    'after',
    virtualTime(async () => {
      const log = new Log();
      const scope = new CancelScope();
      const winner = await scope.run(async () => {
        const name = await log.run(succeeds('a', 10));
        scope.cancel();
        return name;
      });
      expect(winner).toBe('a');
      expect(scope.cancelledCaught).toBe(false);
    }),
  );
});

test('whatever the schedule, and also when everything happens at once: one winner, and nothing left over', async () => {
  for (let seed = 0; seed < 50; seed++) {
    await fuzzSchedule(seed, async () => {
      const log = new Log();
      const winner = await log.run(
        succeeds('a', 500),
        succeeds('b', 250),
        deaf(succeeds('c', 0)),
        succeeds('d', 0),
        fails('e', 0),
      );
      expect([...log.running]).toEqual([]);
      const ended = (how: string): string[] =>
        log.events.filter((event) => event.endsWith(how)).map((event) => event.split(' ')[1]!);
      expect(ended('succeeds').toSorted()).toEqual([winner, ...ended('is discarded')].toSorted());
    });
  }
});
