import { describe, expect, test } from '@jest/globals';
import { EncodeError } from '../../../src/errors.ts';
import { buildTaskMessage } from '../../../src/protocol/task-publish.ts';

const NOW = Date.UTC(2026, 0, 2, 3, 4, 5);
const build = (changes: object): ReturnType<typeof buildTaskMessage> =>
  buildTaskMessage({ id: 'i', task: 't', origin: 'gen1@h', nowMs: NOW, ...changes });

describe('a task message', () => {
  test('without arguments prints them as an empty tuple and an empty dict', () => {
    const { headers, body } = build({});
    expect(headers).toMatchObject({ lang: 'js', argsrepr: '()', kwargsrepr: '{}', root_id: 'i', eta: null });
    expect(body).toEqual([[], {}, { callbacks: null, errbacks: null, chain: null, chord: null }]);
  });

  test('prints args as the tuple or list the caller meant, unless he says what to print', () => {
    expect(build({ args: [1] }).headers['argsrepr']).toBe('(1,)');
    expect(build({ args: [1], argsAsList: true }).headers['argsrepr']).toBe('[1]');
    expect(build({ args: [], argsAsList: true }).headers['argsrepr']).toBe('()');
    expect(build({ args: ['secret'], argsrepr: '(***)', kwargsrepr: '' }).headers).toMatchObject({
      argsrepr: '(***)',
      kwargsrepr: '',
    });
  });

  test('has no eta for a countdown of 0, and the countdown’s where both are given', () => {
    expect(build({ countdown: 0 }).headers['eta']).toBeNull();
    expect(build({ countdown: 1.25, eta: '2030-01-01' }).headers['eta']).toBe('2026-01-02T03:04:06.250000+00:00');
    expect(build({ countdown: 0, eta: new Date(0) }).headers['eta']).toBe('1970-01-01T00:00:00+00:00');
  });

  test('expires in whole milliseconds, at once where the time has passed', () => {
    expect(build({}).properties).not.toHaveProperty('expiration');
    expect(build({ expires: 0 }).properties['expiration']).toBe('0');
    expect(build({ expires: -5 }).properties['expiration']).toBe('0');
    expect(build({ expires: 1.9996 }).properties['expiration']).toBe('1999');
    expect(build({ expires: '2026-01-02T03:04:15' }).properties['expiration']).toBe('10000');
    expect(build({ expires: '2026-01-02T03:04:15+01:00' }).properties['expiration']).toBe('0');
  });

  test.each([{ countdown: NaN }, { expires: 1e300 }, { eta: new Date(NaN) }, { expires: 'tomorrow' }])(
    'with the time %j is refused',
    (times) => {
      expect(() => build(times)).toThrow(EncodeError);
    },
  );

  test('takes stamps by name, and own headers over standard ones', () => {
    const { headers } = build({
      stampedHeaders: ['a', 'toString'],
      stamps: { a: [1], unnamed: 2 },
      headers: { shadow: 's', 'x-trace': 1 },
    });
    expect(headers).toMatchObject({ stamped_headers: ['a', 'toString'], stamps: { a: [1], toString: null } });
    expect(headers).toMatchObject({ shadow: 's', 'x-trace': 1 });
  });
});
