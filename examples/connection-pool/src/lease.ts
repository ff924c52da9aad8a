/** What the borrower of a connection holds. */

import { InvalidStateError } from '@taskscope/core';

/**
 * A connection on loan. Give it back by `using`, or by `release()` in a `finally`; a second time does
 * nothing.
 */
export class Lease<C> implements Disposable {
  readonly #connection: C;
  #giveBack: ((isBroken: boolean) => void) | undefined;

  constructor(connection: C, giveBack: (isBroken: boolean) => void) {
    this.#connection = connection;
    this.#giveBack = giveBack;
  }

  /** @throws InvalidStateError when it was given back: somebody else may be using it by now. */
  get connection(): C {
    if (this.#giveBack === undefined) throw new InvalidStateError('this connection was given back already');
    return this.#connection;
  }

  /** Gives the connection back. Does not wait. */
  release(): void {
    this.#end(false);
  }

  /** Gives it back to be closed: nobody shall use it again. Does not wait. */
  discard(): void {
    this.#end(true);
  }

  [Symbol.dispose](): void {
    this.release();
  }

  #end(isBroken: boolean): void {
    const giveBack = this.#giveBack;
    this.#giveBack = undefined;
    giveBack?.(isBroken);
  }
}
