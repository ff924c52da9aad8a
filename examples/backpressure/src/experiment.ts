/** A fast producer, a slow consumer, and a stream in between. */

import { currentTime, sleep, taskGroup } from '@taskscope/core';
import {
  createMemoryObjectStream,
  type MemoryObjectReceiveStream,
  type MemoryObjectSendStream,
  type MemoryObjectStreamStatistics,
} from '@taskscope/streams';

export interface Pace {
  readonly items: number;
  /** How long it takes to make an item, and to use one, in milliseconds. */
  readonly produceEvery: number;
  readonly consumeEvery: number;
}

export class Experiment {
  readonly name: string;
  produced = 0;
  consumed = 0;
  /** For how long the producer had an item that it could not get rid of, in milliseconds. */
  waited = 0;
  /** How long it took until the producer, and until everything, was done. */
  producerDone: number | undefined;
  done: number | undefined;

  readonly #send: MemoryObjectSendStream<number>;
  readonly #receive: MemoryObjectReceiveStream<number>;

  /** With a buffer of size 0, a producer waits until the consumer takes the item; with Infinity, never. */
  constructor(name: string, bufferSize: number) {
    this.name = name;
    [this.#send, this.#receive] = createMemoryObjectStream<number>(bufferSize);
  }

  /** Waits until all items have been produced and consumed; once. Calls `onChange` each time it goes on. */
  async run({ items, produceEvery, consumeEvery }: Pace, onChange: () => void): Promise<void> {
    const began = currentTime();

    const produce = async (): Promise<void> => {
      // Closing it ends the consumer's loop.
      using send = this.#send;
      for (let item = 0; item < items; item++) {
        await sleep(produceEvery);
        this.produced++;
        const ready = currentTime();
        const sending = send.send(item);
        onChange();
        await sending;
        this.waited += currentTime() - ready;
      }
      this.producerDone = currentTime() - began;
    };

    const consume = async (): Promise<void> => {
      for await (const _ of this.#receive) {
        onChange();
        await sleep(consumeEvery);
        this.consumed++;
      }
    };

    await taskGroup((tg) => {
      tg.startSoon(produce);
      tg.startSoon(consume);
    });
    this.done = currentTime() - began;
    onChange();
  }

  statistics(): MemoryObjectStreamStatistics {
    return this.#send.statistics();
  }
}
