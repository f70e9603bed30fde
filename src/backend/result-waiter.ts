/**
 * Waiting for results: one subscriber connection, a map of the ids awaited, one resolver. Nothing is polled.
 * Counterparts: celery/backends/redis.py (ResultConsumer), asynchronous.py, 5.6.3; the shape is a request multiplexer.
 *
 * Life of an awaited id: new --SUBSCRIBE, then one GET--> listening --ready meta, or its last waiter gone--> dropped,
 * then UNSUBSCRIBE. Invariant: the GET follows the confirmed SUBSCRIBE, so a result stored at any moment is seen by one
 * of the two. After a reconnect every listening id is read again, for what was published meanwhile.
 * All commands of one turn of the event loop travel together, so thousands of waits cost a few round trips.
 */
import { BackendError, TimeoutError } from '../errors.ts';
import type { Logger } from '../log.ts';
import type { SubscriberPort } from '../redis/port.ts';
import { READY_STATES } from '../protocol/states.ts';
import type { ResultKeys } from './keys.ts';

/** Channels in one SUBSCRIBE, ids in one read: none holds Redis up for long. */
const CHUNK = 500;
/** The longest time setTimeout takes; a longer wait has no timer, which is the same for anybody. */
const MAX_TIMER_MS = 2 ** 31 - 1;

interface HasStatus {
  readonly status: string;
}

export interface WaitOptions<Meta extends HasStatus = HasStatus> {
  /** Rejects with TimeoutError after so many milliseconds. @defaultValue for ever */
  readonly timeoutMs?: number;
  /** Ends the wait; it rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Called with each state that is not ready yet (STARTED, RETRY, PROGRESS ...) as it is published. */
  readonly onUpdate?: (meta: Meta) => void;
}

export interface ResultWaiterOptions<Meta extends HasStatus> {
  readonly keys: ResultKeys;
  readonly logger: Logger;
  /** Opened with the first wait, closed by `close`. */
  readonly openSubscriber: () => SubscriberPort;
  /** What is stored: a PENDING meta where nothing is; an Error for an id alone, a rejection when Redis stays away. */
  readonly fetchMany: (ids: readonly string[]) => Promise<readonly (Meta | Error)[]>;
  /** Throws when the bytes are no meta. */
  readonly decode: (payload: Buffer) => Meta;
}

interface Waiter<Meta> {
  readonly settle: (outcome: Meta | Error) => void;
  readonly onUpdate: ((meta: Meta) => void) | undefined;
}

interface Awaited<Meta> {
  readonly id: string;
  readonly waiters: Set<Waiter<Meta>>;
  isListening: boolean;
  /** One bad message is told, the rest of this id's ignored in silence. */
  toldBadMessage: boolean;
}

export class ResultWaiter<Meta extends HasStatus> {
  readonly #options: ResultWaiterOptions<Meta>;
  readonly #awaited = new Map<string, Awaited<Meta>>();
  /** Ids without a subscription yet, and channels nobody listens to any more; both wait for the end of the turn. */
  #fresh: Awaited<Meta>[] = [];
  #stale = new Set<string>();
  #subscriber: SubscriberPort | null = null;
  #isConnected = false;
  #flushing: Promise<void> | null = null;
  #closed = false;

  constructor(options: ResultWaiterOptions<Meta>) {
    this.#options = options;
  }

  /** How many ids are awaited. */
  get size(): number {
    return this.#awaited.size;
  }

