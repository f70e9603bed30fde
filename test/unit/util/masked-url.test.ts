import { expect, test } from '@jest/globals';
import { isSecretName, maskSecrets, maskUrl } from '../../../src/util/masked-url.ts';

test.each([
  ['redis://:pw@h/0', 'redis://:**@h/0'],
  ['amqp://u:p@h//', 'amqp://u:**@h//'],
  ['redis://u:p/w@h', 'redis://u:**@h'],
  ['redis://u:p@w@h', 'redis://u:**@h'],
  ['redis://u:p?w@h/1', 'redis://**@h/1'],
  ['redis://u@h/1', 'redis://u@h/1'],
  ['redis://h:6379/1', 'redis://h:6379/1'],
  ['redis://h?password=x&db=1', 'redis://h?password=**&db=1'],
  ['sentinel://:a@h;sentinel://:b@i/1', 'sentinel://:**@h;sentinel://:**@i/1'],
  ['no url: at all@', 'no url: at all@'],
])('%s becomes %s', (url, masked) => expect(maskUrl(url)).toBe(masked));

test.each([
  'redis_password',
  'api_key',
  'apiKey',
  'security_key_password',
  'AUTH_TOKEN',
  'credential_provider',
  'stripe.api',
])('%s is a secret', (name) => {
  expect(isSecretName(name)).toBe(true);
});

test.each([
  'global_keyprefix',
  'task_default_routing_key',
  'unacked_index_key',
  'ssl_keyfile',
  'socket_keepalive',
  'broker_url',
  'rapid_refresh',
])('%s is none', (name) => {
  expect(isSecretName(name)).toBe(false);
});

test('secrets are hidden at every depth, and the value itself is left alone', () => {
  const value = {
    broker_url: ['redis://:a@h'],
    broker_transport_options: { sentinel_kwargs: { password: 'b', socket_timeout: 1 } },
    redis_password: null,
  };
  expect(maskSecrets(value)).toEqual({
    broker_url: ['redis://:**@h'],
    broker_transport_options: { sentinel_kwargs: { password: '********', socket_timeout: 1 } },
    redis_password: null,
  });
  expect(value.broker_url[0]).toBe('redis://:a@h');
});

test('a value that contains itself is cut off, not followed for ever', () => {
  const loop: Record<string, unknown> = {};
  loop.self = loop;
  expect(() => maskSecrets(loop)).not.toThrow();
});
