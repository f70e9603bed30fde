/**
 * The same work in BullMQ's own protocol: its Queue fills with addBulk while the queue is paused, resume lets the
 * worker have all jobs at once, completed jobs are kept with their return values, as BullMQ does by default.
 */
import { performance } from 'node:perf_hooks';
import { Queue, QueueEvents } from 'bullmq';

export const QUEUE = 'bench';
const CHUNK = 1000;

export class BullmqWorkload {
  #queue;
  #events;
  #redis;

  constructor(server) {
    const connection = { host: server.host, port: server.port, db: 0 };
    this.#queue = new Queue(QUEUE, { connection });
    this.#events = new QueueEvents(QUEUE, { connection });
    this.#redis = server.connect(0);
  }

  async reset() {
    await this.#queue.clean(0, 0, 'completed');
  }

  async stage(count) {
    await this.#queue.pause();
    for (let at = 0; at < count; at += CHUNK) {
      const length = Math.min(CHUNK, count - at);
      await this.#queue.addBulk(
        Array.from({ length }, (_, offset) => ({ name: 'add', data: { x: at + offset, y: 1 } })),
      );
    }
  }

  release() {
    return this.#queue.resume();
  }

  async progress() {
    const [[, completed], [, active], [, waiting]] = await this.#redis
      .pipeline()
      .zcard(`bull:${QUEUE}:completed`)
      .llen(`bull:${QUEUE}:active`)
      .llen(`bull:${QUEUE}:wait`)
      .exec();
    return { completed, idle: active === 0 && waiting === 0 };
  }

  async verify(count) {
    let right = 0;
    for (let at = 0; at < count; at += CHUNK) {
      const jobs = await this.#queue.getCompleted(at, at + CHUNK - 1);
      right += jobs.filter((job) => job.returnvalue === job.data.x + 1).length;
    }
    return right === count ? undefined : `${right} of ${count} results right`;
  }

  async firstResult(start, milliseconds) {
    await this.#events.waitUntilReady();
    const job = await this.#queue.add('add', { x: 1, y: 1 });
    start();
    await job.waitUntilFinished(this.#events, milliseconds);
    return performance.now();
  }

  async trips(count, milliseconds) {
    await this.reset();
    const end = performance.now() + milliseconds;
    const times = [];
    for (let index = 0; index < count && performance.now() < end; index += 1) {
      const start = performance.now();
      const job = await this.#queue.add('add', { x: index, y: 1 });
      await job.waitUntilFinished(this.#events, milliseconds);
      times.push(performance.now() - start);
    }
    return times;
  }

  async close() {
    this.#redis.disconnect();
    await Promise.allSettled([this.#queue.close(), this.#events.close()]);
  }
}
