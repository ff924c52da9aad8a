import { bareScopes } from '../peers/bare-scopes.js';
import { effect } from '../peers/effect.js';
import { effection } from '../peers/effection.js';
import { repeater } from '../peers/repeater.js';
import { transformStream } from '../peers/transform-stream.js';
import { workload, type Group } from '../workload.js';

const items = 10_000;
const oneToOne = { producers: 1, consumers: 1, items };
const manyToMany = { producers: 10, consumers: 10, items };

export const channel: Group = {
  name: 'channel',
  title: 'Channel',
  notes: [
    'Each send and each receive is awaited. The floor is a channel of promises without cancellation.',
    'Effect has no rendezvous; a queue of Effection has no bound; a repeater and a web stream have one end each.',
  ],
  workloads: [
    workload('rendezvous, 1 to 1', 'channel', { ...oneToOne, buffer: 0 }, [
      bareScopes,
      repeater,
      transformStream,
    ]),
    workload('buffer 1, 1 to 1', 'channel', { ...oneToOne, buffer: 1 }, [
      bareScopes,
      effect,
      repeater,
      transformStream,
    ]),
    workload('buffer 100, 1 to 1', 'channel', { ...oneToOne, buffer: 100 }, [
      bareScopes,
      effect,
      repeater,
      transformStream,
    ]),
    workload('unbounded, 1 to 1', 'channel', { ...oneToOne, buffer: Infinity }, [
      bareScopes,
      effect,
      effection,
    ]),
    workload('rendezvous, 10 to 10', 'channel', { ...manyToMany, buffer: 0 }, [bareScopes]),
    workload('buffer 1, 10 to 10', 'channel', { ...manyToMany, buffer: 1 }, [bareScopes, effect]),
    workload('buffer 100, 10 to 10', 'channel', { ...manyToMany, buffer: 100 }, [bareScopes, effect]),
    workload('unbounded, 10 to 10', 'channel', { ...manyToMany, buffer: Infinity }, [
      bareScopes,
      effect,
      effection,
    ]),
  ],
};
