/**
 * The only `new Redis`: ioredis with its own dialling, retrying, key prefixes and reply shapes switched off or replaced,
 * so that what a port does is decided in this folder. RESP2 always: the replies are the same for every server and proxy,
 * and nothing here needs RESP3 (ADR 4).
 */

import { Socket } from 'node:net';
import { AbstractConnector, Redis } from 'ioredis';
import { asError } from './errors.ts';

export interface ClientOptions {
  readonly username: string | null;
  readonly password: string | null;
  readonly db: number;
  readonly clientName: string | null;
  /** Opens the socket of the next try; a rejection counts as a failed try. */
  dial(signal: AbortSignal): Promise<Socket>;
  /** The pause before the next try in milliseconds, or null to give up. Called once per lost connection or failed try. */
  nextTry(): number | null;
  /** What to do with a command that was answered with this error: reconnect and send it again, reconnect, or neither. */
  onReplyError(error: Error): 'reconnect-and-resend' | 'reconnect' | 'none';
  /** The server was reached, but still loads its data; it is asked again in so many milliseconds. */
  onLoading(askAgainMs: number): void;
  /** Whether the server just reached may be used, by its INFO. */
  accepts(info: Readonly<Record<string, string>>): boolean;
}

/** ioredis waits as long as a loading server thinks it needs, but no longer than this between two looks. */
const LOOK_AT_LOADING_MS = 1_000;

/** How long the server may take to close its side. */
const END_PATIENCE_MS = 2_000;

class Client extends Redis {
  /** ioredis rejects all waiting commands when a handshake fails; here they wait for the tries to end. */
  override recoverFromFatalError(...[commandError, error, flush]: Parameters<Redis['recoverFromFatalError']>): void {
    // `flush` is given only for bytes that are no RESP: then the replies of what was sent are lost for good.
    if ((flush as unknown) !== undefined) {
      super.recoverFromFatalError(commandError, error, flush);
      return;
    }
    this.silentEmit('error', error);
    this.disconnect(true);
  }

  /** One command of a MULTI must never be sent again alone, outside it. */
  override handleReconnection(...[error, item]: Parameters<Redis['handleReconnection']>): void {
    if (!('inTransaction' in item.command && item.command.inTransaction)) {
      super.handleReconnection(error, item);
      return;
    }
    if (this.options.reconnectOnError?.(error)) this.disconnect(true);
    item.command.reject(error);
  }
}

export function createClient(options: ClientOptions): Redis {
  /** ioredis takes a class: it makes one connector per client and asks it for each new socket. */
  class Connector extends AbstractConnector {
    #abort: AbortController | null = null;

    constructor() {
      super(END_PATIENCE_MS);
    }

    override async connect(): Promise<Socket> {
      this.connecting = true;
      this.#abort = new AbortController();
      try {
        const socket = await options.dial(this.#abort.signal);
        socket.once('error', (error) => (this.firstError = error));
        this.stream = socket;
      } catch (error) {
        // A rejection would end the client for good; a dead socket with its error is a failed try like any other.
        this.firstError = asError(error);
        this.stream = new Socket();
        this.stream.destroy();
      }
      return this.stream;
    }

    override check(info: unknown): boolean {
      return options.accepts((info ?? {}) as Readonly<Record<string, string>>);
    }

    override disconnect(): void {
      this.connecting = false;
      this.#abort?.abort();
      const stream = this.stream as Socket | undefined;
      if (!stream || stream.destroyed) return;
      stream.end();
      const timer = setTimeout(() => stream.destroy(), END_PATIENCE_MS);
      timer.unref();
      stream.once('close', () => clearTimeout(timer));
    }
  }

  const client = new Client({
    Connector,
    lazyConnect: true,
    protocol: 2,
    maxLoadingRetryTime: LOOK_AT_LOADING_MS,
    username: options.username ?? undefined,
    password: options.password ?? undefined,
    db: options.db,
    connectionName: options.clientName ?? undefined,
    disableClientInfo: true,
    maxRetriesPerRequest: null,
    enableAutoPipelining: false,
    autoResubscribe: false,
    keepAlive: 30_000,
    retryStrategy: () => options.nextTry(),
    reconnectOnError: (error: Error) => {
      const decision = options.onReplyError(error);
      return decision === 'reconnect-and-resend' ? 2 : decision === 'reconnect' ? 1 : false;
    },
  });
  // Only ioredis' own look at a fresh connection goes this way; it keeps to itself that the server is loading.
  const info = client.info.bind(client) as (callback: InfoCallback) => Promise<string>;
  client.info = ((callback: InfoCallback) =>
    info((error, text) => {
      if (typeof text === 'string' && /^loading:1/m.test(text)) options.onLoading(LOOK_AT_LOADING_MS);
      callback(error, text);
    })) as typeof client.info;
  return client;
}

type InfoCallback = (error?: Error | null, text?: string) => void;
