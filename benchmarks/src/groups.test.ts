import { describe, expect, test } from 'vitest';

import { runOnce, WrongResult } from './check.js';
import { groups } from './groups/index.js';
import { growths, SIZES } from './growth/workloads.js';
import { bareScopes } from './peers/bare-scopes.js';
import { native } from './peers/native.js';
import { taskscope } from './peers/taskscope.js';

describe.each(groups.map((group) => ({ title: group.title, group })))('$title', ({ group }) => {
  for (const workload of group.workloads) {
    for (const [index, contender] of workload.tiny().contenders.entries()) {
      test(`${workload.name}: ${contender.peer.name}`, async () => {
        // Throws if the result is wrong.
        await runOnce(workload.tiny(), workload.tiny().contenders[index]!);
      });
    }
  }
});

describe.each(growths)('$title', ({ at }) => {
  for (const [index, contender] of at(5).contenders.entries()) {
    test(`five: ${contender.peer.name}`, async () => {
      const workload = at(5);
      await runOnce(workload, workload.contenders[index]!);
    });
  }
});

test('each size of what grows has a name of its own', () => {
  for (const { at } of growths) expect(new Set(SIZES.map((size) => at(size).name)).size).toBe(SIZES.length);
});

test('taskscope comes first, then the floor, and then bare scopes, where they take part', () => {
  for (const { workloads } of groups) {
    for (const { contenders } of workloads) {
      const peers = contenders.map(({ peer }) => peer);
      expect(peers.slice(0, 2)).toEqual([taskscope, native]);
      expect([-1, 2]).toContain(peers.indexOf(bareScopes));
    }
  }
});

test('a wrong result is reported', async () => {
  const workload = groups[0]!.workloads[0]!.tiny();
  const wrong = { ...workload, expected: -1 };
  await expect(runOnce(wrong, wrong.contenders[0]!)).rejects.toThrow(WrongResult);
});
