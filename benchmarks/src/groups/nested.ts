import { abortController } from '../peers/abort-controller.js';
import { effect } from '../peers/effect.js';
import { effection } from '../peers/effection.js';
import { workload, type Group } from '../workload.js';

const size = { depth: 10, rounds: 100 };

export const nested: Group = {
  name: 'nested',
  title: 'Nested scopes',
  notes: [
    'Ten levels. The floor is an async function that awaits the next. AbortController: each listens to the one around it.',
    'Groups have one task each, which opens the next; with Effect and Effection a task that is joined.',
  ],
  workloads: [
    workload('cancel scopes', 'nestedScopes', size, [abortController, effection]),
    workload('task groups', 'nestedGroups', size, [effect, effection]),
  ],
};
