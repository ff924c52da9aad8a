/** The plain model of a memory object stream: by the book, with an array for each queue. */

import type { Model } from '../../sync/src/model.fixture.js';

export class PlainStream implements Model {
  readonly operations: string[] = [];
  readonly values: unknown[] = [];
  readonly size: number;
  readonly buffer: number[] = [];
  readonly dropped: number[] = [];
  readonly sendEnds: boolean[] = [true];
  readonly receiveEnds: boolean[] = [true];
  /** Who waits to send: an item, or, without one, a permit. */
  senders: { operation: number; end: number; item?: number }[] = [];
  receivers: { operation: number; end: number; wants: 'one' | 'many' | 'step' }[] = [];
  /** Those who have received one item, and take more of them when they go on. */
  readonly wantMore: number[] = [];
  /** By operation: the end that it is for. */
  readonly permits = new Map<number, number>();
  peak = 0;
  nextItem = 0;

  constructor(size: number) {
    this.size = size;
  }

  get isOver(): boolean {
    return !this.sendEnds.includes(true);
  }

  get isBroken(): boolean {
    return !this.receiveEnds.includes(true);
  }

  get hasRoom(): boolean {
    return this.buffer.length + this.permits.size < this.size + this.receivers.length;
  }

  get hasItem(): boolean {
    if (this.buffer.length > 0) return true;
    const [first] = this.senders;
    return first?.item !== undefined && (this.permits.size === 0 || this.receivers.length === 0);
  }

  begin(): number {
    this.values.push(undefined);
    return this.operations.push('pending') - 1;
  }

  done(operation: number, value?: unknown): void {
    this.operations[operation] = 'done';
    this.values[operation] = value;
  }

  sendError(end: number): string | undefined {
    if (!this.sendEnds[end]) return 'ClosedResourceError';
    return this.isBroken ? 'BrokenResourceError' : undefined;
  }

  put(item: number): void {
    const receiver = this.receivers.shift();
    if (receiver !== undefined) return this.deliver(receiver.operation, receiver.wants, item);
    this.buffer.push(item);
    this.peak = Math.max(this.peak, this.buffer.length);
  }

  deliver(operation: number, wants: 'one' | 'many' | 'step', item: number): void {
    if (wants === 'many') this.wantMore.push(operation);
    this.done(operation, wants === 'many' ? [item] : wants === 'step' ? { done: false, value: item } : item);
  }

  take(): number {
    const item = this.buffer.shift();
    if (item !== undefined) {
      this.admit();
      return item;
    }
    const sender = this.senders.shift()!;
    this.done(sender.operation);
    return sender.item!;
  }

  admit(): void {
    while (this.hasRoom && this.senders.length > 0) {
      const { operation, end, item } = this.senders.shift()!;
      if (item === undefined) {
        this.permits.set(operation, end);
        this.done(operation, 'a permit');
      } else {
        this.put(item);
        this.done(operation);
      }
    }
  }

  send(end: number, item: number): void {
    const operation = this.begin();
    const error = this.sendError(end);
    if (error !== undefined) this.operations[operation] = error;
    else if (this.hasRoom) {
      this.put(item);
      this.done(operation);
    } else this.senders.push({ operation, end, item });
  }

  sendNowait(end: number, item: number): string {
    const error = this.sendError(end);
    if (error !== undefined) return error;
    if (!this.hasRoom) return 'WouldBlock';
    this.put(item);
    return 'done';
  }

  reserve(end: number): void {
    const operation = this.begin();
    const error = this.sendError(end);
    if (error !== undefined) this.operations[operation] = error;
    else if (this.hasRoom) {
      this.permits.set(operation, end);
      this.done(operation, 'a permit');
    } else this.senders.push({ operation, end });
  }

  usePermit(operation: number, item: number): string {
    const error = this.sendError(this.permits.get(operation)!);
    if (error !== undefined) return error;
    this.permits.delete(operation);
    this.put(item);
    return 'done';
  }

  disposePermit(operation: number): void {
    this.permits.delete(operation);
    this.admit();
  }

  receive(end: number, wants: 'one' | 'many' | 'step'): void {
    const operation = this.begin();
    if (!this.receiveEnds[end]) this.operations[operation] = 'ClosedResourceError';
    else if (this.hasItem) {
      this.deliver(operation, wants, this.take());
    } else if (this.isOver) this.end(operation, wants);
    else {
      this.receivers.push({ operation, end, wants });
      this.admit();
    }
  }

  goOn(): void {
    for (const operation of this.wantMore.splice(0)) {
      const items = this.values[operation] as number[];
      while (items.length < 3 && this.hasItem) items.push(this.take());
    }
  }

  receiveNowait(end: number): string {
    if (!this.receiveEnds[end]) return 'ClosedResourceError';
    if (this.hasItem) return `done ${this.take()}`;
    return this.isOver ? 'EndOfStream' : 'WouldBlock';
  }

  end(operation: number, wants: 'one' | 'many' | 'step'): void {
    if (wants === 'step') this.done(operation, { done: true, value: undefined });
    else this.operations[operation] = 'EndOfStream';
  }

  cancel(operation: number): void {
    this.operations[operation] = 'Cancelled';
    this.senders = this.senders.filter((each) => each.operation !== operation);
    this.receivers = this.receivers.filter((each) => each.operation !== operation);
  }

  closeSend(end: number): void {
    if (!this.sendEnds[end]) return;
    this.sendEnds[end] = false;
    for (const each of this.senders.filter((sender) => sender.end === end)) {
      this.operations[each.operation] = 'ClosedResourceError';
    }
    this.senders = this.senders.filter((each) => each.end !== end);
    if (!this.isOver) return;
    for (const { operation, wants } of this.receivers.splice(0)) this.end(operation, wants);
  }

  closeReceive(end: number): void {
    if (!this.receiveEnds[end]) return;
    this.receiveEnds[end] = false;
    for (const each of this.receivers.filter((receiver) => receiver.end === end)) {
      this.operations[each.operation] = 'ClosedResourceError';
    }
    this.receivers = this.receivers.filter((each) => each.end !== end);
    if (!this.isBroken) return;
    for (const { operation } of this.senders.splice(0)) this.operations[operation] = 'BrokenResourceError';
    this.dropped.push(...this.buffer.splice(0));
  }
}
