/**
 * A connection to Redis as celeriac uses it: RedisPort over ioredis. Each call makes one ioredis command and one promise
 * handler, nothing else; what a connection's life needs is in link.ts. Replies are as RESP2 gives them: HGETALL is a flat
 * list, a nil is null, integers are numbers, whatever the case of the command's name.
 */

import { createHash } from 'node:crypto';
import { Command } from 'ioredis';
import { BrokerConnectionError, type RedisReplyError } from '../errors.ts';
import { asError, isReplyError, isStaleServer, replyError, replyWord } from './errors.ts';
import { RedisLink } from './link.ts';
import { type RedisOptions } from './options.ts';
import { type RedisArgument, type RedisCommand, type RedisEvents, type RedisPort, type Script } from './port.ts';
import { type RedisTarget } from './url.ts';

/** Opens nothing yet: connect() or the first command does. */
export function openRedis(target: RedisTarget, options: RedisOptions = {}): RedisPort {
  return new RedisConnection(target, options);
}

type Reply = 'text' | 'bytes';

const TEXT = { replyEncoding: 'utf8' } as const;
const BYTES = { replyEncoding: null } as const;

/** ioredis' words for a MULTI whose replies came only in part. */
const ABORTED = 'Command aborted due to connection close';

/** Often enough for a failover to settle. */
const TRANSACTION_TRIES = 4;

const LOAD_TRIES = 4;

const digests = new WeakMap<Script, string>();

function digestOf(script: Script): string {
  let digest = digests.get(script);
  if (digest === undefined) {
    digest = createHash('sha1').update(script.lua).digest('hex');
    digests.set(script, digest);
  }
  return digest;
}

function isNoScript(error: unknown): boolean {
  return isReplyError(error) && replyWord(error) === 'NOSCRIPT';
}

class RedisConnection implements RedisPort {
  readonly #link: RedisLink;
  readonly #resend: boolean;
  /** SCRIPT LOADs under way, by digest, so that many calls at once load a script once. */
  readonly #loading = new Map<string, Promise<unknown>>();
  readonly #reject: (error: unknown) => never;

  constructor(target: RedisTarget, options: RedisOptions) {
    this.#link = new RedisLink(target, options);
    this.#resend = options.resend ?? true;
    this.#reject = (error) => {
      throw this.#translate(error);
    };
  }

  get displayUrl(): string {
    return this.#link.displayUrl;
  }

  get isReady(): boolean {
    return this.#link.isReady;
  }

  connect(): Promise<void> {
    return this.#link.connect();
  }

  command(...[name, ...args]: RedisCommand): Promise<unknown> {
    return this.#send(name, args, 'text').catch(this.#reject);
  }

  commandBuffers(...[name, ...args]: RedisCommand): Promise<unknown> {
    return this.#send(name, args, 'bytes').catch(this.#reject);
  }

  run(script: Script, keys: readonly string[], args: readonly RedisArgument[]): Promise<unknown> {
    return this.#evaluate(script, keys, args, 'text');
  }

  runBuffers(script: Script, keys: readonly string[], args: readonly RedisArgument[]): Promise<unknown> {
    return this.#evaluate(script, keys, args, 'bytes');
  }

  async pipeline(commands: readonly RedisCommand[]): Promise<unknown[]> {
    const sent = this.#together(() => commands.map(([name, ...args]) => this.#send(name, args, 'text')));
    return Promise.all(
      sent.map((reply) =>
        reply.catch((error: unknown) => {
          const translated = this.#translate(error);
          if (translated instanceof BrokerConnectionError) throw translated;
          return translated;
        }),
      ),
    );
  }

  async transaction(commands: readonly RedisCommand[]): Promise<unknown[]> {
    for (let triesLeft = TRANSACTION_TRIES - 1; ; triesLeft--) {
      try {
        return await this.#transact(commands);
      } catch (error) {
        const { message } = asError(error);
        const mayBeSentAgain = message === ABORTED || isStaleServer(asError(error));
        if (!mayBeSentAgain || !this.#resend || triesLeft === 0) throw this.#translate(error);
      }
    }
  }

  on<E extends keyof RedisEvents>(event: E, listener: RedisEvents[E]): void {
    this.#link.on(event, listener);
  }

  off<E extends keyof RedisEvents>(event: E, listener: RedisEvents[E]): void {
    this.#link.off(event, listener);
  }

  close(): Promise<void> {
    return this.#link.close();
  }

  destroy(): void {
    this.#link.destroy();
  }

  #send(name: string, args: readonly RedisArgument[], reply: Reply): Promise<unknown> {
    // Upper case, because ioredis reshapes the replies of commands it knows by their lower-case names.
    return this.#dispatch(new Command(name.toUpperCase(), args as RedisArgument[], reply === 'text' ? TEXT : BYTES));
  }

  #dispatch(command: Command): Promise<unknown> {
    if (this.#link.isDormant) this.#link.begin();
    this.#link.client.sendCommand(command);
    return command.promise;
  }

  #evaluate(script: Script, keys: readonly string[], args: readonly RedisArgument[], reply: Reply): Promise<unknown> {
    const call: RedisArgument[] = [digestOf(script), keys.length, ...keys, ...args];
    return this.#send('EVALSHA', call, reply).catch((error: unknown) => {
      if (isNoScript(error)) return this.#loadAndEvaluate(script, call, reply);
      throw this.#translate(error, `script ${script.name}: `);
    });
  }

  async #loadAndEvaluate(script: Script, call: readonly RedisArgument[], reply: Reply): Promise<unknown> {
    const digest = digestOf(script);
    try {
      for (let triesLeft = LOAD_TRIES - 1; ; triesLeft--) {
        let loading = this.#loading.get(digest);
        if (!loading) {
          loading = this.#send('SCRIPT', ['LOAD', script.lua], 'text').finally(() => this.#loading.delete(digest));
          this.#loading.set(digest, loading);
        }
        await loading;
        try {
          return await this.#send('EVALSHA', call, reply);
        } catch (error) {
          // A failover between the two led to a server that does not know it either.
          if (!isNoScript(error) || triesLeft === 0) throw error;
        }
      }
    } catch (error) {
      throw this.#translate(error, `script ${script.name}: `);
    }
  }

  async #transact(commands: readonly RedisCommand[]): Promise<unknown[]> {
    const exec = new Command('exec', [], TEXT);
    // Lower case and numbered, because ioredis finds half-answered transactions by these after a loss.
    const frame = [
      new Command('multi', [], TEXT),
      ...commands.map(([name, ...args]) => new Command(name.toUpperCase(), args, TEXT)),
      exec,
    ];
    const replies = this.#together(() =>
      frame.map((command, index) => {
        command.inTransaction = true;
        command.pipelineIndex = index;
        return this.#dispatch(command);
      }),
    );
    const outcomes = await Promise.allSettled(replies);
    // A command refused before EXEC tells more than EXEC's own "discarded because of previous errors".
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
    const results = (outcomes.at(-1) as PromiseFulfilledResult<unknown[]>).value;
    for (const result of results) if (isReplyError(result)) throw result;
    return results;
  }

  /** All that `write` sends goes out in one write, where a socket is there; else it waits in order. */
  #together<T>(write: () => T): T {
    const stream = this.#link.isReady ? this.#link.client.stream : null;
    stream?.cork();
    try {
      return write();
    } finally {
      stream?.uncork();
    }
  }

  #translate(error: unknown, context = ''): RedisReplyError | BrokerConnectionError {
    if (error instanceof BrokerConnectionError) return error;
    if (isReplyError(error)) return replyError(error, context);
    return this.#link.connectionError();
  }
}
