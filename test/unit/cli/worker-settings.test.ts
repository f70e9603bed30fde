import { describe, expect, test } from '@jest/globals';
import { poolOf, settingsOf } from '../../../src/cli/worker-settings.ts';
import { resolveConfig } from '../../../src/config/config.ts';

describe('the worker’s options as settings', () => {
  test('each lands in its setting', () => {
    const config = resolveConfig({
      explicit: { worker_concurrency: 1, task_time_limit: 1 },
      cli: settingsOf({ concurrency: 5, timeLimit: 2.5, disablePrefetch: true, events: true, umask: 0o22 }, []),
    });
    expect(config).toMatchObject({
      workerConcurrency: 5,
      taskTimeLimit: 2.5,
      workerDisablePrefetch: true,
      workerSendTaskEvents: true,
      workerUmask: '022',
      workerPrefetchMultiplier: 4,
    });
  });

  test('further settings, as Celery reads them after its options', () => {
    expect(
      settingsOf({}, [
        'task_acks_late=true',
        'worker.prefetch_multiplier=2',
        'send_task_events=1',
        'accept_content=json,yaml',
      ]),
    ).toMatchObject({
      task_acks_late: true,
      worker_prefetch_multiplier: 2,
      worker_send_task_events: true,
      accept_content: ['json', 'yaml'],
    });
  });

  test.each([
    ['tasks_acks_late=1', 'unknown setting "tasks_acks_late", did you mean "task_acks_late"?'],
    ['prefork', '"prefork" is no setting; write name=value'],
  ])('%s is a usage error', (text, message) => {
    expect(() => settingsOf({}, [text])).toThrow(message);
    expect(() => settingsOf({}, [text])).toThrow(expect.objectContaining({ exitCode: 2 }));
  });

  test.each([
    [null, 'async'],
    ['gevent', 'async'],
    ['Solo', 'solo'],
  ])('pool %j is %s', (setting, pool) => {
    expect(poolOf(setting)).toBe(pool);
  });

  test.each([
    ['prefork', 1],
    ['turbo', 2],
  ])('pool %s is refused with %d', (setting, exitCode) => {
    expect(() => poolOf(setting)).toThrow(expect.objectContaining({ exitCode }));
  });
});
