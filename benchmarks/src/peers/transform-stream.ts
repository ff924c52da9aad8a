import { digest, type Peer } from '../programs.js';

/** The buffer is on the readable side, so that awaiting a write waits for room there. */
const streamOf = (buffer: number): TransformStream<number, number> =>
  new TransformStream<number, number>(undefined, undefined, { highWaterMark: buffer });

async function produce(writable: WritableStream<number>, items: number): Promise<void> {
  const writer = writable.getWriter();
  for (let item = 0; item < items; item++) await writer.write(item);
  await writer.close();
}

export const transformStream: Peer = {
  name: 'TransformStream',
  packages: [],
  programs: {
    async channel({ buffer, items }) {
      const { readable, writable } = streamOf(buffer);
      const consume = async (): Promise<number> => {
        const reader = readable.getReader();
        let sum = 0;
        for (let i = items; i > 0; i--) sum += (await reader.read()).value!;
        await reader.read(); // the end
        return sum;
      };
      const [sum] = await Promise.all([consume(), produce(writable, items)]);
      return sum;
    },

    async iterate({ buffer, items }) {
      const { readable, writable } = streamOf(buffer);
      const consume = async (): Promise<number> => {
        let value = 0;
        for await (const item of readable) value = digest(value, item);
        return value;
      };
      const [value] = await Promise.all([consume(), produce(writable, items)]);
      return value;
    },
  },
};
