import { describe, expect, test } from 'vitest';

import {
  checkBoolean,
  checkCount,
  checkFunction,
  checkName,
  checkOptions,
  checkSignal,
  checkTime,
  describe as shown,
  isThenable,
} from './arguments.js';

/** Nothing thrown counts as undefined. */
function thrown(check: () => void): unknown {
  try {
    check();
  } catch (error) {
    return error;
  }
  return undefined;
}

describe('how a value is shown', () => {
  test.each([
    [undefined, 'undefined'],
    [null, 'null'],
    [5, '5'],
    [-0.5, '-0.5'],
    [Number.NaN, 'NaN'],
    [true, 'true'],
    [10n, '10'],
    [Symbol('tea'), 'Symbol(tea)'],
    ['tea', '"tea"'],
    ['"', '"\\""'],
    ['x'.repeat(41), `"${'x'.repeat(40)}…"`],
    ['x'.repeat(40), `"${'x'.repeat(40)}"`],
    [function brew() {}, 'function brew'],
    [() => {}, 'a function'],
    [class Kettle {}, 'function Kettle'],
    [[1, 2], 'an array'],
    [Promise.resolve(), 'a Promise'],
    [{}, 'an object'],
    [new Date(), 'an object'],
  ])('%o', (value, expected) => {
    expect(shown(value)).toBe(expected);
  });

  test('never calls code of the value', () => {
    const trap = {
      toString: () => expect.unreachable(),
      toJSON: () => expect.unreachable(),
      get message() {
        return expect.unreachable();
      },
    };
    expect(shown(trap)).toBe('an object');
  });

  test('also what cannot be looked at', () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    const callable = Proxy.revocable(() => {}, {});
    revoke();
    callable.revoke();
    expect(shown(proxy)).toBe('an object');
    expect(shown(callable.proxy)).toBe('a function');
  });
});

describe('functions', () => {
  test('pass', () => {
    expect(thrown(() => checkFunction('f()', 'body', () => {}))).toBeUndefined();
    expect(thrown(() => checkFunction('f()', 'body', class {}))).toBeUndefined();
  });

  test.each([undefined, null, 5, 'tea', {}, []])('%o does not', (value) => {
    expect(thrown(() => checkFunction('f()', 'body', value))).toEqual(
      new TypeError(`f(): body must be a function, got ${shown(value)}`),
    );
  });

  test('a promise does not, and the message names the cure', () => {
    expect(thrown(() => checkFunction('f()', 'body', Promise.resolve()))).toEqual(
      new TypeError(
        'f(): body must be a function, got a Promise. Pass the function itself rather than the promise that ' +
          'calling it gave: `() => work(x)` instead of `work(x)`',
      ),
    );
  });
});

describe('times', () => {
  test.each([0, -1, 0.5, Infinity, -Infinity, 2 ** 60])('%d passes', (value) => {
    expect(thrown(() => checkTime('f()', 'ms', value))).toBeUndefined();
  });

  test.each([undefined, null, '5', 5n, new Date()])('%o is no number', (value) => {
    expect(thrown(() => checkTime('f()', 'ms', value))).toEqual(
      new TypeError(`f(): ms must be a number of milliseconds, got ${shown(value)}`),
    );
  });

  test('NaN is out of range', () => {
    expect(thrown(() => checkTime('f()', 'ms', Number.NaN))).toEqual(
      new RangeError('f(): ms must be a number of milliseconds, got NaN'),
    );
  });
});

describe('counts', () => {
  test.each([
    [1, 1],
    [0, 0],
    [5, 1],
    [Infinity, 1],
  ])('%d passes where at least %d is wanted', (value, least) => {
    expect(thrown(() => checkCount('f()', 'n', value, least))).toBeUndefined();
  });

  test.each([undefined, null, '5', 5n, 1.5, -0.5])('%o is the wrong kind of thing', (value) => {
    expect(thrown(() => checkCount('f()', 'n', value, 0))).toEqual(
      new TypeError(`f(): n must be a whole number or Infinity, got ${shown(value)}`),
    );
  });

  test.each([0, -1, -Infinity, Number.NaN])('%d is out of range', (value) => {
    expect(thrown(() => checkCount('f()', 'n', value, 1))).toEqual(
      new RangeError(`f(): n must be at least 1, got ${value}`),
    );
  });
});

test('booleans are true or false', () => {
  expect(thrown(() => checkBoolean('f()', 'shield', true))).toBeUndefined();
  expect(thrown(() => checkBoolean('f()', 'shield', false))).toBeUndefined();
  for (const value of [undefined, null, 0, 'true']) {
    expect(thrown(() => checkBoolean('f()', 'shield', value))).toEqual(
      new TypeError(`f(): shield must be a boolean, got ${shown(value)}`),
    );
  }
});

test('options are an object or absent', () => {
  expect(thrown(() => checkOptions('f()', undefined))).toBeUndefined();
  expect(thrown(() => checkOptions('f()', {}))).toBeUndefined();
  for (const value of [null, 5, 'tea', true, () => {}]) {
    expect(thrown(() => checkOptions('f()', value))).toEqual(
      new TypeError(`f(): options must be an object, got ${shown(value)}`),
    );
  }
});

test('for a bare string or number instead of options, the message says what is meant, if the function tells', () => {
  for (const [value, cure] of [
    [5, '. Write { size: 5 }'],
    ['tea', '. Write { size: "tea" }'],
    [null, ''],
    [true, ''],
    [() => {}, ''],
  ] as const) {
    expect(thrown(() => checkOptions('f()', value, 'size'))).toEqual(
      new TypeError(`f(): options must be an object, got ${shown(value)}${cure}`),
    );
  }
});

test('names are strings or absent', () => {
  expect(thrown(() => checkName('f()', undefined))).toBeUndefined();
  expect(thrown(() => checkName('f()', ''))).toBeUndefined();
  for (const value of [null, 5, {}]) {
    expect(thrown(() => checkName('f()', value))).toEqual(
      new TypeError(`f(): options.name must be a string, got ${shown(value)}`),
    );
  }
});

test('signals are told by their methods, or absent', () => {
  const duckSignal = { aborted: false, addEventListener() {}, removeEventListener() {} };
  expect(thrown(() => checkSignal('f()', undefined))).toBeUndefined();
  expect(thrown(() => checkSignal('f()', new AbortController().signal))).toBeUndefined();
  expect(thrown(() => checkSignal('f()', duckSignal))).toBeUndefined();
  for (const value of [
    null,
    5,
    {},
    new AbortController(),
    { ...duckSignal, aborted: 'no' },
    { ...duckSignal, addEventListener: undefined },
    { ...duckSignal, removeEventListener: undefined },
  ]) {
    expect(thrown(() => checkSignal('f()', value))).toEqual(
      new TypeError(`f(): options.signal must be an AbortSignal, got ${shown(value)}`),
    );
  }
});

test('thenables are what has a then()', () => {
  // oxlint-disable unicorn/no-thenable -- that is what is tested
  expect(isThenable(Promise.resolve())).toBe(true);
  expect(isThenable({ then() {} })).toBe(true);
  expect(isThenable(Object.assign(() => {}, { then() {} }))).toBe(true);
  for (const value of [undefined, null, 5, 'then', {}, { then: 5 }, () => {}])
    expect(isThenable(value)).toBe(false);
  // oxlint-enable unicorn/no-thenable
});
