/** Making tasks take turns. */

import { checkpoint, InvalidStateError } from '@taskscope/core';
import { ParkingLot } from '@taskscope/core/lowlevel';

import { checkWhole } from './arguments.js';

/**
 * Lets pieces of code in different tasks happen in a given order. Each takes a position of its own, from 0;
 * a position begins when the one before it has been disposed of.
 *
 * Semantics: Trio's `Sequencer`.
 *
 * @example
 * ```ts
 * import { taskGroup } from '@taskscope/core';
 * import { Sequencer } from '@taskscope/testing';
 * import assert from 'node:assert/strict';
 *
 * const order: string[] = [];
 * const sequencer = new Sequencer();
 * const say = async (position: number, word: string): Promise<void> => {
 *   const turn = await sequencer.at(position);
 *   order.push(word);
 *   turn[Symbol.dispose]();
 * };
 * await taskGroup((tg) => {
 *   tg.startSoon(say, 1, 'world');
 *   tg.startSoon(say, 0, 'hello');
 * });
 * assert.deepEqual(order, ['hello', 'world']);
 * ```
 */
export class Sequencer {
  readonly #taken = new Set<number>();
  readonly #waiting = new Map<number, ParkingLot>();
  #turn = 0;
  #isBroken = false;

  /**
   * Waits for the turn of `position`. Dispose of the result to let the next one begin.
   *
   * Cancelled while it waits: rejects, and the sequence is broken for everyone, since a turn is missing.
   *
   * @param position - A whole number from 0, used once.
   * @throws InvalidStateError when the position was taken before, or the sequence is broken; Cancelled when
   * the scope is cancelled; TypeError or RangeError when `position` is no such number.
   */
  async at(position: number): Promise<Disposable> {
    checkWhole('Sequencer.at()', 'position', position);
    if (this.#taken.has(position)) {
      throw new InvalidStateError(
        `Sequencer.at(): position ${position} was taken before, and each is taken once`,
      );
    }
    if (this.#isBroken) throw broken();
    this.#taken.add(position);
    try {
      if (position === this.#turn) {
        await checkpoint();
      } else {
        const lot = new ParkingLot();
        this.#waiting.set(position, lot);
        await lot.park({ label: `turn ${position} of a sequencer` });
      }
    } catch (error) {
      this.#break();
      throw error;
    } finally {
      this.#waiting.delete(position);
    }
    return { [Symbol.dispose]: () => this.#end(position) };
  }

  #end(position: number): void {
    if (position !== this.#turn) return;
    this.#turn++;
    this.#waiting.get(this.#turn)?.unpark();
  }

  #break(): void {
    this.#isBroken = true;
    for (const lot of this.#waiting.values()) lot.breakLot(broken());
  }
}

function broken(): InvalidStateError {
  return new InvalidStateError('the sequence is broken: a task that waited for its turn was cancelled');
}
