import { effect } from '../peers/effect.js';
import { effection } from '../peers/effection.js';
import { passThrough } from '../peers/pass-through.js';
import { repeater } from '../peers/repeater.js';
import { transformStream } from '../peers/transform-stream.js';
import { workload, type Group } from '../workload.js';

const items = 10_000;

export const iterate: Group = {
  name: 'iterate',
  title: 'for await',
  notes: [
    'Each send is awaited (PassThrough only asks for it when its buffer is full), and the stream is ended.',
    'Effect: Stream.runForEach over a queue. Effection: a loop over its queue, which has no bound.',
  ],
  workloads: [
    workload('rendezvous', 'iterate', { buffer: 0, items }, [repeater, transformStream]),
    workload('buffer 1', 'iterate', { buffer: 1, items }, [effect, repeater, transformStream, passThrough]),
    workload('buffer 100', 'iterate', { buffer: 100, items }, [
      effect,
      repeater,
      transformStream,
      passThrough,
    ]),
    workload('unbounded', 'iterate', { buffer: Infinity, items }, [effect, effection]),
  ],
};
