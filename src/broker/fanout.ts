/** Names of fanout channels. Kombu 5.6, transport/redis.py: fanout_prefix, fanout_patterns, _get_publish_topic. */

export interface FanoutOptions {
  readonly database: number;
  readonly globalKeyprefix?: string;
  /** `true`: `/<db>.`; a text (with `{db}`) instead of it; `false`: none. */
  readonly prefix?: boolean | string;
  /** Whether the routing key is part of the channel. */
  readonly patterns?: boolean;
}

export class FanoutChannels {
  readonly #prefix: string;
  readonly #patterns: boolean;

  constructor({ database, globalKeyprefix = '', prefix = true, patterns = true }: FanoutOptions) {
    const template = prefix === true ? '/{db}.' : prefix === false ? '' : prefix;
    this.#prefix = globalKeyprefix + template.replaceAll('{db}', String(database));
    this.#patterns = patterns;
  }

  /** The channel of an exchange, and of a routing key where channels carry them. */
  channel(exchange: string, routingKey = ''): string {
    return this.#prefix + exchange + (this.#patterns && routingKey !== '' ? `/${routingKey}` : '');
  }

  /** What to PSUBSCRIBE for a binding key: its `#` becomes a star. */
  pattern(exchange: string, bindingKey = ''): string {
    return this.channel(exchange, bindingKey.replaceAll('#', '*'));
  }
}
