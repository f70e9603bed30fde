import { describe, expect, test } from '@jest/globals';
import { Broadcast } from '../../../src/broker/queue.ts';
import { Queues } from '../../../src/broker/queues.ts';
import { resolveConfig, type Settings } from '../../../src/config/config.ts';
import { ConfigError } from '../../../src/errors.ts';

const create = (settings: Settings = {}): Queues => new Queues(resolveConfig({ explicit: settings }));
const select = (settings: Settings, include?: string[], exclude?: string[]): string[] =>
  create(settings)
    .select({ include, exclude, nodename: 'w@h' })
    .map(({ name }) => name);
const direct = (name: string, exchange = name, routingKey = name) => ({
  name,
  exchange,
  exchangeType: 'direct',
  routingKey,
});

describe('without task_queues', () => {
  test('there is the default queue', () => {
    expect(create().get('celery')).toEqual(direct('celery'));
    expect(select({})).toEqual(['celery']);
    expect(select({ taskQueues: [] })).toEqual(['celery']);
    expect(select({ task_queues: {} })).toEqual(['celery']);
  });

  test('its exchange, type and key are settings', () => {
    const queues = create({
      task_default_queue: 'dq',
      task_default_exchange: 'dx',
      task_default_exchange_type: 'topic',
      task_default_routing_key: 'd.#',
    });
    expect(queues.get('dq')).toEqual({ name: 'dq', exchange: 'dx', exchangeType: 'topic', routingKey: 'd.#' });
  });
});

describe('task_queues as a dict', () => {
  const queues = create({
    task_queues: {
      a: {},
      b: { exchange: 'bx', binding_key: 'bk' },
      c: { exchange: 'bx', routingKey: 'rk', binding_key: 'wins' },
      m: { exchange: 'media', exchange_type: 'topic', routing_key: 'video.#', durable: true, queue_arguments: {} },
      f: { exchange: 'fx', exchangeType: 'fanout', auto_delete: true },
      t: { exchange: { name: 'tx', type: 'direct', delivery_mode: 'transient' } },
    },
  });

  test.each([
    ['a', direct('a', 'celery', 'a')],
    ['b', direct('b', 'bx', 'bk')],
    ['c', direct('c', 'bx', 'wins')],
    ['m', { name: 'm', exchange: 'media', exchangeType: 'topic', routingKey: 'video.#' }],
    ['f', { name: 'f', exchange: 'fx', exchangeType: 'fanout', routingKey: 'f', isAutoDelete: true }],
    ['t', { ...direct('t', 'tx', 't'), deliveryMode: 1 }],
  ])('%s is bound by its own name unless it says otherwise', (name, expected) => {
    expect(queues.get(name)).toEqual(expected);
  });

  test('tells what each exchange is', () => {
    expect(Object.fromEntries(queues.exchangeTypes)).toEqual({
      celery: 'direct',
      bx: 'direct',
      media: 'topic',
      fx: 'fanout',
      tx: 'direct',
    });
  });
});

describe('task_queues as a list', () => {
  test('a queue is bound by the default routing key unless it says otherwise, as a kombu Queue is', () => {
    const queues = create({
      taskDefaultQueue: 'dq',
      task_queues: [{ name: 'a' }, { name: 'b', exchange: 'bx', routingKey: 'bk' }],
    });
    expect(queues.get('a')).toEqual(direct('a', 'dq', 'dq'));
    expect(queues.get('b')).toEqual(direct('b', 'bx', 'bk'));
  });

  test('a name stands for what would be made of it', () => {
    expect(create({ task_queues: ['mails'] }).get('mails')).toEqual(direct('mails'));
    expect(
      create({ task_queues: ['mails'], task_create_missing_queue_exchange_type: 'topic' }).get('mails'),
    ).toMatchObject({ exchangeType: 'topic' });
  });

  test('a queue may have several bindings', () => {
    const bindings = [
      { exchange: { name: 'media', type: 'topic' }, routing_key: 'audio.#' },
      { exchange: 'o', exchangeType: 'fanout' },
    ];
    const queues = create({ task_queues: [{ name: 'q', bindings }] });
    expect(queues.get('q').bindings).toEqual([
      { exchange: 'media', exchangeType: 'topic', routingKey: 'audio.#' },
      { exchange: 'o', exchangeType: 'fanout', routingKey: '' },
    ]);
    expect(queues.exchangeTypes.get('media')).toBe('topic');
  });
});

describe('a broadcast', () => {
  test('has a queue of its own, and is known by the name of its exchange', () => {
    const queues = create({ task_queues: [new Broadcast('news')] });
    const queue = queues.get('news');
    expect(queue).toEqual({
      name: expect.stringMatching(/^bcast\.[0-9a-f-]{36}$/),
      alias: 'news',
      exchange: 'news',
      exchangeType: 'fanout',
      routingKey: 'celery',
      isAutoDelete: true,
      isBroadcast: true,
    });
    expect(queues.get(queue.name)).toBe(queue);
    expect(new Broadcast('news').name).not.toBe(new Broadcast('news').name);
  });

  test('may name it, also with something fresh behind', () => {
    expect(new Broadcast('news', { queue: 'mine' }).name).toBe('mine');
    expect(new Broadcast('news', { queue: 'mine', unique: true }).name).toMatch(/^mine\.[0-9a-f-]{36}$/);
  });

  test('is chosen and excluded by either name, also out of a dict', () => {
    const settings = { task_queues: { any: new Broadcast('news', { queue: 'n1' }), a: {} } };
    expect(select(settings, ['news'])).toEqual(['n1']);
    expect(select(settings, undefined, ['news'])).toEqual(['a']);
    expect(select(settings, undefined, ['n1'])).toEqual(['a']);
  });
});

