import { moveOnAfter, sleep, taskGroup } from '@taskscope/core';
import { fuzzSchedule, virtualTime } from '@taskscope/testing';
import { expect, test } from 'vitest';
import { Experiment } from './experiment.js';

const pace = { items: 40, produceEvery: 20, consumeEvery: 80 };

async function finished(bufferSize: number, options = pace): Promise<Experiment> {
  const experiment = new Experiment('test', bufferSize);
  await experiment.run(options, () => {});
  return experiment;
}

test.each([
  // The consumer takes an item every 80 ms, from 20 ms on, so all are done after 20 + 40 × 80 ms.
  { bufferSize: 0, peak: 0, waited: 2_340, producerDone: 3_140 },
  { bufferSize: 10, peak: 10, waited: 1_540, producerDone: 2_340 },
  { bufferSize: Infinity, peak: 30, waited: 0, producerDone: 800 },
])('a buffer of $bufferSize', async ({ bufferSize, peak, waited, producerDone }) => {
  await virtualTime(async () => {
    const experiment = await finished(bufferSize);
    expect(experiment).toMatchObject({ produced: 40, consumed: 40, waited, producerDone, done: 3_220 });
    expect(experiment.statistics()).toMatchObject({
      currentBufferUsed: 0,
      peakBufferUsed: peak,
      openSendStreams: 0,
    });
  })();
});

test(
  'a producer that is slower than the consumer never waits',
  virtualTime(async () => {
    const experiment = await finished(0, { items: 5, produceEvery: 50, consumeEvery: 10 });
    expect(experiment).toMatchObject({ waited: 0, producerDone: 250, done: 260 });
  }),
);

test(
  'on the way',
  virtualTime(async () => {
    const experiment = new Experiment('test', 2);
    await moveOnAfter(150, () =>
      taskGroup(async (tg) => {
        tg.startSoon(() => experiment.run(pace, () => {}));
        await sleep(90);
        // Made at 20, 40, 60 and 80: one is being used, two are in the buffer, one waits for room.
        expect(experiment).toMatchObject({ produced: 4, consumed: 0, done: undefined });
        expect(experiment.statistics()).toMatchObject({ currentBufferUsed: 2, tasksWaitingSend: 1 });
        await sleep(30);
        expect(experiment).toMatchObject({ consumed: 1, waited: 20 });
      }),
    );
    expect(experiment.done).toBeUndefined();
  }),
);

test.each([1, 2, 3, 4, 5])('nothing is lost, whoever is first: schedule %i', async (seed) => {
  await fuzzSchedule(seed, async () => {
    const { produced, consumed } = await finished(3, { items: 50, produceEvery: 0, consumeEvery: 0 });
    expect([produced, consumed]).toEqual([50, 50]);
  });
});
