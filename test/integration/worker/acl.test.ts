/** A Redis user with no more than the rule that docs/redis-keys.md and our refusals name can run a worker. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { BrokerKeys } from '../../../src/broker/keys.ts';
import { aclRule } from '../../../src/broker/refusals.ts';
import { Celeriac } from '../../../src/client/app.ts';
import type { RedisPort } from '../../../src/redis/port.ts';
import { testPort } from '../../support/channel.ts';
import { startWorker } from '../../support/processes.ts';
import { startServer, type TestServer } from '../../support/redis.ts';

let server: TestServer;
let admin: RedisPort;

beforeAll(async () => {
  server = await startServer();
  admin = testPort(`${server.url}/0`);
});
afterAll(async () => {
  await admin.close();
  await server.stop();
});

describe.each([
  ['without a key prefix', '', 0],
  ['with a key prefix', 'shop:', 1],
])('%s', (_name, prefix, database) => {
  test('a worker of such a user runs tasks, hears control messages, and may do nothing else', async () => {
    const rule = aclRule(new BrokerKeys({ globalKeyprefix: prefix })).split(' ');
    await admin.command('ACL', 'SETUSER', 'worker', 'reset', 'on', '>secret', ...rule);
    const url = `redis://worker:secret@127.0.0.1:${server.port}/${database}`;
    const settings = {
      broker_transport_options: { global_keyprefix: prefix },
      result_backend_transport_options: { global_keyprefix: prefix },
    };
    const worker = await startWorker({ broker: url }, { settings });
    const app = new Celeriac('acl', { ...settings, broker_url: url, result_backend: url });
    const asUser = testPort(url);
    try {
      const result = await app.sendTask('tasks.add', { args: [2, 3] });
      expect(await result.get({ timeout: 10 })).toBe(5);
      const channel = `${prefix}/${database}.celery.pidbox`;
      expect(await admin.command('PUBSUB', 'NUMSUB', channel)).toEqual([channel, 1]);
      await expect(asUser.command('FLUSHDB')).rejects.toThrow(/NOPERM|lacks a permission/);
      if (prefix !== '') await expect(asUser.command('GET', 'other')).rejects.toThrow(/NOPERM|lacks a permission/);
    } finally {
      await asUser.close();
      await app.close();
      expect(await worker.stop()).toBe(0);
    }
    expect(worker.output()).not.toMatch(/NOPERM|permission/);
  });
});
