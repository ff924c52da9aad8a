/**
 * What is pooled here: connections to a toy database, which answers each line with a line.
 *
 * Of interest is how a query is cancelled. The server does not know of it and answers all the same, and that
 * answer would be taken for the one to the next query. So a connection that was left in the middle of a query
 * is destroyed, and the pool opens another.
 */

import { once } from 'node:events';
import { createConnection, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { BrokenResourceError, detached, withSignal, type WaitOptions } from '@taskscope/core';
import { suspend } from '@taskscope/core/lowlevel';

interface Answer {
  resolve(line: string): void;
  reject(error: unknown): void;
}

export class DatabaseConnection {
  readonly #socket: Socket;
  /** Whoever waits for a line. One at a time. */
  #answer: Answer | undefined;
  #error: unknown = new BrokenResourceError('the database has closed the connection');

  /** Connects, and waits until the server is ready. Cancelled: no socket is left. */
  static async open(port: number, options?: WaitOptions): Promise<DatabaseConnection> {
    // The socket outlives the task that opens it, so its events must not belong to that task.
    const connection = detached(() => new DatabaseConnection(createConnection(port, '127.0.0.1')));
    await connection.#readLine(options);
    return connection;
  }

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('error', (error) => (this.#error = error));
    socket.on('close', () => this.#answer?.reject(this.#error));
    createInterface({ input: socket })
      .on('error', () => {}) // The error of the socket, once more.
      .on('line', (line) => this.#answer?.resolve(line));
  }

  /** False once it was closed by either side, and after a query that was cancelled. */
  get isUsable(): boolean {
    return !this.#socket.destroyed;
  }

  /** One query at a time. Cancelled: the connection is destroyed. */
  async query(text: string, options?: WaitOptions): Promise<string> {
    if (!this.isUsable) throw this.#error;
    const answer = this.#readLine(options);
    this.#socket.write(`${text}\n`);
    return answer;
  }

  /** Says goodbye. Waits until the server has closed the connection. Cancelled: it is destroyed. */
  async close(options?: WaitOptions): Promise<void> {
    if (!this.isUsable) return;
    try {
      this.#socket.end('bye\n');
      await withSignal((signal) => once(this.#socket, 'close', { signal }), options);
    } finally {
      this.#socket.destroy();
    }
  }

  #readLine(options: WaitOptions | undefined): Promise<string> {
    return suspend<string>(
      (resolve, reject) => {
        this.#answer = { resolve, reject };
        return () => this.#socket.destroy();
      },
      { ...options, label: 'the database', foreign: true },
    );
  }
}
