/**
 * A connection in subscriber mode: SubscriberPort over ioredis. It keeps the list of what is subscribed and subscribes
 * anew on each new socket before `ready` is told, so nothing published after `ready` is missed.
 */

import { BrokerConnectionError } from '../errors.ts';
import { isReplyError, replyError } from './errors.ts';
import { RedisLink } from './link.ts';
import { type RedisOptions } from './options.ts';
import { type MessageListener, type RedisEvents, type SubscriberPort } from './port.ts';
import { type RedisTarget } from './url.ts';

/** Opens nothing yet: connect() or the first subscription does. */
export function openSubscriber(target: RedisTarget, options: RedisOptions = {}): SubscriberPort {
  return new Subscriber(target, options);
}

class Subscriber implements SubscriberPort {
  readonly #link: RedisLink;
  readonly #channels = new Set<string>();
  readonly #patterns = new Set<string>();

  constructor(target: RedisTarget, options: RedisOptions) {
    // Not sent again by ioredis: the new socket is subscribed from our own lists.
    this.#link = new RedisLink(target, { ...options, resend: false }, () => this.#subscribeAgain());
  }

  get isReady(): boolean {
    return this.#link.isReady;
  }

  connect(): Promise<void> {
    return this.#link.connect();
  }

  async subscribe(...channels: string[]): Promise<void> {
    await this.#add(this.#channels, channels, () => this.#link.client.subscribe(...channels));
  }

  async psubscribe(...patterns: string[]): Promise<void> {
    await this.#add(this.#patterns, patterns, () => this.#link.client.psubscribe(...patterns));
  }

  async unsubscribe(...channels: string[]): Promise<void> {
    await this.#remove(this.#channels, channels, () => this.#link.client.unsubscribe(...channels));
  }

  async punsubscribe(...patterns: string[]): Promise<void> {
    await this.#remove(this.#patterns, patterns, () => this.#link.client.punsubscribe(...patterns));
  }

  onMessage(listener: MessageListener): void {
    this.#link.client.on('messageBuffer', (channel: Buffer, payload: Buffer) => {
      listener(channel.toString(), payload, null);
    });
    this.#link.client.on('pmessageBuffer', (pattern: string, channel: Buffer, payload: Buffer) => {
      listener(channel.toString(), payload, pattern);
    });
  }

  on<E extends keyof RedisEvents>(event: E, listener: RedisEvents[E]): void {
    this.#link.on(event, listener);
  }

  close(): Promise<void> {
    return this.#link.close();
  }

  destroy(): void {
    this.#link.destroy();
  }

  async #subscribeAgain(): Promise<void> {
    const { client } = this.#link;
    await Promise.all([
      this.#channels.size > 0 ? client.subscribe(...this.#channels) : null,
      this.#patterns.size > 0 ? client.psubscribe(...this.#patterns) : null,
    ]);
  }

  /** Done when the server confirmed; a loss on the way is made good by the next socket. */
  async #add(list: Set<string>, names: readonly string[], send: () => Promise<unknown>): Promise<void> {
    if (names.length === 0) return;
    for (const name of names) list.add(name);
    const isSocketUp = this.#link.client.status === 'ready';
    if (!isSocketUp) return this.#link.connect();
    try {
      await send();
    } catch (error) {
      if (isReplyError(error)) {
        for (const name of names) list.delete(name);
        throw replyError(error);
      }
      await this.#link.connect();
    }
  }

  async #remove(list: Set<string>, names: readonly string[], send: () => Promise<unknown>): Promise<void> {
    if (names.length === 0) return;
    for (const name of names) list.delete(name);
    if (this.#link.client.status !== 'ready') return;
    try {
      await send();
    } catch (error) {
      if (isReplyError(error)) throw replyError(error);
      // Lost with the connection: the next one is not subscribed.
      if (!(error instanceof Error)) throw new BrokerConnectionError(String(error));
    }
  }
}
