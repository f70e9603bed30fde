import { describe, expect, test } from '@jest/globals';
import { EventEmitter } from 'node:events';
import {
  bindingMember,
  Bindings,
  bindingsOf,
  matchBindings,
  parseBinding,
  topicPattern,
} from '../../../src/broker/bindings.ts';
import { BrokerKeys } from '../../../src/broker/keys.ts';
import type { QueueDeclaration } from '../../../src/broker/queue.ts';
import type { RedisArgument, RedisCommand, RedisPort, Script } from '../../../src/redis/port.ts';

const keys = new BrokerKeys();
const topic = (key: string, queue: string) => ({ routingKey: key, pattern: topicPattern(key), queue });
const direct = (key: string, queue: string) => ({ routingKey: key, pattern: '', queue });

describe('a binding', () => {
  test('is written with two separators, as kombu writes it', () => {
    expect(bindingMember(keys, direct('celery', 'celery'))).toBe('celery\x06\x16\x06\x16celery');
    expect(bindingMember(keys, topic('worker.#', 'celeryev.1'))).toBe(
      'worker.#\x06\x16^worker\\..*?$\x06\x16celeryev.1',
    );
  });

  test('is written with the separator of the transport options', () => {
    expect(bindingMember(new BrokerKeys({ separator: ':' }), direct('k', 'q'))).toBe('k::q');
  });

  test('is read back; what has too few parts is none', () => {
    const binding = topic('a.*', 'q');
    expect(parseBinding(keys, bindingMember(keys, binding))).toEqual(binding);
    expect(parseBinding(keys, 'a\x06\x16b')).toBeUndefined();
  });

  test('each of a queue with several is in the set of its exchange, and its own exchange has none', () => {
    const queue: QueueDeclaration = {
      name: 'q',
      exchange: 'celery',
      exchangeType: 'direct',
      routingKey: 'celery',
      bindings: [
        { exchange: 'media', exchangeType: 'topic', routingKey: 'a.#' },
        { exchange: 'other', exchangeType: 'direct', routingKey: 'z' },
      ],
    };
    expect(bindingsOf(new BrokerKeys({ globalKeyprefix: 'p:' }), queue)).toEqual([
      { key: 'p:_kombu.binding.media', member: 'a.#\x06\x16^a\\..*?$\x06\x16q' },
      { key: 'p:_kombu.binding.other', member: 'z\x06\x16\x06\x16q' },
    ]);
  });
});

describe('a key of a topic binding', () => {
  test.each([
    ['a-b_c d', '^a\\-b\\_c\\ d$'],
    ['naïve.b2', '^naïve\\.b2$'],
    ['a#b.c*', '^a#b\\.c*$'],
    ['\0', '^\\000$'],
    ['', '^$'],
  ])('%j is escaped word by word', (key, pattern) => {
    expect(topicPattern(key)).toBe(pattern);
  });
});

describe('a message', () => {
  const bindings = [direct('k', 'd'), topic('k.#', 't'), direct('k', 'd2')];

  test('through a direct exchange reaches the queues bound by its very key', () => {
    expect(matchBindings(bindings, 'direct', 'k')).toEqual(['d', 'd2']);
    expect(matchBindings(bindings, 'direct', 'k.1')).toEqual([]);
  });

  test('through a fanout exchange reaches all', () => {
    expect(matchBindings(bindings, 'fanout', 'whatever')).toEqual(['d', 't', 'd2']);
  });

  test('through an exchange nobody declared here follows what each binding tells', () => {
    expect(matchBindings(bindings, undefined, 'k.1')).toEqual(['t']);
    expect(matchBindings(bindings, undefined, 'k')).toEqual(['d', 'd2']);
  });

  test('reaches a queue bound twice once', () => {
    expect(matchBindings([topic('#', 'q'), topic('a.*', 'q')], 'topic', 'a.b')).toEqual(['q']);
  });

  test('passes by a pattern that is no regular expression', () => {
    expect(matchBindings([{ routingKey: 'x', pattern: '^(', queue: 'q' }], 'topic', 'x')).toEqual([]);
  });
});

describe('declaring', () => {
  class FakeRedis extends EventEmitter {
    readonly sent: RedisCommand[] = [];
    members: string[] = [];
    command(...command: RedisCommand): Promise<unknown> {
      this.sent.push(command);
      return Promise.resolve(command[0] === 'SMEMBERS' ? this.members : 1);
    }

    run(script: Script, names: readonly string[], args: readonly RedisArgument[]): Promise<unknown> {
      this.sent.push([script.name, ...names, ...args]);
      return Promise.resolve(1);
    }
  }
  const queue: QueueDeclaration = { name: 'm', exchange: 'media', exchangeType: 'topic', routingKey: 'video.#' };
  const create = (): { redis: FakeRedis; bindings: Bindings } => {
    const redis = new FakeRedis();
    return { redis, bindings: new Bindings(redis as unknown as RedisPort, keys) };
  };

  test('writes once per connection', async () => {
    const { redis, bindings } = create();
    expect(bindings.isDeclared(queue)).toBe(false);
    await bindings.declare(queue);
    await bindings.declare({ ...queue });
    expect(bindings.isDeclared(queue)).toBe(true);
    expect(redis.sent).toEqual([['bind', '_kombu.binding.media', 'video.#\x06\x16^video\\..*?$\x06\x16m']]);
    redis.emit('lost', null);
    expect(bindings.isDeclared(queue)).toBe(false);
    await bindings.declare(queue);
    expect(redis.sent).toHaveLength(2);
  });

  test('tells what the exchange is from then on', async () => {
    const { bindings } = create();
    expect(bindings.typeOf('media')).toBeUndefined();
    await bindings.declare(queue);
    expect(bindings.typeOf('media')).toBe('topic');
  });

  test('is undone by remove, and can be done again', async () => {
    const { redis, bindings } = create();
    await bindings.declare(queue);
    await bindings.remove(queue);
    await bindings.declare(queue);
    expect(redis.sent.map(([name]) => name)).toEqual(['bind', 'SREM', 'bind']);
  });

  test('the anonymous exchange needs no look-up', async () => {
    const { redis, bindings } = create();
    expect(await bindings.lookup('', 'q')).toEqual(['q']);
    expect(redis.sent).toEqual([]);
    redis.members = ['x\x06\x16\x06\x16q1', 'rubbish'];
    expect(await bindings.lookup('e', 'x')).toEqual(['q1']);
  });
});
