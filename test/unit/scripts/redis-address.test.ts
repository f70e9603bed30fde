import { describe, expect, test } from '@jest/globals';
import { script } from '../../support/scripts.ts';

const { readRedisUrl, withDatabase, hidePassword } = await script('bootstrap/redis-address');

describe('reading the URL of a server', () => {
  test('a bare host has the usual port and no database named', () => {
    expect(readRedisUrl('redis://cache')).toMatchObject({ host: 'cache', port: 6379, database: 0, hasDatabase: false });
  });

  test('everything an URL can say is understood', () => {
    expect(readRedisUrl('rediss://me:p%40ss@[::1]:7000/3?ssl_cert_reqs=CERT_NONE')).toEqual({
      host: '::1',
      port: 7000,
      tls: true,
      rejectUnauthorized: false,
      username: 'me',
      password: 'p@ss',
      database: 3,
      hasDatabase: true,
    });
  });

  test('a TLS server has to show a good certificate unless the URL says otherwise', () => {
    expect(readRedisUrl('rediss://cache').rejectUnauthorized).toBe(true);
  });

  test.each([
    ['unix:///run/redis.sock?db=4', '/run/redis.sock', 4],
    ['redis+socket:///run/redis.sock?virtual_host=5', '/run/redis.sock', 5],
  ])('%s is a unix socket', (url, path, database) => {
    expect(readRedisUrl(url)).toMatchObject({ path, database, hasDatabase: true });
  });

  test.each([
    ['amqp://host', 'not a URL of one Redis server'],
    ['sentinel://host', 'not a URL of one Redis server'],
    ['redis://host/queue', 'is not a number'],
    ['nonsense', 'is not a URL'],
  ])('%s is refused with a reason', (url, reason) => {
    expect(() => readRedisUrl(url)).toThrow(reason);
  });
});

test.each([
  ['redis://:pw@host:1/0', 'redis://:pw@host:1/7'],
  ['redis://host', 'redis://host/7'],
  ['unix:///r.sock?db=1', 'unix:///r.sock?db=7'],
  ['redis+socket:///r.sock?virtual_host=1', 'redis+socket:///r.sock?virtual_host=7'],
])('another database of %s', (url, expected) => {
  expect(withDatabase(url, 7)).toBe(expected);
});

test('a password is not printed', () => {
  expect(hidePassword('redis://me:secret@host:1/0')).toBe('redis://me:***@host:1/0');
  expect(hidePassword('redis://:secret@host')).toBe('redis://:***@host');
  expect(hidePassword('redis://host:6379/0')).toBe('redis://host:6379/0');
});
