/** `celeriac/testing`: for the tests of those who write tasks. Explicit names, nothing else. */
export { runTask, type LogLine, type RunTaskOptions, type StoredState, type TaskRun } from './run-task.ts';
export { startTestWorker, type IdleOptions, type TestWorker, type TestWorkerOptions } from './test-worker.ts';
