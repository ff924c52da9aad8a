/** In virtual time: the streams give, and take, what the test lets them. */

import { PassThrough, Readable, Writable } from 'node:stream';
import { currentTime, moveOnAfter, sleep, taskGroup, TimeoutError } from '@taskscope/core';
import { virtualTime, waitAllTasksBlocked } from '@taskscope/testing';
import { expect, test } from 'vitest';
import { copyBody } from './copy-body.js';

/** Takes one piece after another, when it is told to. */
class Slow extends Writable {
  readonly taken: string[] = [];
  #done: (() => void) | undefined;

  constructor() {
    super({ highWaterMark: 1 });
  }

  override _write(piece: Buffer, _encoding: unknown, done: () => void): void {
    this.taken.push(piece.toString());
    this.#done = done;
  }

  take(): void {
    this.#done?.();
  }
}

const from = <S>(stream: S, timeout: number | null = null) => ({ stream, name: 'the source', timeout });
const to = <S>(stream: S, timeout: number | null = null) => ({ stream, name: 'the sink', timeout });

test(
  'copies to the end',
  virtualTime(async () => {
    const sink = new PassThrough();
    await copyBody(from(Readable.from([Buffer.from('one'), Buffer.from('two')])), to(sink));
    expect(sink.writableFinished).toBe(true);
    expect(String(sink.read())).toBe('onetwo');
  }),
);

test(
  'nothing is read before there is room for it',
  virtualTime(async () => {
    let made = 0;
    const source = new Readable({ highWaterMark: 1, read: () => void source.push(`${++made}`) });
    const sink = new Slow();
    await moveOnAfter(1_000, async () => {
      await taskGroup(async (tg) => {
        tg.startSoon(() => copyBody(from(source), to(sink)));
        for (let i = 0; i < 5; i++) {
          await waitAllTasksBlocked();
          sink.take();
        }
        await waitAllTasksBlocked();
        // The source has no end: only for want of room does it not go on.
        expect(sink.taken.length).toBeLessThan(8);
        expect(made).toBeLessThan(50);
      });
    });
    // Cancelled: both are gone.
    expect([source.destroyed, sink.destroyed]).toEqual([true, true]);
  }),
);

test(
  'a source that takes too long',
  virtualTime(async () => {
    const source = new PassThrough();
    source.write('one');
    const copying = copyBody(from(source, 100), to(new PassThrough(), 50));
    await expect(copying).rejects.toThrow(new TimeoutError('the source timed out after 100 ms'));
    expect(currentTime()).toBe(100);
    expect(source.destroyed).toBe(true);
  }),
);

test(
  'the time of the source begins anew with each piece, and does not run while the sink is slow',
  virtualTime(async () => {
    const source = new PassThrough();
    const sink = new Slow();
    await taskGroup(async (tg) => {
      tg.startSoon(() => copyBody(from(source, 100), to(sink)));
      source.write('one');
      await sleep(90);
      source.write('two');
      // It stays in the sink for long.
      await sleep(1_000);
      sink.take();
      await sleep(1);
      sink.take();
      await sleep(90);
      source.end();
      await sleep(1);
    });
    expect(sink.taken).toEqual(['one', 'two']);
    expect(sink.writableFinished).toBe(true);
  }),
);

test(
  'a sink that takes too long',
  virtualTime(async () => {
    const source = Readable.from([Buffer.from('one'), Buffer.from('two'), Buffer.from('three')]);
    const copying = copyBody(from(source, 50), to(new Slow(), 100));
    await expect(copying).rejects.toThrow(new TimeoutError('the sink timed out after 100 ms'));
  }),
);

test(
  'a source that breaks off',
  virtualTime(async () => {
    const source = new PassThrough();
    const error = new Error('gone');
    queueMicrotask(() => source.destroy(error));
    await expect(copyBody(from(source), to(new PassThrough()))).rejects.toBe(error);
  }),
);
