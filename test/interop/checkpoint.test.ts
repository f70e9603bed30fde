/** Checkpoints between Python job managers, which keep them with the backend's own client, and our tasks. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Celeriac } from '../../src/index.ts';
import { startTestWorker } from '../../src/testing/index.ts';
import { python } from '../support/processes.ts';
import { keepingLogger } from '../support/quiet-logger.ts';
import { testRedis, type TestRedis } from '../support/redis.ts';

let server: TestRedis;
beforeAll(async () => {
  server = await testRedis();
});
afterAll(async () => {
  await server.stop();
});

test('a checkpoint that Python left is gone on from, and what we save is read there', async () => {
  const url = server.freshDb();
  // The prefix is the results' alone: Python's client knows none.
  const app = new Celeriac('checkpoints', {
    brokerUrl: url,
    resultBackend: url,
    resultBackendTransportOptions: { global_keyprefix: 'shop:' },
  });
  app.configure({ logger: keepingLogger() });
  app.task('tasks.resumable', { bind: true }, async (task) => {
    const saved = await task.checkpoint.load<{ last_index: number }>();
    const start = saved === null ? 0 : saved.last_index + 1;
    await task.checkpoint.save({ last_index: start, processed_ids: ['a', 'b'], total_items: 10 });
    return start;
  });
  const worker = await startTestWorker(app);
  const program = `
import time
app.conf.result_backend_transport_options = {'global_keyprefix': 'shop:'}
client = app.backend.client
# As BaseTask.save_checkpoint of a Python manager does.
client.setex('checkpoint:job-1', 86400, json.dumps({'task_name': 'tasks.resumable', 'timestamp': time.time(), 'data': {'last_index': 4}}))
start = app.send_task('tasks.resumable', task_id='job-1').get(timeout=10)
saved = json.loads(client.get('checkpoint:job-1'))
print(json.dumps([start, saved['task_name'], abs(saved['timestamp'] - time.time()) < 60, saved['data'], client.ttl('checkpoint:job-1') > 86000]))`;
  expect(await python({ broker: url }, program)).toEqual([
    5,
    'tasks.resumable',
    true,
    { last_index: 5, processed_ids: ['a', 'b'], total_items: 10 },
    true,
  ]);
  await worker.stop();
}, 30_000);
