/** The bench's task as a BullMQ worker: arguments are host, port, queue and concurrency. */
import { Worker } from 'bullmq';

const [host, port, queue, concurrency] = process.argv.slice(2);
const worker = new Worker(queue, async ({ data }) => data.x + data.y, {
  connection: { host, port: Number(port), db: 0 },
  concurrency: Number(concurrency),
});
worker.on('error', (error) => console.error(error));
