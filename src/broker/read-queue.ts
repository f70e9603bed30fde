/**
 * Reads a queue of the setting `task_queues`, under Celery's names or camelCase. Counterparts: celery/app/amqp.py Queues.add
 * and add_compat, 5.6.3; kombu/entity.py Queue and Queue.from_dict, 5.6.
 *
 * What else kombu's queues have (durable, exclusive, x-arguments ...) is for AMQP: taken, so that settings can be shared,
 * and without effect on Redis.
 */
import { camelCase } from '../config/table.ts';
import { ConfigError } from '../errors.ts';
import { nearestName } from '../util/nearest.ts';
import { EXCHANGE_TYPES, type ExchangeType, type QueueBinding, type QueueDeclaration } from './queue.ts';

/** What a queue takes from the app's settings where it says nothing itself. */
export interface QueueDefaults {
  readonly exchange: string;
  readonly exchangeType: ExchangeType;
  readonly routingKey: string;
}

const EXCHANGE_FIELDS = ['name', 'type', 'deliveryMode', 'durable', 'autoDelete', 'arguments', 'passive', 'noDeclare'];
const BINDING_FIELDS = ['exchange', 'exchangeType', 'routingKey', 'arguments', 'unbindArguments'];
const QUEUE_FIELDS = [
  ...[
    'name',
    'alias',
    'exchange',
    'exchangeType',
    'routingKey',
    'bindingKey',
    'bindings',
    'deliveryMode',
    'autoDelete',
  ],
  'broadcast',
  // Of AMQP alone.
  ...['durable', 'queueDurable', 'queueAutoDelete', 'exchangeDurable', 'exchangeAutoDelete', 'exclusive', 'noAck'],
  ...['queueArguments', 'bindingArguments', 'consumerArguments', 'exchangeArguments', 'noDeclare'],
  ...['expires', 'messageTtl', 'maxLength', 'maxLengthBytes', 'maxPriority'],
];

type Fields = Readonly<Record<string, unknown>>;

/**
 * Reads one entry of `task_queues`. `name` is its key where the setting is a dict, which gives it another default: a queue
 * in a dict is bound by its own name, one in a list by `task_default_routing_key`, as in Celery.
 *
 * @throws ConfigError that names the queue and the field.
 */
export function readQueue(entry: unknown, name: string | undefined, defaults: QueueDefaults): QueueDeclaration {
  const where = name === undefined ? 'task_queues' : `task_queues: queue ${JSON.stringify(name)}`;
  const given = readFields(entry, QUEUE_FIELDS, where);
  const own = text(given, 'name', where) ?? name;
  if (own === undefined || own === '') throw new ConfigError(`${where}: a queue in a list needs a name`);
  const place = `task_queues: queue ${JSON.stringify(own)}`;
  // A Broadcast in a dict is a queue by itself, as a kombu Queue is.
  const isKeyed = name !== undefined && given['name'] === undefined;
  const exchange = readExchange(given['exchange'], given['exchangeType'], place);
  const routingKey = isKeyed
    ? text(given, 'bindingKey', place) || (text(given, 'routingKey', place) ?? own)
    : text(given, 'routingKey', place) || text(given, 'bindingKey', place);
  const alias = text(given, 'alias', place);
  const deliveryMode = exchange?.deliveryMode ?? readDeliveryMode(given['deliveryMode'], place);
  const bindings = readBindings(given['bindings'], place);
  return {
    name: own,
    exchange: exchange?.name ?? defaults.exchange,
    exchangeType: exchange?.type ?? defaults.exchangeType,
    routingKey: routingKey || defaults.routingKey,
    ...(alias === undefined ? {} : { alias }),
    ...(bindings.length === 0 ? {} : { bindings }),
    ...(deliveryMode === undefined ? {} : { deliveryMode }),
    // What is exclusive goes with its owner. Kombu: Queue.__init__.
    ...((given['queueAutoDelete'] ?? given['autoDelete']) === true || given['exclusive'] === true
      ? { isAutoDelete: true }
      : {}),
    ...(given['broadcast'] === true ? { isBroadcast: true } : {}),
  };
}

