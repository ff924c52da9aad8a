/** An HTTP proxy, and some cases to see it at work. See README.md for what to look at. */

import { CancelScope, catchErrors, currentTime, race, run, taskGroup } from '@taskscope/core';
import { Event } from '@taskscope/sync';
import { CommanderError } from 'commander';
import { parseArguments, type Arguments } from './arguments.js';
import { demonstrate } from './demonstration.js';
import { interruptionEvent } from '../../interruption.js';
import { Proxy } from './proxy.js';
import { CannotListenError, serve } from '../../http-server.js';
import { Upstreams } from './upstreams.js';

async function main(args: Arguments, interrupted: Event): Promise<void> {
  let began = currentTime();
  const title = (text: string): void => {
    began = currentTime();
    console.log(`\n${text}`);
  };
  const tell = (who: string, what: string): void => {
    console.log(`${(currentTime() - began).toFixed(0).padStart(6)} ms  ${who.padEnd(9)} ${what}`);
  };

  using upstreams = await Upstreams.start(tell);
  const routes = new Map(
    Object.entries({
      steady: ['steady'],
      hedged: ['sluggish', 'steady'],
      failover: ['gone', 'steady'],
      sluggish: ['sluggish'],
      hanging: ['hanging'],
      broken: ['gone', 'broken'],
      stalling: ['stalling'],
      large: ['large'],
    }).map(([route, names]) => [route, names.map((name) => upstreams.get(name, args.timeout))]),
  );
  const proxy = new Proxy({ ...args, routes, tell });
  const closing = new Event();

  const scope = new CancelScope();
  await scope.run(() =>
    taskGroup(async (tg) => {
      const address = { host: '127.0.0.1', port: args.serve ?? 0 };
      const port = await tg.start(
        serve,
        (request, response) => proxy.handle(request, response),
        address,
        closing,
      );
      const url = `http://127.0.0.1:${port}`;
      if (args.serve === undefined) {
        await race([() => demonstrate({ url, upstreams, closing, title, tell }), () => interrupted.wait()]);
      } else {
        console.log(`The proxy is at ${url}/, with ${[...routes.keys()].join(', ')}. Ctrl-C ends.`);
        await interrupted.wait();
      }
      closing.set();
      // What is not answered by then is cancelled.
      scope.deadline = currentTime() + args.grace;
    }),
  );
  // Until they have noticed, too.
  await upstreams.busy.until((count) => count === 0);
  console.log(scope.cancelledCaught ? '\nSome requests were cut off.' : '\nNo request was cut off.');
}

try {
  const args = parseArguments(process.argv.slice(2));
  const interrupted = interruptionEvent();
  await catchErrors(
    () => run(() => main(args, interrupted), { name: 'http-proxy' }),
    [
      CannotListenError,
      ({ errors: [error] }) => {
        console.error(`error: ${(error as Error).message}`);
        process.exitCode = 1;
      },
    ],
  );
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  process.exitCode = error.exitCode === 0 ? 0 : 2;
}