  /**
   * The first ready meta of a task, stored already or to come. Rejects with TimeoutError, the signal's reason,
   * DecodeError when what is stored is no meta, or BackendError when Redis stays away or the backend is closed.
   */
  wait(id: string, options: WaitOptions<Meta> = {}): Promise<Meta> {
    const { timeoutMs, signal, onUpdate } = options;
    return new Promise<Meta>((resolve, reject) => {
      // Throws for an id that is none; a closed waiter and an aborted signal are told before anything is set up.
      this.#options.keys.task(id);
      if (this.#closed) throw new BackendError(`can't wait for task ${id}: the result backend is closed`);
      if (signal?.aborted === true) throw reasonOf(signal);

      let timer: NodeJS.Timeout | undefined;
      const abort = (): void => this.#leave(id, waiter, reasonOf(signal));
      const waiter: Waiter<Meta> = {
        onUpdate,
        settle: (outcome) => {
          clearTimeout(timer);
          signal?.removeEventListener('abort', abort);
          if (outcome instanceof Error) reject(outcome);
          else resolve(outcome);
        },
      };
      if (timeoutMs !== undefined && timeoutMs <= MAX_TIMER_MS) {
        timer = setTimeout(() => {
          this.#leave(id, waiter, new TimeoutError(`task ${id} was not ready after ${timeoutMs / 1000} s`));
        }, timeoutMs);
      }
      signal?.addEventListener('abort', abort, { once: true });
      this.#join(id, waiter);
    });
  }

  /** Rejects every wait and closes the subscriber. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#drop(
      [...this.#awaited.values()],
      new BackendError('the result backend was closed while a result was awaited'),
    );
    const subscriber = this.#subscriber;
    this.#subscriber = null;
    if (this.#isConnected) await subscriber?.close();
    else subscriber?.destroy();
    await this.#flushing;
  }

  #join(id: string, waiter: Waiter<Meta>): void {
    const known = this.#awaited.get(id);
    if (known !== undefined) {
      // Not ready by the last GET and nothing published since, or it would be gone: no need to read again.
      known.waiters.add(waiter);
      return;
    }
    const awaited: Awaited<Meta> = { id, waiters: new Set([waiter]), isListening: false, toldBadMessage: false };
    this.#awaited.set(id, awaited);
    this.#fresh.push(awaited);
    this.#schedule();
  }

  #leave(id: string, waiter: Waiter<Meta>, reason: Error): void {
    const awaited = this.#awaited.get(id);
    if (awaited?.waiters.delete(waiter) === true && awaited.waiters.size === 0) this.#forget(awaited);
    waiter.settle(reason);
  }

  #drop(many: readonly Awaited<Meta>[], reason: Error): void {
    for (const awaited of many) if (this.#awaited.get(awaited.id) === awaited) this.#finish(awaited, reason);
  }

  #finish(awaited: Awaited<Meta>, outcome: Meta | Error): void {
    this.#forget(awaited);
    for (const waiter of awaited.waiters) waiter.settle(outcome);
  }

  #forget(awaited: Awaited<Meta>): void {
    this.#awaited.delete(awaited.id);
    this.#stale.add(this.#options.keys.task(awaited.id));
    this.#schedule();
  }

  #schedule(): void {
    if (this.#closed) return;
    this.#flushing ??= this.#flush();
  }

  /** Carries out what gathered, until nothing is left. Never rejects: errors go to the waits. Never runs twice at once. */
  async #flush(): Promise<void> {
    do {
      await new Promise((resolve) => setImmediate(resolve));
      const fresh = this.#fresh.splice(0, CHUNK).filter((awaited) => this.#awaited.get(awaited.id) === awaited);
      await this.#unsubscribeStale();
      if (fresh.length > 0) await this.#listen(fresh);
    } while (!this.#isClosed() && (this.#fresh.length > 0 || this.#stale.size > 0));
    this.#flushing = null;
  }

  async #unsubscribeStale(): Promise<void> {
    const { keys, logger } = this.#options;
    // An id may be awaited anew since it was dropped: its subscription stays.
    const channels = [...this.#stale].filter((channel) => !this.#awaited.has(keys.taskOf(channel) ?? ''));
    this.#stale.clear();
    if (this.#subscriber === null) return;
    for (let i = 0; i < channels.length; i += CHUNK) {
      try {
        await this.#subscriber.unsubscribe(...channels.slice(i, i + CHUNK));
      } catch (error) {
        // Harmless but not silent: a message on such a channel is ignored.
        if (!this.#isClosed()) logger.debug('unsubscribing from results failed', { error });
      }
    }
  }

  async #listen(fresh: readonly Awaited<Meta>[]): Promise<void> {
    try {
      const subscriber = await this.#connected();
      await subscriber.subscribe(...fresh.map((awaited) => this.#options.keys.task(awaited.id)));
      for (const awaited of fresh) awaited.isListening = true;
    } catch (error) {
      this.#drop(fresh, new BackendError('results can not be awaited: subscribing failed', { cause: error }));
      return;
    }
    await this.#read(fresh);
  }

  async #connected(): Promise<SubscriberPort> {
    if (this.#subscriber !== null) return this.#subscriber;
    const subscriber = this.#options.openSubscriber();
    this.#subscriber = subscriber;
    subscriber.onMessage((channel, payload) => this.#onMessage(channel, payload));
    try {
      await subscriber.connect();
    } catch (error) {
      // The next wait begins anew.
      this.#subscriber = null;
      subscriber.destroy();
      throw error;
    }
    this.#isConnected = true;
    subscriber.on('ready', () => void this.#readAgain());
    return subscriber;
  }

  /** Reads what is stored under the ids; the errors go to their waits. */
  async #read(many: readonly Awaited<Meta>[]): Promise<void> {
    let metas: readonly (Meta | Error)[];
    try {
      metas = await this.#options.fetchMany(many.map((awaited) => awaited.id));
    } catch (error) {
      this.#drop(many, new BackendError('results can not be read', { cause: error }));
      return;
    }
    for (const [i, awaited] of many.entries()) {
      const meta = metas[i];
      if (meta === undefined || this.#awaited.get(awaited.id) !== awaited) continue;
      if (meta instanceof Error) this.#finish(awaited, meta);
      else if (meta.status !== 'PENDING') this.#onMeta(awaited, meta);
    }
  }

  /** The subscriber is back and its subscriptions with it: what was published meanwhile is stored. Never rejects. */
  async #readAgain(): Promise<void> {
    const listening = [...this.#awaited.values()].filter((awaited) => awaited.isListening);
    for (let i = 0; i < listening.length; i += CHUNK) await this.#read(listening.slice(i, i + CHUNK));
  }

  #onMessage(channel: string, payload: Buffer): void {
    const awaited = this.#awaited.get(this.#options.keys.taskOf(channel) ?? '');
    if (awaited === undefined) return;
    let meta: Meta;
    try {
      meta = this.#options.decode(payload);
    } catch (error) {
      if (!awaited.toldBadMessage) {
        awaited.toldBadMessage = true;
        this.#options.logger.warn(`a message on ${channel} is no result, ignored`, { error, bytes: payload.length });
      }
      return;
    }
    this.#onMeta(awaited, meta);
  }

  #onMeta(awaited: Awaited<Meta>, meta: Meta): void {
    if (READY_STATES.has(meta.status)) {
      this.#finish(awaited, meta);
      return;
    }
    for (const { onUpdate } of awaited.waiters) {
      try {
        onUpdate?.(meta);
      } catch (error) {
        this.#options.logger.error(`the update listener of task ${awaited.id} failed`, { error });
      }
    }
  }

  /** A method, since the field changes during an await, which a narrowed field hides from the compiler. */
  #isClosed(): boolean {
    return this.#closed;
  }
}

function reasonOf(signal: AbortSignal | undefined): Error {
  const reason: unknown = signal?.reason;
  return reason instanceof Error
    ? reason
    : new BackendError(`the wait was aborted: ${String(reason)}`, { cause: reason });
}
