/**
 * The queues an app knows: those of `task_queues`, or else its default queue; and others by name as they are used, where
 * `task_create_missing_queues` allows it. Counterpart: celery/app/amqp.py Queues and AMQP.Queues, 5.6.3.
 *
 * Differs from Celery: a queue made because somebody sent to it is known from then on, but never consumed for that.
 */
import type { Config } from '../config/config.ts';
import { ConfigError } from '../errors.ts';
import { nearestName } from '../util/nearest.ts';
import { queueBindings, workerDirectQueue, type ExchangeType, type QueueDeclaration } from './queue.ts';
import { readExchangeType, readQueue, type QueueDefaults } from './read-queue.ts';

/** What a worker is told to consume. */
export interface QueueSelection {
  /** -Q: these only. */
  readonly include?: readonly string[] | undefined;
  /** -X: all but these. */
  readonly exclude?: readonly string[] | undefined;
  readonly nodename: string;
}

export class Queues {
  readonly defaults: QueueDefaults;
  readonly #config: Config;
  readonly #configured: readonly QueueDeclaration[];
  readonly #byName = new Map<string, QueueDeclaration>();
  readonly #exchangeTypes = new Map<string, ExchangeType>();

  /** @throws ConfigError when a setting about queues is unsound, or two of them contradict each other. */
  constructor(config: Config) {
    this.#config = config;
    const name = config.taskDefaultQueue;
    this.defaults = {
      exchange: config.taskDefaultExchange || name,
      exchangeType: readExchangeType(config.taskDefaultExchangeType, 'task_default_exchange_type'),
      routingKey: config.taskDefaultRoutingKey || name,
    };
    const declared = readTaskQueues(config.taskQueues, this.defaults, (missing) => this.#missing(missing));
    this.#configured = declared.length > 0 ? declared : [{ name, ...this.defaults }];
    for (const queue of this.#configured) {
      if (this.#byName.has(queue.name)) throw new ConfigError(`task_queues: queue "${queue.name}" is there twice`);
      this.#add(queue);
    }
  }

  /** What each exchange of a known queue is. */
  get exchangeTypes(): ReadonlyMap<string, ExchangeType> {
    return this.#exchangeTypes;
  }

  /** The queue of tasks that name none. */
  get defaultName(): string {
    return this.#config.taskDefaultQueue;
  }

  /** The queue of this name or alias, made where it is missing. @throws ConfigError when it must not be made. */
  get(name: string): QueueDeclaration {
    const queue = this.find(name);
    if (queue !== undefined) return queue;
    const known = this.#configured.map((each) => each.alias ?? each.name);
    const nearest = nearestName(name, known);
    throw new ConfigError(
      `unknown queue ${JSON.stringify(name)} (known: ${known.join(', ')})${nearest === null ? '' : `, did you mean "${nearest}"?`} ` +
        'Add it to task_queues, or set task_create_missing_queues to true',
    );
  }

  /** As `get`; undefined where it is missing and must not be made. */
  find(name: string): QueueDeclaration | undefined {
    const known = this.#known(name);
    if (known !== undefined || !this.#config.taskCreateMissingQueues) return known;
    const made = this.#missing(name);
    this.#add(made);
    return made;
  }

  /** Whether `name` is a queue of the settings, or one that was made. */
  has(name: string): boolean {
    return this.#known(name) !== undefined;
  }

  /** The queues a worker consumes. @throws ConfigError for names that are unknown, or when none is left. */
  select({ include = [], exclude = [], nodename }: QueueSelection): QueueDeclaration[] {
    const wanted = include.length > 0 ? include.map((name) => this.get(name)) : this.#configured;
    const selected = new Set(
      wanted.filter(({ name, alias }) => !exclude.includes(name) && (alias === undefined || !exclude.includes(alias))),
    );
    if (this.#config.workerDirect) {
      const direct = workerDirectQueue(nodename);
      this.#add(direct);
      selected.add(direct);
    }
    if (selected.size > 0) return [...selected];
    throw new ConfigError(
      `no queue is left to consume: -X excludes ${exclude.join(', ')} of ${wanted.map(({ name }) => name).join(', ')}`,
    );
  }

  #known(name: string): QueueDeclaration | undefined {
    return this.#byName.get(name) ?? this.#configured.find((queue) => queue.alias === name);
  }

  /** Celery: Queues.new_missing. */
  #missing(name: string): QueueDeclaration {
    const type = this.#config.taskCreateMissingQueueExchangeType || 'direct';
    const exchangeType = readExchangeType(type, 'task_create_missing_queue_exchange_type');
    return { name, exchange: name, exchangeType, routingKey: name };
  }

  #add(queue: QueueDeclaration): void {
    for (const { exchange, exchangeType } of queueBindings(queue)) {
      const known = this.#exchangeTypes.get(exchange);
      // Kombu: virtual/base.py exchange_declare, NotEquivalentError.
      if (known !== undefined && known !== exchangeType) {
        throw new ConfigError(
          `queue "${queue.name}": its exchange "${exchange}" is ${exchangeType} here, and ${known} for another queue`,
        );
      }
      this.#exchangeTypes.set(exchange, exchangeType);
    }
    this.#byName.set(queue.name, queue);
  }
}

/**
 * `task_queues` is a dict by name, or a list: of queues, and of names, which stand for what would be made of them if they
 * were missing.
 */
function readTaskQueues(
  setting: unknown,
  defaults: QueueDefaults,
  missing: (name: string) => QueueDeclaration,
): QueueDeclaration[] {
  if (setting === undefined || setting === null) return [];
  if (Array.isArray(setting)) {
    return setting.map((entry: unknown) =>
      typeof entry === 'string' && entry !== '' ? missing(entry) : readQueue(entry, undefined, defaults),
    );
  }
  if (typeof setting !== 'object') {
    throw new ConfigError(`task_queues must be a list of queues or a dict by name, not ${JSON.stringify(setting)}`);
  }
  return Object.entries(setting).map(([name, entry]) => readQueue(entry, name, defaults));
}
