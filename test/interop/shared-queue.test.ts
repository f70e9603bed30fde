/** A Python and a celeriac worker, both idle, on one queue: each gets its share, at any spacing of tasks. */
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { Celeriac } from '../../src/index.ts';
import type { RedisPort } from '../../src/redis/port.ts';
import { testPort } from '../support/channel.ts';
import { python, startPythonWorker, startWorker, type RunningWorker } from '../support/processes.ts';
import { testRedis, type TestRedis } from '../support/redis.ts';

let server: TestRedis;
let url: string;
let redis: RedisPort;
let workers: RunningWorker[];
let client: Celeriac;

beforeAll(async () => {
  server = await testRedis();
  url = server.freshDb();
  redis = testPort(url);
  client = new Celeriac('client', { brokerUrl: url, resultBackend: url });
  workers = await Promise.all([
    startWorker({ broker: url }),
    startPythonWorker({ broker: url }, { args: ['-P', 'prefork', '-c', '2'] }),
  ]);
});
afterAll(async () => {
  await client.close();
  for (const worker of workers) expect(await worker.stop()).toBe(0);
  await redis.close();
  await server.stop();
});
beforeEach(async () => {
  await redis.command('DEL', 'celery');
});

test.each([
  [20, 300],
  [500, 40],
  [3000, 14],
])(
  'at a spacing of %d ms each takes 35 to 65%% of the tasks',
  async (spacingMs, count) => {
    const results: Promise<string>[] = [];
    for (let i = 0; i < count; i += 1) {
      results.push((await client.sendTask<string>('tasks.who')).get({ timeout: 20 }));
      // A little jitter, as life has it: else tasks could fall in step with the re-issued blocking pops.
      await new Promise((resolve) => setTimeout(resolve, spacingMs * (0.8 + Math.random() * 0.4)));
    }
    const hosts = await Promise.all(results);
    const ours = hosts.filter((host) => host.startsWith('node@')).length / count;
    // 14 coins fall outside of 35 to 65% now and then; the bound widens with the square root of the count.
    const slack = 0.15 + 1.3 / Math.sqrt(count);
    expect(ours).toBeGreaterThan(0.5 - slack);
    expect(ours).toBeLessThan(0.5 + slack);
  },
  120_000,
);

test('both sides call each other: TypeScript gets what Python computed, errors included', async () => {
  const results = await Promise.all(
    Array.from({ length: 40 }, (_, i) => client.sendTask<number>('tasks.add', { args: [i, i] })),
  );
  expect(await Promise.all(results.map((result) => result.get({ timeout: 20 })))).toEqual(results.map((_, i) => 2 * i));
  await expect(
    Promise.all(
      Array.from({ length: 6 }, async () =>
        (await client.sendTask('tasks.fail', { args: ['no'] })).get({ timeout: 20 }),
      ),
    ),
  ).rejects.toMatchObject({
    excType: 'ValueError',
    excMessage: ['no'],
    excModule: 'builtins',
  });
  expect(
    await python(
      { broker: url },
      'print(json.dumps(sorted(r.get(timeout=20) for r in [add.delay(i, 1) for i in range(20)])))',
    ),
  ).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
});
