/*
 * The quickstart's task module: what a worker runs when anybody, in Python or in TypeScript, sends these names.
 * Start a worker on it with `npx celeriac -A examples/quickstart/tasks.mjs worker -l info`.
 */
import { Celeriac } from 'celeriac';

// Broker and result backend come from CELERY_BROKER_URL and CELERY_RESULT_BACKEND, or are a Redis on localhost.
export const app = new Celeriac('quickstart');

export const add = app.task('tasks.add', (x, y) => x + y);

// A string it can shout. Anything else fails the task, with an exception that Python raises again as its own.
export const shout = app.task('tasks.shout', (text) => text.toUpperCase());