describe('a queue nobody configured', () => {
  test('is made, direct, with exchange and key as its name', () => {
    const queues = create();
    expect(queues.has('new')).toBe(false);
    expect(queues.get('new')).toEqual(direct('new'));
    expect(queues.has('new')).toBe(true);
  });

  test('is not consumed because somebody sent to it', () => {
    const queues = create({ task_queues: ['a'] });
    queues.get('celery');
    expect(queues.select({ nodename: 'w@h' }).map(({ name }) => name)).toEqual(['a']);
  });

  test('is made of another type where the settings say so', () => {
    expect(create({ task_create_missing_queue_exchange_type: 'fanout' }).get('new').exchangeType).toBe('fanout');
  });

  test('is refused with the names that are known', () => {
    const queues = create({ task_create_missing_queues: false, task_queues: ['mails', new Broadcast('news')] });
    expect(queues.find('mail')).toBeUndefined();
    expect(() => queues.get('mail')).toThrow(ConfigError);
    expect(() => queues.get('mail')).toThrow(
      'unknown queue "mail" (known: mails, news), did you mean "mails"? Add it to task_queues, or set task_create_missing_queues to true',
    );
    expect(() => queues.select({ include: ['mails', 'x'], nodename: 'w@h' })).toThrow('unknown queue "x"');
  });
});

describe('a worker consumes', () => {
  const settings = { task_queues: ['a', 'b', 'c'] };

  test('all that is configured', () => expect(select(settings)).toEqual(['a', 'b', 'c']));
  test('what -Q names, once, also what it makes', () =>
    expect(select(settings, ['b', 'new', 'b'])).toEqual(['b', 'new']));
  test('all but what -X names', () => expect(select(settings, [], ['b', 'unknown'])).toEqual(['a', 'c']));
  test('what -Q names and -X does not', () => expect(select(settings, ['a', 'b'], ['b'])).toEqual(['a']));
  test('not nothing', () =>
    expect(() => select(settings, ['a', 'b'], ['a', 'b'])).toThrow(
      'no queue is left to consume: -X excludes a, b of a, b',
    ));

  test('its own queue too with worker_direct, whatever -Q says', () => {
    const selected = create({ ...settings, worker_direct: true }).select({ include: ['a'], nodename: 'w1@host' });
    expect(selected).toEqual([direct('a'), direct('w1@host.dq2', 'C.dq2', 'w1@host')]);
  });
});

describe('unsound settings are refused', () => {
  test.each<[string, unknown]>([
    ['task_queues must be a list of queues or a dict by name, not "mails"', 'mails'],
    ['task_queues: a queue in a list needs a name', [{}]],
    ['task_queues: must be an object of name', [7]],
    ['task_queues: must be an object of name', ['']],
    ['task_queues: queue "q": must be an object of name', { q: null }],
    ['task_queues: queue "q": unknown field "exchang", did you mean "exchange"?', { q: { exchang: 'x' } }],
    ['task_queues: queue "q": routingKey must be a text, not 5', [{ name: 'q', routing_key: 5 }]],
    ['task_queues: queue "q": exchange must be a name or an exchange with a name, not 5', [{ name: 'q', exchange: 5 }]],
    [
      'task_queues: queue "q": unknown exchange type "headers" (known: direct, topic, fanout)',
      { q: { exchange: 'x', exchange_type: 'headers' } },
    ],
    ['task_queues: queue "q": exchange_type "topic" needs an exchange: name it too', { q: { exchange_type: 'topic' } }],
    ['task_queues: queue "q": unknown field "typ", did you mean "type"?', [{ name: 'q', exchange: { typ: 1 } }]],
    ['delivery_mode must be 1 (transient) or 2 (persistent), not 3', { q: { delivery_mode: 3 } }],
    ['bindings: each needs an exchange', [{ name: 'q', bindings: [{ routing_key: 'x' }] }]],
    ['task_queues: queue "q": bindings must be a list', [{ name: 'q', bindings: 'x' }]],
    ['task_queues: queue "q" is there twice', ['q', { name: 'q' }]],
    [
      'queue "b": its exchange "x" is topic here, and direct for another queue',
      { a: { exchange: 'x' }, b: { exchange: 'x', exchange_type: 'topic' } },
    ],
  ])('%s', (message, task_queues) => {
    expect(() => create({ task_queues })).toThrow(ConfigError);
    expect(() => create({ task_queues })).toThrow(message);
  });

  test('an unknown type of the default exchange', () => {
    expect(() => create({ task_default_exchange_type: 'x' })).toThrow(
      'task_default_exchange_type: unknown exchange type "x"',
    );
  });
});
