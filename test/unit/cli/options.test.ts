import { describe, expect, test } from '@jest/globals';
import { Command, InvalidArgumentError, Option } from 'commander';
import {
  jsonDict,
  jsonList,
  list,
  moment,
  oneOf,
  seconds,
  secondsOrMoment,
  umask,
  wholeNumber,
} from '../../../src/cli/options.ts';
import { readVariables, variableOf } from '../../../src/cli/variables.ts';

describe('option values', () => {
  test.each([
    ['a whole number', wholeNumber(1), '3', 3],
    ['seconds', seconds, '0.5', 0.5],
    ['a choice in any case', oneOf(['debug', 'info']), 'INFO', 'info'],
    ['an alias', oneOf(['async'], { gevent: 'async' }), 'gevent', 'async'],
    ['a list', (text: string) => list(text), 'a, b,,c', ['a', 'b', 'c']],
    ['a JSON list', jsonList, '[1, {"a": null}]', [1, { a: null }]],
    ['a JSON object', jsonDict, '{"a": 1}', { a: 1 }],
    ['a moment', moment, '2026-12-31T23:59:00+01:00', new Date('2026-12-31T22:59:00Z')],
    ['a moment without a zone, which is UTC', moment, '2026-12-31T23:59:00', new Date('2026-12-31T23:59:00Z')],
    ['a moment with a space', moment, '2026-12-31 23:59:00', new Date('2026-12-31T23:59:00Z')],
    ['a day', moment, '2026-12-31', new Date('2026-12-31T00:00:00Z')],
    ['seconds as expiry', secondsOrMoment, '30', 30],
    ['a moment as expiry', secondsOrMoment, '2026-12-31', new Date('2026-12-31T00:00:00Z')],
    ['an octal mask', umask, '022', 0o22],
    ['a decimal mask', umask, '18', 18],
  ])('%s', (_what, read: (text: string) => unknown, text, value) => {
    expect(read(text)).toEqual(value);
  });

  test.each([
    [wholeNumber(1), '0'],
    [wholeNumber(0), ''],
    [wholeNumber(0), '1.5'],
    [seconds, '-1'],
    [seconds, 'x'],
    [oneOf(['a']), 'b'],
    [jsonList, '{}'],
    [jsonList, '[1'],
    [jsonDict, '[]'],
    [jsonDict, 'null'],
    [moment, 'tomorrow'],
    [moment, '2026-13-01'],
    [secondsOrMoment, ''],
    [umask, '888'],
    [umask, '01000'],
    [umask, '-1'],
  ])('%p refuses %j', (read: (text: string) => unknown, text) => {
    expect(() => read(text)).toThrow(InvalidArgumentError);
  });
});

function parse(args: readonly string[], env: NodeJS.ProcessEnv): Record<string, unknown> {
  const worker = new Command('worker')
    .addOption(new Option('-Q, --queues <names>').argParser(list))
    .addOption(new Option('-l, --loglevel <level>').argParser(oneOf(['debug', 'info'])).default('info'))
    .option('--without-gossip')
    .exitOverride()
    .configureOutput({ writeErr: () => undefined });
  const program = new Command('celeriac').option('-b, --broker <url>').option('-C, --no-color').addCommand(worker);
  worker.action(() => undefined);
  program.parse(args, { from: 'user' });
  readVariables(program, env);
  readVariables(worker, env);
  return worker.optsWithGlobals();
}

describe('options from the environment', () => {
  test('are named as click names them', () => {
    const worker = new Command('worker');
    const child = new Command('bindings');
    new Command('celeriac').addCommand(worker).addCommand(new Command('list').addCommand(child));
    expect(variableOf(worker, new Option('-X, --exclude-queues <names>'))).toBe('CELERY_WORKER_EXCLUDE_QUEUES');
    expect(variableOf(child, new Option('--json'))).toBe('CELERY_LIST_BINDINGS_JSON');
    expect(variableOf(worker.parent as Command, new Option('--broker <url>'))).toBe('BROKER_URL');
    expect(variableOf(worker.parent as Command, new Option('-A, --app <module>'))).toBe('CELERY_APP');
  });

  test('are read and converted; the command line comes first, an empty one counts as not set', () => {
    const env = {
      CELERY_WORKER_QUEUES: 'a,b',
      CELERY_WORKER_LOGLEVEL: 'DEBUG',
      CELERY_WORKER_WITHOUT_GOSSIP: 'yes',
      BROKER_URL: '',
      NO_COLOR: '1',
    };
    expect(parse(['worker'], env)).toEqual({
      queues: ['a', 'b'],
      loglevel: 'debug',
      withoutGossip: true,
      color: false,
    });
    expect(parse(['worker', '-Q', 'c', '-l', 'info'], env)).toMatchObject({ queues: ['c'], loglevel: 'info' });
    expect(parse(['worker'], { CELERY_WORKER_WITHOUT_GOSSIP: '0' })).toMatchObject({ withoutGossip: false });
  });

  test.each([
    [{ CELERY_WORKER_LOGLEVEL: 'loud' }, "error: the variable CELERY_WORKER_LOGLEVEL has the value 'loud'"],
    [
      { CELERY_WORKER_WITHOUT_GOSSIP: 'maybe' },
      'error: the variable CELERY_WORKER_WITHOUT_GOSSIP must be true or false',
    ],
  ])('%j is a usage error', (env, message) => {
    expect(() => parse(['worker'], env)).toThrow(message);
  });
});
