import { effect } from '../peers/effect.js';
import { effection } from '../peers/effection.js';
import { pLimit } from '../peers/p-limit.js';
import { pMap } from '../peers/p-map.js';
import { pQueue } from '../peers/p-queue.js';
import { rxjs } from '../peers/rxjs.js';
import { workload, type Group } from '../workload.js';

export const combinators: Group = {
  name: 'combinators',
  title: 'Combinators',
  notes: [
    'Of async functions that return at once. The floor is Promise.all, Promise.race, and 10 workers that share an index.',
    'Of those that lose a race, the floor lets go: the others wait for them.',
  ],
  workloads: [
    workload('all, 10 functions', 'all', { tasks: 10, rounds: 100 }, [effect, effection]),
    workload('all, 1,000 functions', 'all', { tasks: 1000, rounds: 1 }, [effect, effection]),
    workload('race, 10 functions', 'race', { tasks: 10, rounds: 100 }, [effect, effection]),
    workload('map, 1,000 items, limit 10', 'map', { items: 1000, limit: 10, rounds: 1 }, [
      effect,
      pLimit,
      pMap,
      pQueue,
      rxjs,
    ]),
  ],
};
