/**
 * The worker's mailbox: remote control messages arrive as a fanout, each is answered to the asker's own queue.
 * Counterparts: kombu/pidbox.py Node, 5.6, and celery/worker/pidbox.py, 5.6.3. Commands are a table handed in.
 */
import { randomUUID } from 'node:crypto';
import type { Logger } from '../log.ts';
import { decodeEnvelope, readBody, type Envelope } from '../protocol/envelope.ts';
import { dumps } from '../protocol/json.ts';
import { pyRepr } from '../protocol/python-repr.ts';
import type { SubscriberPort } from '../redis/port.ts';
import type { Background } from '../util/background.ts';
import { globToRegExp } from '../util/glob.ts';

/** Arguments by name; what it returns is the reply. */
export type ControlCommand = (args: Readonly<Record<string, unknown>>) => unknown;

export interface PidboxOptions {
  readonly nodename: string;
  readonly subscriber: SubscriberPort;
  /** Channel of the control exchange. */
  readonly channel: string;
  readonly accept: ReadonlySet<string>;
  readonly maxBodyBytes: number;
  readonly logger: Logger;
  readonly background: Background;
  readonly commands: Readonly<Record<string, ControlCommand>>;
  readonly reply: (exchange: string, routingKey: string, envelope: Envelope) => Promise<boolean>;
  /** Announces the mailbox where askers look for it, and takes it away again. */
  readonly declare: () => Promise<unknown>;
  readonly remove: () => Promise<unknown>;
}

interface ControlMessage {
  readonly method: string;
  readonly args: Readonly<Record<string, unknown>>;
  readonly destination: readonly string[] | null;
  readonly pattern: string | null;
  readonly matcher: string | null;
  readonly ticket: string | null;
  readonly replyTo: { readonly exchange: string; readonly routingKey: string } | null;
}

export class Pidbox {
  readonly #options: PidboxOptions;
  #clock = 0;

  constructor(options: PidboxOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    const { subscriber, channel, declare } = this.#options;
    subscriber.onMessage((_channel, payload) => this.#receive(payload));
    await subscriber.connect();
    // Not PSUBSCRIBE, as kombu does: an ACL allows a pattern only where the rule names the very same one.
    await subscriber.subscribe(channel);
    await declare();
  }

  async stop(): Promise<void> {
    const { subscriber, remove } = this.#options;
    await subscriber.close();
    await remove();
  }

  #receive(payload: Buffer): void {
    const { background, logger } = this.#options;
    background.run(
      'a control command',
      this.#handle(payload).catch((error: unknown) => {
        logger.error(`Control message could not be handled: ${error instanceof Error ? error.message : String(error)}`);
      }),
    );
  }

  async #handle(payload: Buffer): Promise<void> {
    const { accept, maxBodyBytes, nodename, logger } = this.#options;
    const envelope = decodeEnvelope(payload.toString());
    this.#clock = Math.max(this.#clock, Number(envelope.headers['clock']) || 0) + 1;
    const message = readControlMessage(await readBody(envelope, { accept, maxBytes: maxBodyBytes }));
    if (!isAddressed(message, nodename)) return;
    logger.debug(`pidbox received method ${message.method}(${pyRepr(message.args)})`);
    const reply = await this.#execute(message);
    if (message.replyTo !== null) await this.#reply(message, reply);
  }

  async #execute({ method, args }: ControlMessage): Promise<unknown> {
    const { commands, logger } = this.#options;
    // Celery answers with the repr of the exception, and so do we.
    if (!Object.hasOwn(commands, method)) return { error: `KeyError(${pyRepr(method)})` };
    try {
      return (await (commands[method] as ControlCommand)(args)) ?? null;
    } catch (error) {
      const { name, message } = error instanceof Error ? error : new Error(String(error));
      logger.error(`Error while handling control command ${method}: ${message}`);
      return { error: `${name}(${pyRepr(message)})` };
    }
  }

  async #reply({ ticket, replyTo }: ControlMessage, reply: unknown): Promise<void> {
    if (replyTo === null) return;
    const { nodename, reply: send } = this.#options;
    this.#clock += 1;
    await send(replyTo.exchange, replyTo.routingKey, {
      body: Buffer.from(dumps({ [nodename]: reply })).toString('base64'),
      contentType: 'application/json',
      contentEncoding: 'utf-8',
      headers: { ticket, clock: this.#clock },
      properties: {
        delivery_mode: 1,
        delivery_info: { exchange: replyTo.exchange, routing_key: replyTo.routingKey },
        priority: 0,
        body_encoding: 'base64',
        delivery_tag: randomUUID(),
      },
    });
  }
}

function readControlMessage(body: unknown): ControlMessage {
  if (typeof body !== 'object' || body === null) throw new Error('a control message is an object');
  const {
    method,
    arguments: args,
    destination,
    pattern,
    matcher,
    ticket,
    reply_to: replyTo,
  } = body as Record<string, unknown>;
  if (typeof method !== 'string') throw new Error('a control message names its method');
  const to = typeof replyTo === 'object' && replyTo !== null ? (replyTo as Record<string, unknown>) : null;
  const isReplyable = to !== null && typeof to['exchange'] === 'string' && typeof to['routing_key'] === 'string';
  return {
    method,
    args: typeof args === 'object' && args !== null && !Array.isArray(args) ? (args as Record<string, unknown>) : {},
    destination: Array.isArray(destination) && destination.length > 0 ? destination.map(String) : null,
    pattern: typeof pattern === 'string' ? pattern : null,
    matcher: typeof matcher === 'string' ? matcher : null,
    ticket: typeof ticket === 'string' ? ticket : null,
    replyTo: isReplyable ? { exchange: to['exchange'] as string, routingKey: to['routing_key'] as string } : null,
  };
}

/** Kombu: Node.should_handle, pidbox.py handle_message. */
function isAddressed({ destination, pattern, matcher }: ControlMessage, nodename: string): boolean {
  if (destination !== null) return destination.includes(nodename);
  if (pattern === null || matcher === null) return true;
  if (matcher === 'glob') return globToRegExp(pattern).test(nodename);
  if (matcher === 'pcre') return new RegExp(`^(?:${pattern})`).test(nodename);
  return false;
}
