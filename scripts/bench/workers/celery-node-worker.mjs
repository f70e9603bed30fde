/**
 * The bench's task in celery-node, with its defaults: as many tasks at once as arrive, and a line of output for each
 * task received and done (it has no level to turn that down; the bench reads it into nothing).
 */
import celery from 'celery-node';

const worker = celery.createWorker(process.env.CELERY_BROKER_URL, process.env.CELERY_RESULT_BACKEND, 'celery');
worker.register('bench.add', (x, y) => x + y);
await worker.start();
