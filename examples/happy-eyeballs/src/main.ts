/** Connects to a host, and says which of its addresses won, and when. See README.md for what to look at. */

import type { Socket } from 'node:net';
import { currentTime, flattenErrors, isCancelled } from '@taskscope/core';
import { Command, InvalidArgumentError } from 'commander';
import type { Address } from './addresses.js';
import { connect, openSocket } from './connect.js';

interface Options {
  readonly attemptDelay: number;
  readonly timeout: number;
}

const command = new Command('happy-eyeballs')
  .description('Connects to the address of a host that answers first (RFC 8305), and tells how that went.')
  .argument('<host>', 'a name or an address')
  .argument('<port>', 'a TCP port', wholeNumber)
  .option('-d, --attempt-delay <ms>', 'how long an attempt has before the next one begins', wholeNumber, 250)
  .option('-t, --timeout <ms>', 'how long everything may take', wholeNumber, 10_000)
  .showHelpAfterError('(--help shows what is possible)')
  .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : 2))
  .action(main);

function wholeNumber(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value)) {
    throw new InvalidArgumentError('Give a whole number.');
  }
  return value;
}

async function main(host: string, port: number, options: Options): Promise<void> {
  const began = currentTime();
  const tell = (who: string, what: string): void => {
    console.log(`${(currentTime() - began).toFixed(0).padStart(6)} ms  ${who.padEnd(15)}  ${what}`);
  };

  /** One attempt, with a running commentary. */
  async function attempt(address: Address, toPort: number): Promise<Socket> {
    tell(address.address, 'trying');
    try {
      const socket = await openSocket(address, toPort);
      tell(address.address, 'connected');
      return socket;
    } catch (error) {
      tell(address.address, isCancelled(error) ? 'cancelled' : `failed: ${message(error)}`);
      throw error;
    }
  }

  try {
    const socket = await connect(host, port, { ...options, attempt });
    tell(socket.remoteAddress ?? host, 'has won');
    socket.destroy();
  } catch (error) {
    console.error(`No connection to ${host}, port ${port}: ${flattenErrors(error).map(message).join('; ')}`);
    process.exitCode = 1;
  }
}

function message(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

await command.parseAsync();
