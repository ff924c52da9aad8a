import { createMemoryObjectStream, failAfter, taskGroup } from 'taskscope';

let sum = 0;
await failAfter(1000, () =>
  taskGroup((tg) => {
    const [send, receive] = createMemoryObjectStream<number>(10);
    tg.startSoon(async () => {
      for (let item = 0; item < 100; item++) await send.send(item);
      send.close();
    });
    tg.startSoon(async () => {
      for await (const item of receive) sum += item;
    });
  }),
);
export const result: number = sum;
