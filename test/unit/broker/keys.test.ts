import { expect, test } from '@jest/globals';
import { BrokerKeys } from '../../../src/broker/keys.ts';

test("kombu's keys, as Python members write them", () => {
  const keys = new BrokerKeys();
  expect([keys.list('celery', 0), keys.list('celery', 3), keys.binding('celery')]).toEqual([
    'celery',
    'celery\x06\x163',
    '_kombu.binding.celery',
  ]);
  expect([keys.unacked, keys.unackedIndex, keys.unackedMutex]).toEqual(['unacked', 'unacked_index', 'unacked_mutex']);
});

test('transport options rename them, and the prefix stands before every one', () => {
  const keys = new BrokerKeys({
    globalKeyprefix: 'p-',
    separator: ':',
    unackedKey: 'u',
    unackedIndexKey: 'ui',
    unackedMutexKey: 'um',
  });
  expect([keys.list('q', 0), keys.list('q', 9), keys.binding('e')]).toEqual(['p-q', 'p-q:9', 'p-_kombu.binding.e']);
  expect([keys.unacked, keys.unackedIndex, keys.unackedMutex]).toEqual(['p-u', 'p-ui', 'p-um']);
});

test("every key of celeriac's own is under celeriac: and the prefix, none twice", () => {
  const keys = new BrokerKeys({ globalKeyprefix: 'p-' });
  const own = [
    keys.members,
    keys.quarantine,
    keys.member('i'),
    keys.held('i'),
    keys.inbox('i', 'q'),
    keys.aside('i'),
    keys.consumers('q'),
    keys.parked('q'),
  ];
  for (const key of own) expect(key).toMatch(/^p-celeriac:/);
  expect(new Set(own).size).toBe(own.length);
});
