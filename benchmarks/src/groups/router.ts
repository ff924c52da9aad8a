import { effect } from '../peers/effect.js';
import { effection } from '../peers/effection.js';
import { rxjs } from '../peers/rxjs.js';
import { workload, type Group } from '../workload.js';

const buffer = 100;
const peers = [effect, effection, rxjs];

export const router: Group = {
  name: 'router',
  title: 'Router: publish to subscribers',
  notes: [
    'Buffers of 100 each; the publisher waits for who is full. The floor is a list of bare channels.',
    'Effect’s PubSub has one buffer for all; Effection’s channel has no bound; a Subject of rxjs calls its subscribers.',
    'Publishing alone: into buffers with room. Otherwise what a subscriber’s task does to receive is included.',
    'Full: what has no room is dropped and counted. Effect cannot do that for each subscriber by itself.',
  ],
  workloads: [
    workload('1 subscriber', 'fanOut', { subscribers: 1, messages: 10_000, buffer }, peers),
    workload('100 subscribers', 'fanOut', { subscribers: 100, messages: 1000, buffer }, peers),
    workload('1,000 subscribers', 'fanOut', { subscribers: 1000, messages: 200, buffer }, peers),
    workload(
      '1,000 subscribers, publishing alone',
      'fanOutRoom',
      { subscribers: 1000, messages: 100, buffer },
      [],
    ),
    workload('1 subscriber, full', 'fanOutFull', { subscribers: 1, messages: 10_000, buffer }, []),
    workload('100 subscribers, full', 'fanOutFull', { subscribers: 100, messages: 1000, buffer }, []),
    workload('1,000 subscribers, full', 'fanOutFull', { subscribers: 1000, messages: 200, buffer }, []),
  ],
};
