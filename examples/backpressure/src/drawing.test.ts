import { currentTime, sleep, taskGroup } from '@taskscope/core';
import { createWatch } from '@taskscope/streams';
import { virtualTime } from '@taskscope/testing';
import { expect, test } from 'vitest';
import { bar, drawBars, printLines } from './drawing.js';
import { Experiment } from './experiment.js';

const pace = { items: 4, produceEvery: 100, consumeEvery: 1_000 };

/** What is written while two experiments run, with the times. */
async function show(draw: typeof drawBars): Promise<[number, string][]> {
  const written: [number, string][] = [];
  const experiments = [new Experiment('bounded', 1), new Experiment('unbounded', Infinity)];
  const [change, changes] = createWatch(0);
  const output = { write: (text: string) => written.push([currentTime(), text]), columns: 120 };
  await taskGroup(async (tg) => {
    tg.startSoon(draw, experiments, changes, output);
    await taskGroup((all) => {
      for (const experiment of experiments) {
        all.startSoon(() => experiment.run(pace, () => change.set(change.value + 1)));
      }
    });
    change.close();
  });
  return written;
}

test(
  'draws in the same place, when something has changed',
  virtualTime(async () => {
    const frames = await show(drawBars);
    const times = frames.map(([time]) => time);
    // What changes within 40 ms is drawn together; when nothing changes, nothing is drawn.
    for (const [index, time] of times.slice(1).entries()) {
      expect(time - times[index]!).toBeGreaterThanOrEqual(40);
    }
    expect(times.some((time) => time > 450 && time < 1_000)).toBe(false);
    expect(times.at(-1)).toBeGreaterThanOrEqual(4_100);
    expect(frames[0]![1]).not.toContain('\u001B[2A');
    for (const [, frame] of frames.slice(1)) expect(frame.startsWith('\u001B[2A')).toBe(true);
    const lines = ([, frame]: [number, string]): string[] =>
      frame.replace('\u001B[2A', '').replaceAll('\u001B[K', '').replaceAll(/ +/g, ' ').trimEnd().split('\n');
    const at300 = lines(frames.findLast(([time]) => time < 350)!);
    expect(at300).toEqual(['bounded █ 1 of 1 3 made, 0 used waits', 'unbounded ██ 2 3 made, 0 used']);
    expect(lines(frames.at(-1)!)).toEqual([
      'bounded ░ 0 of 1 4 made, 4 used done',
      'unbounded 0 4 made, 4 used done',
    ]);
  }),
);

test(
  'prints lines, now and then',
  virtualTime(async () => {
    const lines = await show(printLines);
    expect(lines.slice(0, 3)).toEqual([
      [0, '0.00 s  bounded 0 of 1  unbounded 0\n'],
      [250, '0.25 s  bounded 1 of 1  unbounded 1\n'],
      [500, '0.50 s  bounded 1 of 1 (waits)  unbounded 3\n'],
    ]);
    expect(lines.at(-1)![1]).toMatch(/bounded 0 of 1 \(done\) {2}unbounded 0 \(done\)\n$/);
  }),
);

test(
  'a bar has room on a terminal of 80 columns, however much there is',
  virtualTime(async () => {
    const experiments = [0, 10, 500, Infinity].map((size) => new Experiment('rendezvous', size));
    await taskGroup(async (tg) => {
      for (const experiment of experiments) {
        tg.startSoon(() => experiment.run({ items: 999, produceEvery: 1, consumeEvery: 1e9 }, () => {}));
      }
      await sleep(2_000);
      for (const experiment of experiments) expect(bar(experiment).length).toBeLessThan(80);
      expect(bar(experiments[3]!)).toContain('█▶');
      tg.cancel();
    });
  }),
);
