/**
 * The life of one connection, whatever is spoken on it: tries and pauses, failover, loss, giving up, closing.
 * Counterpart: kombu's Connection.ensure_connection, 5.6.2.
 *
 * States, changed only in #enter:
 *   dormant     nothing was opened yet, or it gave up: the next connect() or command begins anew
 *   connecting  a try is under way or its pause runs; commands wait in ioredis' offline queue
 *   ready       usable
 *   closed      close() or destroy(): for ever
 * dormant -> connecting -> ready -> connecting ...; connecting -> dormant when it gives up; any -> closed.
 */

import { EventEmitter } from 'node:events';
import { type Socket } from 'node:net';
import { type Redis } from 'ioredis';
import { BrokerConnectionError } from '../errors.ts';
import { backoffMs } from '../util/backoff.ts';
import { deferred, type Deferred } from '../util/deferred.ts';
import { createClient } from './client.ts';
import { dial } from './dial.ts';
import { explain, isReplyError, isStaleServer, replyWord, withoutArguments } from './errors.ts';
import { withDefaults, type CompleteOptions, type RedisOptions } from './options.ts';
import { type RedisEvents } from './port.ts';
import { type RedisServer, type RedisTarget } from './url.ts';
import { startWatchdog, type Watchdog } from './watchdog.ts';

type State = 'dormant' | 'connecting' | 'ready' | 'closed';

/** A connection that lived this long was sound: pauses start small again. Else a server that drops us at once is hammered. */
const SOUND_AFTER_MS = 2_000;

/** How long close() waits for outstanding replies. */
const CLOSE_PATIENCE_MS = 5_000;

export class RedisLink {
  readonly displayUrl: string;
  readonly client: Redis;
  readonly #servers: readonly RedisServer[];
  readonly #options: CompleteOptions;
  readonly #emitter = new EventEmitter();
  readonly #watchdog: Watchdog;
  /** What to do on a usable socket before `ready` is told; for subscriptions. */
  readonly #prepare: (() => Promise<void>) | null;

  #state: State = 'dormant';
  #serverIndex = 0;
  /** Failed tries since the connection was last sound. */
  #attempt = 0;
  #wasEverReady = false;
  #readySince = 0;
  #lastError: Error | null = null;
  #gaveUpWith: BrokerConnectionError | null = null;
  /** The outcome of the present round of tries. */
  #outcome: Deferred<void> | null = null;
  readonly #ended: Deferred<void> = deferred();
  #closing = false;

