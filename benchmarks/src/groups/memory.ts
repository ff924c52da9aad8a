import { abortController } from '../peers/abort-controller.js';
import { bareScopes } from '../peers/bare-scopes.js';
import { effect } from '../peers/effect.js';
import { effection } from '../peers/effection.js';
import { workload, type Group } from '../workload.js';

export const memory: Group = {
  name: 'memory',
  title: 'Memory of a sleeping task',
  notes: [
    'What the heap grows by while they sleep, and the user’s async function is included. The floor is a promise and a timer.',
  ],
  workloads: [
    workload(
      '10,000 tasks',
      'sleepers',
      { tasks: 10_000 },
      [bareScopes, abortController, effect, effection],
      'memory',
    ),
  ],
};
