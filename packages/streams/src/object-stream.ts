/** What all streams of objects have in common. */

import type { WaitOptions } from '@taskscope/core';

/** Where objects are sent. */
export interface ObjectSendStream<T> extends AsyncDisposable {
  /** Waits until the item has been taken, or there is room for it. */
  send(item: T, options?: WaitOptions): Promise<void>;
  /** Says that no more will be sent. */
  aclose(): Promise<void>;
}

/** Where objects are received. */
export interface ObjectReceiveStream<T> extends AsyncIterable<T>, AsyncDisposable {
  /** Waits for an item. Rejects with EndOfStream when there will be none. */
  receive(options?: WaitOptions): Promise<T>;
  /** Says that no more will be received. */
  aclose(): Promise<void>;
}

/** Both directions. */
export interface ObjectStream<T> extends ObjectSendStream<T>, ObjectReceiveStream<T> {
  /** Says that no more will be sent, and goes on receiving. */
  sendEof(): Promise<void>;
}

/** Where bytes are sent. */
export interface ByteSendStream extends AsyncDisposable {
  /** Waits until all bytes have been taken. */
  send(bytes: Uint8Array, options?: WaitOptions): Promise<void>;
  aclose(): Promise<void>;
}

/** Where bytes are received. */
export interface ByteReceiveStream extends AsyncIterable<Uint8Array>, AsyncDisposable {
  /** Tells it from a stream of objects that happen to be bytes, which cannot be asked for fewer. */
  readonly type: 'bytes';
  /**
   * Waits for at least one byte, and takes at most `maxBytes`. Rejects with EndOfStream when there will be
   * none.
   */
  receive(maxBytes?: number, options?: WaitOptions): Promise<Uint8Array>;
  aclose(): Promise<void>;
}

/** Both directions. */
export interface ByteStream extends ByteSendStream, ByteReceiveStream {
  /** Says that no more will be sent, and goes on receiving. */
  sendEof(): Promise<void>;
}

/** Whatever bytes can be received from. */
export type AnyByteReceiveStream = ByteReceiveStream | ObjectReceiveStream<Uint8Array>;

/** Whatever bytes can be sent into. */
export type AnyByteSendStream = ByteSendStream | ObjectSendStream<Uint8Array>;

/** Whatever takes and gives bytes. */
export type AnyByteStream = ByteStream | ObjectStream<Uint8Array>;