  constructor(target: RedisTarget, options: RedisOptions, prepare: (() => Promise<void>) | null = null) {
    this.#options = withDefaults(options);
    this.#prepare = prepare;
    this.displayUrl = target.displayUrl;
    this.#servers = this.#options.failover === 'shuffle' ? shuffled(target.servers) : target.servers;
    const first = this.#server;
    this.client = createClient({
      username: first.username,
      password: first.password,
      db: target.db,
      clientName: this.#options.clientName,
      dial: (signal) => this.#dial(signal),
      nextTry: () => this.#nextTry(),
      onReplyError: (error) => this.#onReplyError(error),
      onLoading: (askAgainMs) => this.#onLoading(askAgainMs),
      accepts: (info) => this.#accepts(info),
    });
    this.client.on('error', (error: Error) => this.#onError(error));
    this.client.on('ready', () => void this.#onReady());
    this.client.on('end', () => this.#onEnd());
    this.#watchdog = startWatchdog(
      {
        bytesRead: () => (this.#isSocketUp() ? this.client.stream.bytesRead : null),
        pending: () => this.client.commandQueue.length,
        replyLimitMs: () => this.#replyLimitMs(),
        ping: () => void this.client.ping().catch(() => undefined),
        drop: (reason) => this.client.stream.destroy(reason),
      },
      this.#options.healthCheckMs,
      lookEveryMs(this.#options),
    );
  }

  get isReady(): boolean {
    return this.#state === 'ready';
  }

  get isDormant(): boolean {
    return this.#state === 'dormant';
  }

  on<E extends keyof RedisEvents>(event: E, listener: RedisEvents[E]): void {
    this.#emitter.on(event, listener);
  }

  off<E extends keyof RedisEvents>(event: E, listener: RedisEvents[E]): void {
    this.#emitter.off(event, listener);
  }

  /** Settles with the present round of tries, and begins one where none is under way. */
  connect(): Promise<void> {
    if (this.#state === 'closed' || this.#closing) return Promise.reject(this.closedError());
    if (this.#state === 'ready') return Promise.resolve();
    if (this.#state === 'dormant') this.begin();
    return (this.#outcome as Deferred<void>).promise;
  }

  /** Starts a round of tries; a command on a dormant link does so too. */
  begin(): void {
    this.#enter('connecting');
    this.#attempt = 0;
    this.#gaveUpWith = null;
    this.#lastError = null;
    // The failure of each try arrives through nextTry.
    this.client.connect().catch(() => undefined);
  }

  /** What a command rejects with when the connection, not Redis, failed it. */
  connectionError(): BrokerConnectionError {
    if (this.#state === 'closed' || this.#closing) return this.closedError();
    return this.#gaveUpWith ?? this.#failure(`the connection to ${this.displayUrl} was lost before the reply came`);
  }

  closedError(): BrokerConnectionError {
    return new BrokerConnectionError(`the connection to ${this.displayUrl} is closed`);
  }

  async close(): Promise<void> {
    if (this.#state === 'closed') return this.#ended.promise;
    if (!this.#closing) {
      this.#closing = true;
      if (this.#state === 'ready') {
        // Replies come in order, so the answer to this PING comes after those of all commands sent before.
        const patience = setTimeout(() => this.destroy(), CLOSE_PATIENCE_MS);
        await this.client.ping().catch(() => undefined);
        clearTimeout(patience);
      }
      this.destroy();
    }
    return this.#ended.promise;
  }

  destroy(): void {
    if (this.#state === 'closed') return;
    const wasDormant = this.#state === 'dormant';
    this.#watchdog.stop();
    this.#enter('closed');
    const { status } = this.client;
    this.client.disconnect();
    if (status === 'reconnecting') {
      // ioredis forgets its queue when told to stop during a pause; a last try that fails at once makes it end properly.
      this.client.connect().catch(() => undefined);
    } else if (wasDormant) {
      this.#ended.resolve();
    } else {
      // May be absent while the first try still dials.
      (this.client.stream as Socket | undefined)?.destroy();
    }
  }

  get #server(): RedisServer {
    return this.#servers[this.#serverIndex] as RedisServer;
  }

  #isSocketUp(): boolean {
    return this.client.status === 'ready' || this.client.status === 'connect';
  }

  /** The handshake is held to the time for connecting; afterwards a blocking read may be silent as long as it asked for. */
  #replyLimitMs(): number | null {
    const { connectTimeoutMs, replyTimeoutMs, longestBlockMs } = this.#options;
    if (this.client.status === 'connect') return connectTimeoutMs;
    return replyTimeoutMs === null || longestBlockMs === Infinity ? null : replyTimeoutMs + longestBlockMs;
  }

  #enter(state: State): void {
    if (this.#state === state) return;
    this.#state = state;
    if (state === 'connecting') {
      this.#outcome = deferred();
      // Nobody need wait for it; whoever does gets its own rejection.
      this.#outcome.promise.catch(() => undefined);
    } else if (state === 'ready') {
      this.#outcome?.resolve();
    } else {
      this.#outcome?.reject(state === 'closed' ? this.closedError() : this.connectionError());
    }
  }

  #dial(signal: AbortSignal): Promise<Socket> {
    if (this.#state === 'closed') return Promise.reject(this.closedError());
    return dial(this.#server, this.#options.connectTimeoutMs, signal);
  }

  /** ioredis asks when the socket is gone: the moment of loss, and where failover and giving up are decided. */
  #nextTry(): number | null {
    if (!this.#options.resend) this.#rejectUnanswered();
    if (this.#closing || this.#state === 'closed') return null;
    const error = this.#lastError;
    if (this.#state === 'ready') {
      if (performance.now() - this.#readySince >= SOUND_AFTER_MS) this.#attempt = 0;
      this.#enter('connecting');
      this.#emit('lost', error && (isReplyError(error) ? this.#asConnectionError(error) : error));
    }

    this.#attempt += 1;
    const explanation = explain(error);
    const { maxRetries, retryOnConnect, retryOnLoss, retryRefusals } = this.#options;
    const isRefused = explanation.final && !(retryRefusals && explanation.ofServer === true);
    // Of several servers each gets its turn before a refusal is final.
    const isHopeless = this.#wasEverReady
      ? !retryOnLoss
      : (isRefused || !retryOnConnect) && this.#attempt >= this.#servers.length;
    if (isHopeless || (maxRetries && this.#attempt > maxRetries)) {
      this.#gaveUpWith = this.#failure(`cannot connect to ${this.displayUrl}`);
      return null;
    }
    this.#failOver();
    // Celery pauses once per round of all the servers, and goes on to the next of them at once.
    const round = Math.ceil(this.#attempt / this.#servers.length);
    const isRoundDone = this.#attempt % this.#servers.length === 0;
    const delayMs = isRoundDone ? backoffMs(this.#options.backoff, round) : 0;
    this.#lastError = null;
    this.#emit('retrying', delayMs, this.#attempt, error && this.#asConnectionError(error));
    return delayMs;
  }

  #failOver(): void {
    if (this.#servers.length === 1) return;
    this.#serverIndex = (this.#serverIndex + 1) % this.#servers.length;
    // ioredis reads these anew for each connection.
    const { username, password } = this.#server;
    Object.assign(this.client.options, { username, password });
  }

  #rejectUnanswered(): void {
    const { commandQueue } = this.client;
    for (let item = commandQueue.shift(); item; item = commandQueue.shift()) {
      item.command.reject(
        new BrokerConnectionError(`the connection to ${this.displayUrl} was lost before the reply came`),
      );
    }
  }

  #onReplyError(error: Error): 'reconnect-and-resend' | 'reconnect' | 'none' {
    if (!isStaleServer(error)) return 'none';
    this.#lastError = withoutArguments(error);
    return this.#options.resend ? 'reconnect-and-resend' : 'reconnect';
  }

  #onLoading(askAgainMs: number): void {
    if (this.#closing || this.#state === 'closed') return;
    this.#emit(
      'retrying',
      askAgainMs,
      this.#attempt,
      new BrokerConnectionError('the server is still loading its data'),
    );
  }

  #accepts(info: Readonly<Record<string, string>>): boolean {
    if (!this.#server.sentinel || info.role === undefined || info.role === 'master') return true;
    this.#lastError = new BrokerConnectionError(
      `the server Sentinel named is not the master (its role is ${info.role})`,
    );
    return false;
  }

  #onError(error: Error & { command?: { name?: string } }): void {
    const wasSelect = isReplyError(error) && error.command?.name === 'select';
    // Of several errors the first tells, but NOAUTH may be no more than the echo of an AUTH that was refused.
    const isEcho = isReplyError(this.#lastError) && replyWord(this.#lastError) === 'NOAUTH';
    if (this.#lastError === null || isEcho) this.#lastError = withoutArguments(error);
    // ioredis would go on in database 0 when SELECT was refused.
    if (wasSelect) this.client.disconnect(true);
  }

  async #onReady(): Promise<void> {
    if (this.#state === 'closed') return;
    if (this.#prepare) {
      try {
        await this.#prepare();
      } catch (error) {
        // Refused (an ACL, say) or lost meanwhile: the retry that follows tells which.
        if (isReplyError(error)) this.#lastError = withoutArguments(error);
        this.client.disconnect(true);
        return;
      }
      if (this.client.status !== 'ready') return;
    }
    this.#readySince = performance.now();
    this.#wasEverReady = true;
    this.#lastError = null;
    this.#enter('ready');
    this.#emit('ready');
  }

  /** ioredis stopped: because we closed, or because nextTry gave up. */
  #onEnd(): void {
    if (this.#closing || this.#state === 'closed') {
      this.#watchdog.stop();
      this.#enter('closed');
      this.#ended.resolve();
      return;
    }
    this.#enter('dormant');
    this.#emit('gaveUp', this.connectionError());
  }

  #failure(what: string): BrokerConnectionError {
    const error = this.#lastError;
    return new BrokerConnectionError(
      error === null && this.#wasEverReady ? what : `${what}: ${explain(error).message}`,
      {
        cause: error ?? undefined,
      },
    );
  }

  #asConnectionError(error: Error): BrokerConnectionError {
    return error instanceof BrokerConnectionError
      ? error
      : new BrokerConnectionError(explain(error).message, { cause: error });
  }

  #emit<E extends keyof RedisEvents>(event: E, ...args: Parameters<RedisEvents[E]>): void {
    // Later, because this may run in the middle of ioredis' own state change.
    process.nextTick(() => this.#emitter.emit(event, ...args));
  }
}

/** A quarter of the shortest time that is watched, within reason. */
function lookEveryMs({ connectTimeoutMs, replyTimeoutMs, healthCheckMs }: CompleteOptions): number {
  const shortest = Math.min(connectTimeoutMs, replyTimeoutMs ?? Infinity, healthCheckMs ?? Infinity);
  return Math.min(Math.max(shortest / 4, 10), 1_000);
}

function shuffled<T>(items: readonly T[]): T[] {
  const mixed = [...items];
  for (let last = mixed.length - 1; last > 0; last--) {
    const other = Math.floor(Math.random() * (last + 1));
    [mixed[last], mixed[other]] = [mixed[other] as T, mixed[last] as T];
  }
  return mixed;
}
