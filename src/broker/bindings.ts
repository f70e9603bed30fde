/**
 * Exchanges, bindings and where a message goes. Redis keeps only the bindings, one set per exchange; the type of an
 * exchange is what each process believes it to be. Kombu 5.6: transport/redis.py (_queue_bind, get_table, _lookup) and
 * transport/virtual/exchange.py.
 */
import type { RedisPort, Script } from '../redis/port.ts';
import type { BrokerKeys } from './keys.ts';
import { queueBindings, type ExchangeType, type QueueDeclaration } from './queue.ts';

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

/** The sets a queue's bindings are kept in, and their members there. */
export function bindingsOf(keys: BrokerKeys, queue: QueueDeclaration): { key: string; member: string }[] {
  return queueBindings(queue).map(({ exchange, exchangeType, routingKey }) => ({
    key: keys.binding(exchange),
    member: bindingMember(keys, {
      routingKey,
      pattern: exchangeType === 'topic' ? topicPattern(routingKey) : '',
      queue: queue.name,
    }),
  }));
}

/**
 * Queues of `bindings` that a message with `routingKey` reaches through an exchange of `type`. Of an exchange nobody here
 * declared, each binding tells itself whether it is a topic's: by its pattern. Kombu takes all of them for direct ones.
 */
export function matchBindings(
  bindings: readonly Binding[],
  type: ExchangeType | undefined,
  routingKey: string,
): string[] {
  const queues = bindings.filter((binding) => {
    if (type === 'fanout') return true;
    if (type === 'topic' || (type === undefined && binding.pattern !== ''))
      return matchesPattern(binding.pattern, routingKey);
    return binding.routingKey === routingKey;
  });
  return [...new Set(queues.map((binding) => binding.queue))];
}

/** Patterns met lately, compiled; null: no regular expression. */
const compiled = new Map<string, RegExp | null>();
const MAX_COMPILED = 1000;

function matchesPattern(pattern: string, routingKey: string): boolean {
  let expression = compiled.get(pattern);
  if (expression === undefined) {
    if (compiled.size >= MAX_COMPILED) compiled.clear();
    expression = compile(pattern);
    compiled.set(pattern, expression);
  }
  return expression?.test(routingKey) ?? false;
}

function compile(pattern: string): RegExp | null {
  try {
    return new RegExp(pattern);
  } catch {
    // A pattern of somebody else that is no regular expression here binds nothing.
    return null;
  }
}

/** Written also where Redis is out of memory: whoever binds a queue then is about to empty it. KEYS 1 set  ARGV 1 member */
const BIND: Script = {
  name: 'bind',
  lua: `
-- always allowed, and a script that has written may go on
redis.call('PERSIST', KEYS[1])
return redis.call('SADD', KEYS[1], ARGV[1])
`,
};

export async function addBinding(redis: RedisPort, key: string, member: string): Promise<void> {
  await redis.run(BIND, [key], [member]);
}

export class Bindings {
  readonly #redis: RedisPort;
  readonly #keys: BrokerKeys;
  readonly #exchangeTypes: Map<string, ExchangeType>;
  readonly #declared = new Set<string>();
  /** Queues declared whole: who sends asks for each message. */
  #queues = new WeakSet<QueueDeclaration>();

  constructor(redis: RedisPort, keys: BrokerKeys, exchangeTypes: ReadonlyMap<string, ExchangeType> = new Map()) {
    this.#redis = redis;
    this.#keys = keys;
    this.#exchangeTypes = new Map(exchangeTypes);
    // A server that restarted empty has lost the bindings.
    redis.on('lost', () => {
      this.#declared.clear();
      this.#queues = new WeakSet();
    });
  }

  /** Undefined: nobody declared it here. */
  typeOf(exchange: string): ExchangeType | undefined {
    return this.#exchangeTypes.get(exchange);
  }

  /** Whether a queue's bindings were written on this connection. */
  isDeclared(queue: QueueDeclaration): boolean {
    return this.#queues.has(queue);
  }

  /** Writes a queue's bindings, once per connection, and remembers the types of its exchanges. */
  async declare(queue: QueueDeclaration): Promise<void> {
    for (const { exchange, exchangeType } of queueBindings(queue)) this.#exchangeTypes.set(exchange, exchangeType);
    for (const { key, member } of bindingsOf(this.#keys, queue)) {
      if (this.#declared.has(key + member)) continue;
      await addBinding(this.#redis, key, member);
      this.#declared.add(key + member);
    }
    this.#queues.add(queue);
  }

  /** Takes a queue's bindings away again. */
  async remove(queue: QueueDeclaration): Promise<void> {
    this.#queues.delete(queue);
    for (const { key, member } of bindingsOf(this.#keys, queue)) {
      this.#declared.delete(key + member);
      await this.#redis.command('SREM', key, member);
    }
  }

  /** Where a message goes; the anonymous exchange needs no look-up. Empty: it is dropped, as kombu does. */
  async lookup(exchange: string, routingKey: string): Promise<string[]> {
    if (exchange === '') return [routingKey];
    const members = (await this.#redis.command('SMEMBERS', this.#keys.binding(exchange))) as string[];
    const bindings = members.map((member) => parseBinding(this.#keys, member)).filter((b) => b !== undefined);
    return matchBindings(bindings, this.typeOf(exchange), routingKey);
  }
}
