import { expect, test } from 'vitest';
import { interpret } from './interpreter.js';
import type { Body, Program, Trace } from './language.js';

function program(parts: { main: Body; expected: Trace; objects?: Program['objects'] }): Program {
  return { id: 'test', seed: null, objects: {}, ...parts };
}

/**
 * A worker asks for a lock that `main` holds, gives up after 10 ms, and cleans up behind a shield; then its sibling
 * fails.
 */
const worked = program({
  objects: { lk: { type: 'lock' } },
  main: [
    {
      op: 'try',
      catch: 'group',
      handler: [{ op: 'log', label: 'one of them failed' }],
      body: [
        {
          op: 'group',
          id: 'g',
          body: [
            { op: 'acquire', object: 'lk' },
            {
              op: 'spawn',
              group: 'g',
              task: 'worker',
              body: [
                {
                  op: 'move_on_after',
                  id: 'patience',
                  ms: 10,
                  body: [
                    {
                      op: 'try',
                      body: [{ op: 'with', object: 'lk', body: [{ op: 'log', label: 'never' }] }],
                      finally: [{ op: 'scope', id: 'clean', shield: true, body: [{ op: 'sleep', ms: 5 }] }],
                    },
                  ],
                },
                { op: 'sleep', ms: 100 },
              ],
            },
            {
              op: 'spawn',
              group: 'g',
              task: 'sibling',
              body: [
                { op: 'sleep', ms: 40 },
                { op: 'raise', error: 'E1' },
              ],
            },
            { op: 'sleep', ms: 50 },
            { op: 'release', object: 'lk' },
          ],
        },
      ],
    },
  ],
  expected: {
    outcome: 'ok',
    end: 40,
    traces: {
      main: [
        [0, 'begin'],
        [0, 'acquire', 'lk'],
        [0, 'spawn', 'worker'],
        [0, 'spawn', 'sibling'],
        [40, 'cancelled', 'sleep'],
        [40, 'group_exit', 'g', { group: ['E1'] }],
        [40, 'caught', { group: ['E1'] }],
        [40, 'log', 'one of them failed'],
        [40, 'end', 'ok'],
      ],
      sibling: [
        [0, 'begin'],
        [40, 'sleep', 40],
        [40, 'raise', 'E1'],
        [40, 'end', 'E1'],
      ],
      worker: [
        [0, 'begin'],
        [10, 'cancelled', 'acquire', 'lk'],
        [15, 'sleep', 5],
        [15, 'scope_exit', 'clean', 'ok', false, false],
        [15, 'scope_exit', 'patience', 'ok', true, true],
        [40, 'cancelled', 'sleep'],
        [40, 'end', 'Cancelled'],
      ],
    },
  },
});

test('the worked example', async () => {
  expect(await interpret(worked)).toEqual(worked.expected);
});

test('the worked example, waiting for nothing instead of a lock', async () => {
  const { traces, ...rest } = worked.expected;
  const main = JSON.parse(JSON.stringify(worked.main), (_key, part: { op?: string }) => {
    if (part.op === 'acquire' || part.op === 'release') return { op: 'log', label: 'no lock' };
    return part.op === 'with' ? { op: 'sleep_forever' } : part;
  }) as Body;
  const expected = {
    ...rest,
    traces: {
      ...traces,
      main: traces['main']!.map((event) => (event[1] === 'acquire' ? [0, 'log', 'no lock'] : event)),
      worker: traces['worker']!.map((event) =>
        event[2] === 'acquire' ? [10, 'cancelled', 'sleep_forever'] : event,
      ),
    },
  };
  expect(await interpret({ ...worked, objects: {}, main })).toEqual(expected);
});
