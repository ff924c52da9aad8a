import { abortController } from '../peers/abort-controller.js';
import { bareScopes } from '../peers/bare-scopes.js';
import { effect } from '../peers/effect.js';
import { effection } from '../peers/effection.js';
import { workload, type Group } from '../workload.js';

export const cancel: Group = {
  name: 'cancel',
  title: 'Cancelling sleeping tasks',
  notes: [
    'From the call that cancels until all have ended. The floor clears a timer and rejects a promise for each, with one error.',
    'Only those take part in 100,000 that get there in seconds.',
  ],
  workloads: [
    workload('1,000 tasks', 'sleepers', { tasks: 1000 }, [bareScopes, abortController, effect, effection]),
    workload('100,000 tasks', 'sleepers', { tasks: 100_000 }, [bareScopes, effect]),
  ],
};
