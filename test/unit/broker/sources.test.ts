import { describe, expect, test } from '@jest/globals';
import { BrokerKeys } from '../../../src/broker/keys.ts';
import { Sources, type QueueOrderStrategy } from '../../../src/broker/sources.ts';

const keys = new BrokerKeys({ separator: ':' });
const create = (strategy: QueueOrderStrategy, queues: readonly string[], steps: readonly number[] = [0, 3]): Sources =>
  new Sources(keys, steps, strategy, queues);

describe('the order lists are emptied in', () => {
  test('priority steps come before queues', () => {
    expect(create('round_robin', ['b', 'a']).lists).toEqual(['b', 'a', 'b:3', 'a:3']);
  });

  test('round_robin: the queues of a step take turns', () => {
    expect(create('round_robin', ['b', 'a']).withInboxes([]).width).toBe(2);
  });

  test('priority: as declared, each list emptied before the next', () => {
    const sources = create('priority', ['b', 'a']);
    expect([sources.lists, sources.withInboxes([]).width]).toEqual([['b', 'a', 'b:3', 'a:3'], 1]);
  });

  test('sorted: by name, each list emptied before the next', () => {
    const sources = create('sorted', ['b', 'a']);
    expect([sources.lists, sources.withInboxes([]).width]).toEqual([['a', 'b', 'a:3', 'b:3'], 1]);
  });

  test('without a queue there is nothing to empty', () => {
    const { keys: lists, width } = create('round_robin', []).withInboxes([]);
    expect([lists, width]).toEqual([[], 1]);
  });
});

describe('each list', () => {
  test('knows its queue, with the prefix and a separator in its name too', () => {
    const prefixed = new Sources(new BrokerKeys({ globalKeyprefix: 'p' }), [0, 9], 'round_robin', ['a\x06\x16b']);
    expect(prefixed.lists.map((list) => prefixed.queueOf(list))).toEqual(['a\x06\x16b', 'a\x06\x16b']);
  });

  test('has its queue beside it, as JSON too', () => {
    const { queues, queuesJson } = create('round_robin', ['ü', 'a'], [0]).withInboxes([]);
    expect([queues, queuesJson]).toEqual([
      ['ü', 'a'],
      ['"ü"', '"a"'],
    ]);
  });
});

describe('inboxes where something landed', () => {
  test('come first, in full rows', () => {
    const lists = create('round_robin', ['a', 'b', 'c'], [0]).withInboxes([['in:b', 'b']]);
    expect(lists.keys).toEqual(['in:b', 'in:b', 'in:b', 'a', 'b', 'c']);
    expect(lists.queues).toEqual(['b', 'b', 'b', 'a', 'b', 'c']);
    expect(lists.width).toBe(3);
  });
});

describe('while idle', () => {
  test('few lists are all watched', () => {
    expect(create('round_robin', ['a', 'b']).watched()).toEqual(['a', 'b', 'a:3', 'b:3']);
  });

  test('of many only the first step, and those where something was found', () => {
    const sources = create('round_robin', ['a', 'b', 'c'], [0, 3, 6]);
    expect(sources.watched()).toEqual(['a', 'b', 'c']);
    sources.seen('c:6');
    sources.seen('unknown');
    expect(sources.watched()).toEqual(['a', 'b', 'c', 'c:6']);
  });

  test('never more than 32', () => {
    const many = Array.from({ length: 50 }, (_, i) => `q${String(i)}`);
    expect(create('round_robin', many).watched()).toHaveLength(32);
  });
});