/** @throws ConfigError when kombu's Redis transport has no such exchange. */
export function readExchangeType(value: unknown, where: string): ExchangeType {
  const type = EXCHANGE_TYPES.find((candidate) => candidate === value);
  if (type !== undefined) return type;
  throw new ConfigError(
    `${where}: unknown exchange type ${JSON.stringify(value)} (known: ${EXCHANGE_TYPES.join(', ')})`,
  );
}

interface ReadExchange {
  readonly name: string;
  readonly type: ExchangeType;
  readonly deliveryMode: number | undefined;
}

function readExchange(exchange: unknown, typeBeside: unknown, where: string): ReadExchange | undefined {
  const given = typeof exchange === 'object' && exchange !== null ? readFields(exchange, EXCHANGE_FIELDS, where) : null;
  const name = given === null ? exchange : given['name'];
  const type = given?.['type'] ?? typeBeside ?? undefined;
  if (name === undefined || name === null || name === '') {
    if (type === undefined) return undefined;
    // Celery would ignore the type and take the default exchange.
    throw new ConfigError(`${where}: exchange_type ${JSON.stringify(type)} needs an exchange: name it too`);
  }
  if (typeof name !== 'string')
    throw new ConfigError(`${where}: exchange must be a name or an exchange with a name, not ${JSON.stringify(name)}`);
  return {
    name,
    type: type === undefined || type === '' ? 'direct' : readExchangeType(type, where),
    deliveryMode: readDeliveryMode(given?.['deliveryMode'], where),
  };
}

function readBindings(value: unknown, where: string): QueueBinding[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw new ConfigError(`${where}: bindings must be a list`);
  return value.map((entry: unknown) => {
    const given = readFields(entry, BINDING_FIELDS, `${where}: bindings`);
    const exchange = readExchange(given['exchange'], given['exchangeType'], `${where}: bindings`);
    if (exchange === undefined) throw new ConfigError(`${where}: bindings: each needs an exchange`);
    const routingKey = text(given, 'routingKey', `${where}: bindings`) ?? '';
    return { exchange: exchange.name, exchangeType: exchange.type, routingKey };
  });
}

/** Kombu: entity.py maybe_delivery_mode. */
function readDeliveryMode(value: unknown, where: string): number | undefined {
  if (value === undefined || value === null) return undefined;
  const mode = deliveryModeOf(value);
  if (mode !== undefined) return mode;
  throw new ConfigError(
    `${where}: delivery_mode must be 1 (transient) or 2 (persistent), not ${JSON.stringify(value)}`,
  );
}

/** The number of a delivery mode; undefined where it is none. */
export function deliveryModeOf(value: unknown): number | undefined {
  if (value === 1 || value === 'transient') return 1;
  if (value === 2 || value === 'persistent') return 2;
  return undefined;
}

/** An object's fields under their camelCase names; undefined and unknown ones are none and refused. */
function readFields(entry: unknown, known: readonly string[], where: string): Fields {
  if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) {
    throw new ConfigError(`${where}: must be an object of ${known.slice(0, 5).join(', ')} ..., not ${shown(entry)}`);
  }
  const fields: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(entry)) {
    if (value === undefined) continue;
    const name = camelCase(key);
    if (!known.includes(name)) {
      const nearest = nearestName(name, known);
      throw new ConfigError(
        `${where}: unknown field ${JSON.stringify(key)}${nearest === null ? '' : `, did you mean "${nearest}"?`}`,
      );
    }
    fields[name] = value;
  }
  return fields;
}

function text(fields: Fields, name: string, where: string): string | undefined {
  const value = fields[name];
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'string') return value;
  throw new ConfigError(`${where}: ${name} must be a text, not ${shown(value)}`);
}

function shown(value: unknown): string {
  // Functions and symbols have no JSON.
  const json = JSON.stringify(value) as string | undefined;
  return json === undefined ? `a ${typeof value}` : json.slice(0, 80);
}
