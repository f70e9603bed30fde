/**
 * Every broker key: kombu's, which Python members share, and celeriac's own, all under the transport's
 * `global_keyprefix`. Kombu 5.6, transport/redis.py.
 *
 * Own keys, and how long they live (README of the keys: docs/redis-keys.md):
 *   members, member:*, held:*, consumers:*   renewed with the lease, gone DEAD_MEMBER_TTL after the last renewal
 *   inbox:*, aside:*                         hold a message for one round trip; a time to live would lose it
 *   parked:*, quarantine                     stay until emptied
 */

/** Between a queue's name and its priority step, and between the parts of a binding. */
export const SEPARATOR = '\x06\x16';

/** How long the traces of a dead member stay when no celeriac worker lives to recover them. Seconds. */
export const DEAD_MEMBER_TTL = 7 * 86_400;

export interface KeyOptions {
  readonly globalKeyprefix?: string;
  readonly separator?: string;
  readonly unackedKey?: string;
  readonly unackedIndexKey?: string;
  readonly unackedMutexKey?: string;
}

export class BrokerKeys {
  readonly prefix: string;
  readonly separator: string;
  readonly unacked: string;
  readonly unackedIndex: string;
  readonly unackedMutex: string;
  readonly members: string;
  readonly quarantine: string;

  constructor(options: KeyOptions = {}) {
    this.prefix = options.globalKeyprefix ?? '';
    this.separator = options.separator ?? SEPARATOR;
    this.unacked = this.prefix + (options.unackedKey ?? 'unacked');
    this.unackedIndex = this.prefix + (options.unackedIndexKey ?? 'unacked_index');
    this.unackedMutex = this.prefix + (options.unackedMutexKey ?? 'unacked_mutex');
    this.members = this.#own('members');
    this.quarantine = this.#own('quarantine');
  }

  /** The list of one priority step of a queue; step 0 has the queue's bare name. */
  list(queue: string, step: number): string {
    return this.prefix + (step === 0 ? queue : `${queue}${this.separator}${step}`);
  }

  binding(exchange: string): string {
    return `${this.prefix}_kombu.binding.${exchange}`;
  }

  member(instance: string): string {
    return this.#own(`member:${instance}`);
  }

  /** Sorted set: what an instance holds, by the score it last wrote into `unacked_index`. The fence compares the two. */
  held(instance: string): string {
    return this.#own(`held:${instance}`);
  }

  /** Where a blocking pop lands for its one round trip. `list` is a full key. */
  inbox(instance: string, list: string): string {
    return this.#own(`inbox:${instance}:${list}`);
  }

  /** Messages that Lua could not judge, until the full check a round trip later. */
  aside(instance: string): string {
    return this.#own(`aside:${instance}`);
  }

  /** Sorted set: celeriac instances that consume a queue, by the end of their lease. */
  consumers(queue: string): string {
    return this.#own(`consumers:${queue}`);
  }

  /** Sorted set: delivery tags parked for a queue, by the ETA that also is their score in `unacked_index`. */
  parked(queue: string): string {
    return this.#own(`parked:${queue}`);
  }

  #own(name: string): string {
    return `${this.prefix}celeriac:${name}`;
  }
}
