import { describe, expect, test } from '@jest/globals';
import { ConfigError } from '../../../src/errors.ts';
import {
  anonNodename,
  defaultNodename,
  hostFormat,
  nodeFormat,
  nodesplit,
  workerNodename,
} from '../../../src/protocol/nodename.ts';

const HOST = 'box.example.com';

describe('the node name of a worker', () => {
  test.each([
    [undefined, 'celery@box.example.com'],
    ['', 'celery@box.example.com'],
    ['w1@', 'w1@box.example.com'],
    ['w1@%h', 'w1@box.example.com'],
    ['w1@%n', 'w1@box'],
    ['%n-%d@%h', 'box-example.com@box.example.com'],
    ['other', 'celery@other'],
    ['a@b@c', 'a@b@c'],
    ['w%i%I@h', 'w0@h'],
  ])('made of the option %j is %s', (option, expected) => {
    expect(workerNodename(option, HOST)).toBe(expected);
  });

  test('is refused with an abbreviation nobody knows', () => {
    expect(() => workerNodename('w%x@h', HOST)).toThrow(ConfigError);
    expect(() => hostFormat('%constructor', { host: HOST })).toThrow('unknown abbreviation %c');
    expect(() => hostFormat('%p', { host: HOST })).toThrow(ConfigError);
  });
});

test('names of files take the worker name, its host and the index of the pool process', () => {
  expect(nodeFormat('/var/log/%n%I-%h-%p.log', 'w1@box.example.com', 3)).toBe(
    '/var/log/w1-3-box.example.com-w1@box.example.com.log',
  );
  expect(nodeFormat('%n%I.log', 'w1@box')).toBe('w1.log');
  expect(nodeFormat('%i 100%%', 'w1@box', 2)).toBe('2 100%%');
});

test('a name without @ is a host, and only the first @ parts', () => {
  expect(nodesplit('box')).toEqual({ name: null, host: 'box' });
  expect(nodesplit('a@b@c')).toEqual({ name: 'a', host: 'b@c' });
  expect(defaultNodename(null, HOST)).toBe('celery@box.example.com');
  expect(anonNodename(42, 'client-host')).toBe('gen42@client-host');
});
