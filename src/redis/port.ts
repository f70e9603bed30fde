/**
 * What celeriac needs of a Redis client, in a dozen members, so that the client library can be exchanged (ADR 4) and
 * nothing but src/redis knows its name. One port is one socket: a blocking read or a subscription owns its own.
 */

export type RedisArgument = string | number | Buffer;
export type RedisCommand = readonly [name: string, ...args: RedisArgument[]];

/** A Lua script. Its text documents KEYS, ARGV and what it returns; run by digest, sent whole once per server. */
export interface Script {
  readonly name: string;
  readonly lua: string;
}

/**
 * `ready`: usable (first time or again). `lost`: the socket went away. `retrying`: the next try comes in `delayMs`,
 * or the next look at a server that is loading.
 * `gaveUp`: no further try comes by itself, as the options say; the next command begins anew.
 */
export interface RedisEvents {
  ready: () => void;
  lost: (error: Error | null) => void;
  retrying: (delayMs: number, attempt: number, error: Error | null) => void;
  gaveUp: (error: Error) => void;
}

/**
 * Replies are as RESP2 gives them, whatever the case of the command's name: HGETALL is a flat list, nil is null. A refusal
 * of Redis rejects with RedisReplyError, a lost connection with BrokerConnectionError. Commands issued while the connection
 * is down wait for it; those without a reply when it was lost are sent again (see RedisOptions.resend), so they must be
 * idempotent.
 */
export interface RedisPort {
  /** The URL as Celery logs it, redis://host:port/db; a password is `**`. */
  readonly displayUrl: string;
  readonly isReady: boolean;

  /** Settles when the connection is usable; rejects with BrokerConnectionError when it gave up or was refused for good. */
  connect(): Promise<void>;
  command(...command: RedisCommand): Promise<unknown>;
  /** As `command`, bulk strings of the reply as Buffers: for bytes that need not be UTF-8. */
  commandBuffers(...command: RedisCommand): Promise<unknown>;
  run(script: Script, keys: readonly string[], args: readonly RedisArgument[]): Promise<unknown>;
  runBuffers(script: Script, keys: readonly string[], args: readonly RedisArgument[]): Promise<unknown>;
  /** Sends all in one write; the reply of each, or its Error, in order. Rejects only when the connection is lost. */
  pipeline(commands: readonly RedisCommand[]): Promise<unknown[]>;
  /** MULTI ... EXEC in one write; rejects when any command was refused. */
  transaction(commands: readonly RedisCommand[]): Promise<unknown[]>;

  on<E extends keyof RedisEvents>(event: E, listener: RedisEvents[E]): void;
  off<E extends keyof RedisEvents>(event: E, listener: RedisEvents[E]): void;

  /** Waits for what was sent (5 s at most; so rather destroy() a blocking read), then closes. Idempotent. */
  close(): Promise<void>;
  /** Drops the socket at once; whatever waits is rejected. */
  destroy(): void;
}

/** Called with the bytes published; `pattern` is null for a plain subscription. */
export type MessageListener = (channel: string, payload: Buffer, pattern: string | null) => void;

/** A connection in subscriber mode. Subscriptions are made again after a reconnect, before `ready` is emitted. */
export interface SubscriberPort {
  readonly isReady: boolean;
  connect(): Promise<void>;
  subscribe(...channels: string[]): Promise<void>;
  unsubscribe(...channels: string[]): Promise<void>;
  psubscribe(...patterns: string[]): Promise<void>;
  punsubscribe(...patterns: string[]): Promise<void>;
  onMessage(listener: MessageListener): void;
  on<E extends keyof RedisEvents>(event: E, listener: RedisEvents[E]): void;
  close(): Promise<void>;
  destroy(): void;
}
