import { describe, expect, test } from '@jest/globals';
import { ConfigError } from '../../../src/errors.ts';
import { parseRate, RateLimits } from '../../../src/worker/rate-limits.ts';
import type { Request } from '../../../src/worker/request.ts';
import { FakeClock } from '../../support/fake-clock.ts';

const request = (id: string): Request => ({ id }) as unknown as Request;

function limits(isDisabled = false): { clock: FakeClock; limits: RateLimits; started: string[] } {
  const clock = new FakeClock();
  const started: string[] = [];
  return { clock, started, limits: new RateLimits({ clock, isDisabled, reserve: ({ id }) => started.push(id) }) };
}

test.each(['1/d', 'abc', '-1', '1/', '1e3', -1, NaN, Infinity, {}, true, '10/s/m'])('%p is no rate', (rate) => {
  expect(() => parseRate(rate)).toThrow(ConfigError);
});

describe('a rate-limited task', () => {
  test('starts first at once, then in order at its rate', () => {
    const { clock, limits: all, started } = limits();
    const limit = all.of('t', '2/s');
    for (const id of ['a', 'b', 'c']) limit.admit(request(id));
    expect(started).toEqual(['a']);
    expect(all.size).toBe(2);
    clock.advance(499);
    expect(started).toEqual(['a']);
    clock.advance(1);
    expect(started).toEqual(['a', 'b']);
    clock.advance(500);
    expect(started).toEqual(['a', 'b', 'c']);
    expect([all.size, clock.pending]).toEqual([0, 0]);
  });

  test('holds up no other type', () => {
    const { limits: all, started } = limits();
    const slow = all.of('slow', '1/h');
    const free = all.of('free', null);
    slow.admit(request('s1'));
    slow.admit(request('s2'));
    free.admit(request('f1'));
    expect(started).toEqual(['s1', 'f1']);
    expect([...all.waiting()].map(({ id }) => id)).toEqual(['s2']);
  });

  test('gets another limit while it waits: what waits follows the new one', () => {
    const { clock, limits: all, started } = limits();
    const limit = all.of('t', '1/h');
    for (const id of ['a', 'b', 'c', 'd']) limit.admit(request(id));
    expect(all.set('t', '10/s')).toBe(true);
    // As in Celery: a new bucket is full.
    expect(started).toEqual(['a', 'b']);
    clock.advance(100);
    expect(started).toEqual(['a', 'b', 'c']);
    expect(all.set('t', 0)).toBe(true);
    expect([started, clock.pending]).toEqual([['a', 'b', 'c', 'd'], 0]);
  });

  test('keeps its limit when the new one is none, and other tasks have none to change', () => {
    const { limits: all, started } = limits();
    const limit = all.of('t', '1/h');
    limit.admit(request('a'));
    limit.admit(request('b'));
    expect(() => all.set('t', '1/d')).toThrow(ConfigError);
    expect(started).toEqual(['a']);
    expect(all.set('unknown', '1/s')).toBe(false);
  });

  test('gives back what waits when the worker stops', () => {
    const { clock, limits: all, started } = limits();
    const limit = all.of('t', '1/s');
    for (const id of ['a', 'b', 'c']) limit.admit(request(id));
    expect(all.stop().map(({ id }) => id)).toEqual(['b', 'c']);
    clock.advance(10_000);
    expect([started, all.size, clock.pending]).toEqual([['a'], 0, 0]);
  });

  test('is not limited where worker_disable_rate_limits is set, and wrong rates are still refused', () => {
    const { limits: all, started } = limits(true);
    const limit = all.of('t', '1/h');
    limit.admit(request('a'));
    limit.admit(request('b'));
    expect(started).toEqual(['a', 'b']);
    expect(() => all.of('u', 'often')).toThrow(ConfigError);
  });
});
