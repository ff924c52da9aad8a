import { moveOnAfter, sleep, taskGroup } from '@taskscope/core';
import { MessageRouter } from '@taskscope/streams';
import { virtualTime } from '@taskscope/testing';
import { expect, test } from 'vitest';
import { Findings, type Progress } from './findings.js';
import { progressLine, showProgress } from './progress.js';

test(
  'draws again and again, and leaves nothing behind',
  virtualTime(async () => {
    const written: string[] = [];
    const terminal = { write: (text: string) => written.push(text), columns: 20 };
    const router = new MessageRouter<Progress>({ bufferSize: 1, overflow: 'drop-oldest' });
    const news = router.subscribe();
    await moveOnAfter(250, () =>
      taskGroup(async (tg) => {
        tg.startSoon(showProgress, news, terminal);
        const findings = new Findings();
        for (let i = 0; i < 70; i++) {
          await sleep(3);
          findings.addFile({ path: `${i}`, size: 1, identity: undefined });
          await router.publish(findings.progress());
        }
      }),
    );
    expect(written).toEqual([
      '\r\u001B[K0.0 s  ·  0 files f',
      '\r\u001B[K0.1 s  ·  33 files ',
      '\r\u001B[K0.2 s  ·  66 files ',
      '\r\u001B[K',
    ]);
    expect(router.statistics()).toMatchObject({ subscribers: 0, published: 70 });
  }),
);

test('says how far things are', () => {
  const findings = new Findings();
  const file = { path: '/a', size: 1_500_000, identity: undefined };
  for (let i = 0; i < 1234; i++) findings.addFile(file, { candidates: 1 });
  expect(progressLine(findings.progress(), 0)).toBe(
    '0.0 s  ·  1,234 files found  ·  0 of 1,234 read  ·  0 duplicates, 0 B',
  );
  findings.addHash(file, 'x');
  findings.addHash(file, 'x');
  findings.addUnreadable('/a', new Error('x'));
  expect(progressLine(findings.progress(), 61_000)).toBe(
    '1 min 1 s  ·  1,234 files found  ·  2 of 1,234 read  ·  1 duplicate, 1.5 MB  ·  1 unreadable',
  );
});
