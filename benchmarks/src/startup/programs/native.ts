import { BareChannel } from '../../floor/bare-channel.js';

let sum = 0;
let timer: ReturnType<typeof setTimeout> | undefined;
const timeout = new Promise<never>((_resolve, reject) => {
  timer = setTimeout(() => reject(new Error('timed out')), 1000);
});
const channel = new BareChannel<number>(10);
async function produce(): Promise<void> {
  for (let item = 0; item < 100; item++) await channel.send(item);
  channel.close();
}
async function consume(): Promise<void> {
  for await (const item of channel) sum += item;
}
await Promise.race([Promise.all([produce(), consume()]), timeout]);
clearTimeout(timer);
export const result: number = sum;
