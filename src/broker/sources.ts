/**
 * The lists a worker consumes from, in the order they are emptied. Kombu 5.6, transport/redis.py: the outer loop runs over
 * priority steps, the inner one over queues, whose turns follow `queue_order_strategy`.
 */
import type { BrokerKeys } from './keys.ts';

export type QueueOrderStrategy = 'round_robin' | 'sorted' | 'priority';

/** Source lists as TAKE wants them: rows of `width`, and for each list its queue. */
export interface SourceLists {
  readonly keys: readonly string[];
  readonly width: number;
  readonly queues: readonly string[];
  readonly queuesJson: readonly string[];
}

/** So few lists are all watched by a blocking pop; of more, only step 0 and those where something was found. */
const WATCH_ALL = 8;
/** Sockets for blocking pops at the most; lists beyond are looked at between waits. */
const MAX_WATCHED = 32;

export class Sources {
  readonly #keys: BrokerKeys;
  readonly #steps: readonly number[];
  readonly #strategy: QueueOrderStrategy;
  readonly #seen = new Set<string>();
  #queues: readonly string[] = [];
  #lists: SourceLists = { keys: [], width: 1, queues: [], queuesJson: [] };
  #queueOf = new Map<string, string>();

  constructor(keys: BrokerKeys, steps: readonly number[], strategy: QueueOrderStrategy, queues: readonly string[]) {
    this.#keys = keys;
    this.#steps = steps;
    this.#strategy = strategy;
    this.set(queues);
  }

  get queues(): readonly string[] {
    return this.#queues;
  }

  /** Full keys of all lists. */
  get lists(): readonly string[] {
    return this.#lists.keys;
  }

  set(queues: readonly string[]): void {
    const ordered = this.#strategy === 'sorted' ? [...queues].sort() : [...queues];
    const pairs = this.#steps.flatMap((step) => ordered.map((queue) => ({ key: this.#keys.list(queue, step), queue })));
    this.#queues = ordered;
    this.#queueOf = new Map(pairs.map(({ key, queue }) => [key, queue]));
    // Without turns every list is a row of its own: a queue is emptied before the next is looked at.
    this.#lists = toLists(pairs, this.#strategy === 'round_robin' ? Math.max(1, ordered.length) : 1);
  }

  queueOf(list: string): string {
    return this.#queueOf.get(list) ?? list;
  }

  /** Something was found in this list by looking: from now on it is worth a socket. */
  seen(list: string): void {
    if (this.#queueOf.has(list)) this.#seen.add(list);
  }

  /** The lists to block on while idle. */
  watched(): string[] {
    const { keys } = this.#lists;
    if (keys.length <= WATCH_ALL) return [...keys];
    const first = new Set(this.#queues.map((queue) => this.#keys.list(queue, this.#steps[0] ?? 0)));
    return keys.filter((key) => first.has(key) || this.#seen.has(key)).slice(0, MAX_WATCHED);
  }

  /** All lists, preceded by the inboxes where something landed, which are emptied first. */
  withInboxes(landed: readonly (readonly [inbox: string, list: string])[]): SourceLists {
    if (landed.length === 0) return this.#lists;
    const { width } = this.#lists;
    const inboxes = landed.map(([inbox, list]) => ({ key: inbox, queue: this.queueOf(list) }));
    // A row must be full: an inbox stands in twice, the second time it is empty.
    while (inboxes.length % width !== 0) inboxes.push(inboxes[0] as { key: string; queue: string });
    const rest = this.#lists.keys.map((key, i) => ({ key, queue: this.#lists.queues[i] as string }));
    return toLists([...inboxes, ...rest], width);
  }
}

function toLists(pairs: readonly { key: string; queue: string }[], width: number): SourceLists {
  return {
    keys: pairs.map((pair) => pair.key),
    width,
    queues: pairs.map((pair) => pair.queue),
    queuesJson: pairs.map((pair) => JSON.stringify(pair.queue)),
  };
}
