import { bareScopes } from '../peers/bare-scopes.js';
import { effect } from '../peers/effect.js';
import { effection } from '../peers/effection.js';
import { workload, type Group } from '../workload.js';

const peers = [bareScopes, effect, effection];

export const spawn: Group = {
  name: 'spawn',
  title: 'Spawn and join',
  notes: ['Tasks that do nothing. The floor calls async functions and waits by Promise.all.'],
  workloads: [
    workload('1 task, 1,000 times', 'spawn', { tasks: 1, rounds: 1000 }, peers),
    workload('1,000 tasks', 'spawn', { tasks: 1000, rounds: 1 }, peers),
  ],
};
