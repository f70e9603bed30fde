import { describe, expect, test } from '@jest/globals';
import { FanoutChannels } from '../../../src/broker/fanout.ts';

describe('channels of fanout exchanges', () => {
  test.each([
    [{ database: 0 }, '/0.celery.pidbox', '/0.celeryev/task.multi'],
    [{ database: 3, globalKeyprefix: 'p:' }, 'p:/3.celery.pidbox', 'p:/3.celeryev/task.multi'],
    [{ database: 3, prefix: 'x{db}-' }, 'x3-celery.pidbox', 'x3-celeryev/task.multi'],
    [{ database: 3, prefix: false }, 'celery.pidbox', 'celeryev/task.multi'],
    [{ database: 0, patterns: false }, '/0.celery.pidbox', '/0.celeryev'],
  ])('with %j', (options, plain, keyed) => {
    const channels = new FanoutChannels(options);
    expect(channels.channel('celery.pidbox')).toBe(plain);
    expect(channels.channel('celeryev', 'task.multi')).toBe(keyed);
  });

  test('subscriptions have a star for each # of the binding key, and of nothing else', () => {
    const channels = new FanoutChannels({ database: 0, globalKeyprefix: '#' });
    expect(channels.pattern('ev#', 'worker.#')).toBe('#/0.ev#/worker.*');
    expect(channels.pattern('celeryev', '#')).toBe('#/0.celeryev/*');
    expect(channels.pattern('bcast')).toBe('#/0.bcast');
  });
});
