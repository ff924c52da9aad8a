import { abortController } from '../peers/abort-controller.js';
import { bareScopes } from '../peers/bare-scopes.js';
import { effect } from '../peers/effect.js';
import { effection } from '../peers/effection.js';
import { rxjs } from '../peers/rxjs.js';
import { workload, type Group } from '../workload.js';

const atOnce = { count: 1000, work: 'ends at once' } as const;
const waits = { count: 5000, work: 'waits' } as const;

export const timeouts: Group = {
  name: 'timeouts',
  title: 'Timeouts',
  notes: [
    'The floor is Promise.race against a timer that is cleared afterwards: it cannot stop the work.',
    'Waits are 5,000 tasks at once, each sleeping for a millisecond: 200 ns of each is that millisecond.',
    'Effection takes seconds for those, and does the same for both kinds of timeout: it takes part in one of them.',
  ],
  workloads: [
    workload('moveOnAfter, work ends at once', 'moveOn', atOnce, [
      bareScopes,
      abortController,
      effect,
      effection,
      rxjs,
    ]),
    workload('failAfter, work ends at once', 'fail', atOnce, [
      bareScopes,
      abortController,
      effect,
      effection,
      rxjs,
    ]),
    workload('moveOnAfter, work waits', 'moveOn', waits, [
      bareScopes,
      abortController,
      effect,
      effection,
      rxjs,
    ]),
    workload('failAfter, work waits', 'fail', waits, [bareScopes, abortController, effect, rxjs]),
    workload('moveOnAfter, the time is over', 'expire', { count: 5000 }, [
      bareScopes,
      abortController,
      effect,
      effection,
    ]),
  ],
};
