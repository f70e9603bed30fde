/**
 * The workload of everything that speaks Celery's protocol: one fill, one client, one check for all of them.
 *
 * A backlog is first pushed to a list that no worker reads and then renamed to the queue, so the worker, already
 * running and idle, finds all of it at one instant. Nobody is subscribed to results while a backlog drains.
 */
import { performance } from 'node:perf_hooks';
import { within } from '../until.mjs';
import { QUEUE, RESULT_PREFIX, envelope, expectedResult, indexOf, taskId } from './envelope.mjs';

const STAGED = 'bench:staged';
const CHUNK = 200;

export class CeleryWorkload {
  #broker;
  #backend;
  #subscriber;
  #waiting = new Map();
  #batch = 0;

  constructor(server) {
    this.#broker = server.connect(0);
    this.#backend = server.connect(1);
    this.#subscriber = server.connect(0);
    this.#subscriber.on('pmessage', (_pattern, channel, meta) => {
      const waiter = this.#waiting.get(channel);
      if (waiter === undefined || !/"status":\s*"SUCCESS"/.test(meta)) return;
      this.#waiting.delete(channel);
      waiter(performance.now());
    });
  }

  /** Forgets the results of the batch before, and counts from a new one. */
  async reset() {
    this.#batch += 1;
    await this.#backend.flushdb('SYNC');
  }

  /** Prepares `count` tasks, of another kind than plain if so said, that no worker can see yet. */
  async stage(count, kind) {
    for (let start = 0; start < count; start += CHUNK * 10) {
      const pipeline = this.#broker.pipeline();
      for (let at = start; at < Math.min(start + CHUNK * 10, count); at += CHUNK) {
        const length = Math.min(CHUNK, count - at);
        pipeline.lpush(STAGED, ...Array.from({ length }, (_, offset) => envelope(this.#batch, at + offset, kind)));
      }
      await pipeline.exec();
    }
  }

  /** Lets the worker have them, all at once. */
  release() {
    return this.#broker.rename(STAGED, QUEUE);
  }

  /** How many results are there, and whether nothing is left in the queue or held. */
  async progress() {
    const [results, [[, queued], [, held]]] = await Promise.all([
      this.#backend.dbsize(),
      this.#broker.pipeline().llen(QUEUE).hlen('unacked').exec(),
    ]);
    return { completed: results, idle: queued === 0 && held === 0 };
  }

  /**
   * Reads every result back and holds it against what the task must answer.
   * @returns {Promise<string | undefined>} what is wrong, in words
   */
  async verify(count, { resultsAreReal }) {
    let right = 0;
    let cursor = '0';
    do {
      const [next, keys] = await this.#backend.scan(cursor, 'MATCH', `${RESULT_PREFIX}*`, 'COUNT', 1000);
      cursor = next;
      const metas = keys.length === 0 ? [] : await this.#backend.mget(keys);
      metas.forEach((meta, at) => {
        const { status, result, task_id: id } = JSON.parse(meta ?? '{}');
        if (status !== 'SUCCESS' || id === undefined || keys[at] !== RESULT_PREFIX + id) return;
        if (!resultsAreReal || result === expectedResult(indexOf(id))) right += 1;
      });
    } while (cursor !== '0');
    return right === count ? undefined : `${right} of ${count} results right`;
  }

  /** Puts one task into the queue; resolves with the moment its result was announced. Needs `listen`. */
  async #answerTo(index, milliseconds) {
    const channel = RESULT_PREFIX + taskId(this.#batch, index);
    const answered = new Promise((resolve) => this.#waiting.set(channel, resolve));
    await this.#broker.lpush(QUEUE, envelope(this.#batch, index));
    return within(answered, { what: 'a result', milliseconds }).finally(() => this.#waiting.delete(channel));
  }

  /** Resolves with the moment of the first result of a worker that is started by `start`. */
  async firstResult(start, milliseconds) {
    await this.reset();
    await this.#subscriber.psubscribe(`${RESULT_PREFIX}*`);
    const answered = this.#answerTo(0, milliseconds);
    answered.catch(() => undefined);
    start();
    const at = await answered;
    await this.#subscriber.punsubscribe();
    return at;
  }

  /** Milliseconds from publish to result of tasks sent one after the other to an idle worker. */
  async trips(count, milliseconds) {
    await this.reset();
    await this.#subscriber.psubscribe(`${RESULT_PREFIX}*`);
    const end = performance.now() + milliseconds;
    const times = [];
    for (let index = 0; index < count && performance.now() < end; index += 1) {
      const start = performance.now();
      times.push((await this.#answerTo(index, milliseconds)) - start);
    }
    await this.#subscriber.punsubscribe();
    return times;
  }

  close() {
    for (const connection of [this.#broker, this.#backend, this.#subscriber]) connection.disconnect();
  }
}
