/**
 * Exchanges, bindings and where a message goes. Redis keeps only the bindings, one set per exchange; the type of an
 * exchange is what each process believes it to be. Kombu 5.6: transport/redis.py (_queue_bind, get_table, _lookup) and
 * transport/virtual/exchange.py.
 */
import type { RedisPort } from '../redis/port.ts';
import type { BrokerKeys } from './keys.ts';

export type ExchangeType = 'direct' | 'topic' | 'fanout';

export interface Binding {
  readonly routingKey: string;
  /** For topic exchanges the regular expression kombu made of the key, else ''. */
  readonly pattern: string;
  readonly queue: string;
}

/** `^...$`, words joined by dots; `*` and `#` as kombu translates them (its `*` also spans several words). */
export function topicPattern(key: string): string {
  const words = key.split('.').map((word) => {
    if (word === '*') return '.*?[^\\.]';
    if (word === '#') return '.*?';
    return escapeWord(word);
  });
  return `^${words.join('\\.')}$`;
}

// Kombu 5.6, utils/text.py escape_regex: all but letters, digits and `.#*` get a backslash.
function escapeWord(word: string): string {
  return word.replace(/[^\p{L}\p{N}.#*]/gu, (c) => (c === '\0' ? '\\000' : `\\${c}`));
}

export function bindingMember(keys: BrokerKeys, binding: Binding): string {
  return [binding.routingKey, binding.pattern, binding.queue].join(keys.separator);
}

export function parseBinding(keys: BrokerKeys, member: string): Binding | undefined {
  const [routingKey, pattern, queue] = member.split(keys.separator);
  if (routingKey === undefined || pattern === undefined || queue === undefined) return undefined;
  return { routingKey, pattern, queue };
}

/** Queues of `bindings` that a message with `routingKey` reaches through an exchange of `type`. */
export function matchBindings(bindings: readonly Binding[], type: ExchangeType, routingKey: string): string[] {
  const queues = bindings.filter((binding) => {
    if (type === 'fanout') return true;
    if (type === 'direct') return binding.routingKey === routingKey;
    return matchesPattern(binding.pattern, routingKey);
  });
  return [...new Set(queues.map((binding) => binding.queue))];
}

function matchesPattern(pattern: string, routingKey: string): boolean {
  try {
    return new RegExp(pattern).test(routingKey);
  } catch {
    // A pattern of somebody else that is no regular expression here binds nothing.
    return false;
  }
}

export class Bindings {
  readonly #redis: RedisPort;
  readonly #keys: BrokerKeys;
  readonly #exchangeTypes: ReadonlyMap<string, ExchangeType>;
  readonly #declared = new Set<string>();

  constructor(redis: RedisPort, keys: BrokerKeys, exchangeTypes: ReadonlyMap<string, ExchangeType> = new Map()) {
    this.#redis = redis;
    this.#keys = keys;
    this.#exchangeTypes = exchangeTypes;
    // A server that restarted empty has lost the bindings.
    redis.on('lost', () => this.#declared.clear());
  }

  typeOf(exchange: string): ExchangeType {
    return this.#exchangeTypes.get(exchange) ?? 'direct';
  }

  /** Writes a queue's binding, once per connection. */
  async declare(queue: string, exchange: string, routingKey: string): Promise<void> {
    const type = this.typeOf(exchange);
    const member = bindingMember(this.#keys, {
      routingKey,
      pattern: type === 'topic' ? topicPattern(routingKey) : '',
      queue,
    });
    const key = this.#keys.binding(exchange);
    if (this.#declared.has(key + member)) return;
    await this.#redis.command('SADD', key, member);
    this.#declared.add(key + member);
  }

  /** Where a message goes; the anonymous exchange needs no look-up. Empty: it is dropped, as kombu does. */
  async lookup(exchange: string, routingKey: string): Promise<string[]> {
    if (exchange === '') return [routingKey];
    const members = (await this.#redis.command('SMEMBERS', this.#keys.binding(exchange))) as string[];
    const bindings = members.map((member) => parseBinding(this.#keys, member)).filter((b) => b !== undefined);
    return matchBindings(bindings, this.typeOf(exchange), routingKey);
  }
}
