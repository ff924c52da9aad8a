/** Serves live prices. See README.md for what to look at. */

import { readFileSync } from 'node:fs';
import { CancelScope, catchErrors, currentTime, run, taskGroup } from '@taskscope/core';
import type { Event } from '@taskscope/sync';
import { CommanderError } from 'commander';
import { parseArguments, type Arguments } from './arguments.js';
import { PriceFeed } from './feed.js';
import { interruptionEvent } from '../../interruption.js';
import { replay } from './replay.js';
import { CannotListenError, serve } from '../../http-server.js';
import { PriceService } from './service.js';

async function main({ ticks, speed, grace, ...address }: Arguments, interrupted: Event): Promise<void> {
  const feed = new PriceFeed();
  const page = readFileSync(new URL('../public/index.html', import.meta.url), 'utf8');
  const service = new PriceService(feed, { page });

  const scope = new CancelScope();
  await scope.run(() =>
    taskGroup(async (tg) => {
      const port = await tg.start(
        serve,
        (request, response) => service.handle(request, response),
        address,
        service.closing,
      );
      const host = address.host.includes(':') ? `[${address.host}]` : address.host;
      console.log(`Prices are at http://${host}:${port}/. Ctrl-C ends.`);
      // A service: nobody has to end it. It is cancelled when nobody is left whom it could serve.
      tg.startService(replay, ticks, speed, (tick) => feed.publish(tick));

      await interrupted.wait();
      console.log('Saying goodbye.');
      service.closing.set();
      // Whoever is not gone by then is cut off.
      scope.deadline = currentTime() + grace;
    }),
  );
  console.log(scope.cancelledCaught ? 'Some clients were cut off.' : 'Everybody is gone.');
}

try {
  const args = parseArguments(process.argv.slice(2));
  const interrupted = interruptionEvent();
  await catchErrors(
    () => run(() => main(args, interrupted), { name: 'price-feed' }),
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
