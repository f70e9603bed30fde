import { expect, test } from '@jest/globals';
import { checkServer, readInfo } from '../../../src/redis/server-info.ts';

const info = (version: string, mode = 'standalone', cluster = 0): string =>
  `# Server\r\nredis_version:${version}\r\nredis_mode:${mode}\r\n# Replication\r\nrole:master\r\n# Cluster\r\ncluster_enabled:${cluster}\r\n`;
const check =
  (text: string, prefixes: readonly string[] = []) =>
  () =>
    checkServer(readInfo(text), 'redis://h:6379/0', prefixes);

test('INFO is read', () => {
  expect(readInfo(info('7.0.15'))).toEqual({
    version: '7.0.15',
    mode: 'standalone',
    clusterEnabled: false,
    role: 'master',
  });
  expect(readInfo('')).toEqual({ version: null, mode: 'unknown', clusterEnabled: false, role: 'unknown' });
});

test.each(['6.2.0', '6.2', '6.10.1', '7.0.15', '8.2.1', '255.255.255'])('Redis %s is accepted', (version) => {
  expect(check(info(version))).not.toThrow();
});

test.each(['6.0.16', '5.0.7', '3.2'])('Redis %s is refused', (version) => {
  expect(check(info(version))).toThrow(`redis://h:6379/0 is Redis ${version}; celeriac needs Redis 6.2 or newer`);
});

test('a server that does not tell its version is accepted', () => expect(check('')).not.toThrow());

test('a Cluster is refused with the reason, unless all keys carry one hash tag', () => {
  const cluster = info('7.0.0', 'cluster', 1);
  expect(check(cluster)).toThrow(/is a Redis Cluster.*unacknowledged messages are shared by all queues/);
  expect(check(cluster, ['{a}:', 'x'])).toThrow('Redis Cluster');
  expect(check(cluster, ['{a}:', '{b}:'])).toThrow('Redis Cluster');
  expect(check(cluster, ['{a}:', 'res{a}:'])).not.toThrow();
});

test('a Sentinel is refused with how to write its URL', () => {
  expect(check(info('7.0.0', 'sentinel'))).toThrow(/is a Sentinel.*sentinel:\/\/host:26379.*master_name/);
});
