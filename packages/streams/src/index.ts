/**
 * Streams between tasks: memory object streams, selection, watched values, producers, and a
 * publish/subscribe router; byte and text streams; and bridges to the streams of the platform.
 *
 * @packageDocumentation
 */

export type {
  AnyByteReceiveStream,
  AnyByteSendStream,
  AnyByteStream,
  ByteReceiveStream,
  ByteSendStream,
  ByteStream,
  ObjectReceiveStream,
  ObjectSendStream,
  ObjectStream,
} from './object-stream.js';
export {
  createMemoryObjectStream,
  MemoryObjectReceiveStream,
  MemoryObjectSendStream,
  type MemoryObjectStreamOptions,
  type MemoryObjectStreamStatistics,
  type Permit,
  type TryReceived,
} from './memory-object-stream.js';
export { onTimeout, select, type Selected } from './select.js';
export { createWatch, WatchReceiver, WatchSender } from './watch.js';
export { fromAsyncIterable, merge, produce, type ProduceOptions } from './from-async-iterable.js';
export {
  MessageRouter,
  Subscription,
  type MessageRouterOptions,
  type MessageRouterStatistics,
  type Overflow,
  type SubscribeOptions,
  type SubscriptionStatistics,
} from './message-router.js';
export { StapledByteStream, StapledObjectStream } from './stapled.js';
export { BufferedByteReceiveStream, BufferedByteStream } from './buffered.js';
export { TextReceiveStream, TextSendStream, TextStream, type TextOptions } from './text.js';
export type { TextErrors } from './text-codec.js';
export {
  fromReadableStream,
  fromWritableStream,
  toReadableStream,
  toWritableStream,
  type BridgeOptions,
} from './web-streams.js';
export {
  fromNodeReadable,
  fromNodeWritable,
  toNodeReadable,
  type NodeReadable,
  type NodeReadableOptions,
  type NodeReadableSource,
  type NodeStreamLike,
  type NodeWritableSink,
} from './node-streams.js';
