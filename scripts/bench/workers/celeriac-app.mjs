/** The bench's tasks for celeriac. Broker and result backend come from CELERY_BROKER_URL, CELERY_RESULT_BACKEND. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Celeriac } from '../../../dist/index.js';

export const app = new Celeriac('bench');

app.task('bench.add', (x, y) => x + y);

app.task('bench.sleep', async (x, y) => {
  await sleep(1000);
  return x + y;
});

app.task('bench.retry', { bind: true, maxRetries: 1 }, (task, x, y) => {
  if (task.request.retries === 0) throw task.retry({ countdown: 0 });
  return x + y;
});

app.task('bench.limited', { rateLimit: '500/s' }, (x, y) => x + y);
