import { describe, expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { censor, isGiven, resolveConfig, type Config, type Settings } from '../../../src/config/config.ts';
import { settingsDocument } from '../../../src/config/document.ts';
import { camelCase, environmentVariable, SETTING_NAMES, SETTINGS, type Row } from '../../../src/config/table.ts';
import { ConfigError } from '../../../src/errors.ts';

const refusal = (sources: Parameters<typeof resolveConfig>[0]): string => {
  try {
    resolveConfig(sources);
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  throw new Error('was accepted');
};
const settings = (value: Record<string, unknown>): Settings => value;

describe('names', () => {
  test('lower-case and camelCase names mean the same', () => {
    const config: Config = resolveConfig({ explicit: { task_acks_late: true, workerPrefetchMultiplier: 1 } });
    expect([config.taskAcksLate, config.workerPrefetchMultiplier]).toEqual([true, 1]);
  });

  test('the type of each setting follows from the table', () => {
    const config = resolveConfig();
    const typed: [
      boolean,
      number | null,
      readonly string[],
      string | readonly string[],
      'round-robin' | 'shuffle' | null,
    ] = [
      config.taskAcksLate,
      config.resultExpires,
      config.acceptContent,
      config.brokerUrl,
      config.brokerFailoverStrategy,
    ];
    // @ts-expect-error -- no such setting
    expect(config.taskAckLate).toBeUndefined();
    expect(typed).toHaveLength(5);
  });

  test.each([
    ['task_ack_late', 'did you mean "task_acks_late"?'],
    ['taskAckLate', 'did you mean "taskAcksLate"?'],
    ['CELERY_TASK_ACKS_LATE', 'did you mean "task_acks_late"?'],
    ['BROKER_URL', 'did you mean "broker_url"?'],
    ['brokerURL', 'did you mean "brokerUrl"?'],
    ['timezne', 'did you mean "timezone"?'],
    ['entirely_else', 'docs/settings.md lists them'],
    ['constructor', 'docs/settings.md lists them'],
  ])('%s is unknown: %s', (key, hint) => {
    expect(refusal({ explicit: settings({ [key]: 1 }) })).toBe(`the app: unknown setting "${key}", ${hint}`);
  });

  test('__proto__ in a settings file is an unknown setting, not a prototype', () => {
    expect(refusal({ module: JSON.parse('{"__proto__": {"task_acks_late": true}}') })).toContain(
      'unknown setting "__proto__"',
    );
  });

  test('one setting under both names is refused when they differ', () => {
    expect(refusal({ explicit: { timezone: 'UTC', task_serializer: 'json', taskSerializer: 'yaml' } })).toContain(
      'given twice',
    );
    expect(resolveConfig({ explicit: { task_serializer: 'yaml', taskSerializer: 'yaml' } }).taskSerializer).toBe(
      'yaml',
    );
  });

  test("settings of Celery's other brokers and backends are only warned of", () => {
    const { warnings } = resolveConfig({
      module: { mongodb_backend_settings: {}, cassandraServers: [], broker_transport: 'amqp' },
    });
    expect(warnings).toHaveLength(3);
    expect(warnings[0]).toContain('"mongodb_backend_settings" has no effect');
  });

  test('settings that are no object are refused', () => {
    for (const module of [[], 'x', 7])
      expect(refusal({ module })).toBe('the settings module: settings must be an object');
  });
});

describe('values', () => {
  test.each<[string, unknown, string]>([
    ['task_acks_late', 'yes', 'the app: task_acks_late must be true or false, not "yes"'],
    ['taskAcksLate', 1, 'the app: taskAcksLate must be true or false, not 1'],
    ['worker_concurrency', 0, 'must be a whole number from 1, or null, not 0'],
    ['worker_concurrency', '8', 'must be a whole number from 1, or null, not "8"'],
    ['worker_prefetch_multiplier', 1.5, 'must be a whole number from 0, not 1.5'],
    ['task_time_limit', -1, 'must be a number from 0, or null, not -1'],
    ['task_time_limit', NaN, 'not NaN'],
    ['task_time_limit', 10n, 'not 10n'],
    ['broker_failover_strategy', 'random', 'must be one of "round-robin", "shuffle"'],
    ['timezone', 'Mars/Olympus', 'must be an IANA time zone'],
    ['task_serializer', 'pickle', 'must be a serializer other than pickle'],
    ['broker_transport_options', [], 'must be a dict'],
    ['broker_transport_options', new Map(), 'must be a dict'],
    ['accept_content', [1], 'must be a list of strings'],
    ['broker_url', [], 'must be a URL or a list of URLs'],
    ['broker_url', { toString: 1 }, 'must be a URL or a list of URLs'],
    ['task_default_queue', null, 'must be a string, not null'],
    ['task_default_queue', () => 'x', 'not a function'],
  ])('%s = %p is refused', (key, value, message) => {
    expect(refusal({ explicit: settings({ [key]: value }) })).toContain(message);
  });

  test('a refused value does not show its password', () => {
    expect(refusal({ explicit: settings({ redis_password: 77_777 }) })).not.toContain('77');
    expect(refusal({ explicit: settings({ broker_url: ['redis://:hunter2@h', 7] }) })).not.toContain('hunter2');
    expect(refusal({ explicit: settings({ broker_transport_options: [{ password: 'hunter2' }] }) })).not.toContain(
      'hunter2',
    );
  });

  test('a single content type is a list of one', () => {
    expect(resolveConfig({ module: { accept_content: 'json' } }).acceptContent).toEqual(['json']);
  });

  test('values of settings that take anything keep their identity, functions and class instances too', () => {
    const route = (): string => 'x';
    const when = new Date();
    const config = resolveConfig({ explicit: { task_routes: route, beatSchedule: { entry: when } } });
    expect(config.taskRoutes).toBe(route);
    expect(config.beatSchedule.entry).toBe(when);
  });

  test('the result and what hangs on it are frozen, what was given is not', () => {
    const options = { visibility_timeout: 10 };
    const config = resolveConfig({ explicit: { brokerTransportOptions: options } });
    expect(() => ((config as { taskAcksLate: boolean }).taskAcksLate = true)).toThrow(TypeError);
    expect(() => ((config.brokerTransportOptions as { visibility_timeout: number }).visibility_timeout = 1)).toThrow(
      TypeError,
    );
    expect(() => (config.acceptContent as string[]).push('yaml')).toThrow(TypeError);
    options.visibility_timeout = 20;
    expect(config.brokerTransportOptions).toEqual({ visibility_timeout: 10 });
  });
});

describe('precedence', () => {
  test('command line, variables, app, module, default', () => {
    const module = { task_default_queue: 'module', worker_concurrency: 1, task_time_limit: 1, result_expires: 1 };
    const explicit = { taskDefaultQueue: 'app', workerConcurrency: 2, task_time_limit: 2 };
    const env = { CELERY_TASK_DEFAULT_QUEUE: 'env', CELERY_WORKER_CONCURRENCY: '3' };
    const config = resolveConfig({ module, explicit, env, cli: { worker_concurrency: 4 } });
    expect([
      config.workerConcurrency,
      config.taskDefaultQueue,
      config.taskTimeLimit,
      config.resultExpires,
      config.taskTrackStarted,
    ]).toEqual([4, 'env', 2, 1, false]);
  });

  test.each<[string, Record<string, string>, string]>([
    ['CELERY_BROKER_URL', { CELERY_BROKER_URL: 'redis://env', REDIS_URL: 'redis://no' }, 'redis://env'],
    ['REDIS_URL', { REDIS_URL: 'redis://url', REDIS_HOST: 'no' }, 'redis://url'],
    ['an empty variable', { CELERY_BROKER_URL: '', REDIS_URL: 'redis://url' }, 'redis://url'],
    ['REDIS_HOST', { REDIS_HOST: 'h', REDIS_PORT: '1', REDIS_DB: '2', REDIS_PASSWORD: 'p/w' }, 'redis://:p%2Fw@h:1/2'],
    ['REDIS_HOST alone', { REDIS_HOST: 'h' }, 'redis://h:6379/0'],
    [
      'REDIS_HOST with a user',
      { REDIS_HOST: '::1', REDIS_USERNAME: 'u', REDIS_PASSWORD: 'p' },
      'redis://u:p@[::1]:6379/0',
    ],
    ['nothing', {}, 'redis://localhost:6379/0'],
  ])('the broker from %s', (_name, env, expected) => expect(resolveConfig({ env }).brokerUrl).toBe(expected));

  test("the app's broker wins over REDIS_URL, and CELERY_BROKER_URL and -b over the app's", () => {
    const explicit = { brokerUrl: 'redis://app', broker_read_url: 'redis://app-read' };
    expect(resolveConfig({ explicit, env: { REDIS_URL: 'redis://no' } }).brokerUrl).toBe('redis://app');
    expect(resolveConfig({ explicit, env: { CELERY_BROKER_URL: 'redis://env' } })).toMatchObject({
      brokerUrl: 'redis://env',
      brokerReadUrl: 'redis://app-read',
    });
    expect(
      resolveConfig({ explicit, cli: { broker_url: 'redis://cli' }, env: { CELERY_BROKER_URL: 'redis://env' } }),
    ).toMatchObject({
      brokerUrl: 'redis://cli',
      brokerReadUrl: null,
    });
  });

  test.each<[string, Parameters<typeof resolveConfig>[0], string | null]>([
    [
      'its variable',
      { env: { CELERY_RESULT_BACKEND: 'redis://env' }, explicit: { result_backend: 'redis://app' } },
      'redis://env',
    ],
    [
      'the app',
      { explicit: { resultBackend: 'redis://app' }, env: { REDIS_BACKEND_URL: 'redis://no' } },
      'redis://app',
    ],
    ['the app that wants none', { explicit: { resultBackend: null }, env: { REDIS_BACKEND_URL: 'redis://no' } }, null],
    [
      'REDIS_BACKEND_URL',
      { explicit: { brokerUrl: 'redis://app' }, env: { REDIS_BACKEND_URL: 'redis://url' } },
      'redis://url',
    ],
    [
      'nowhere, when only the broker was chosen',
      { explicit: { brokerUrl: 'redis://app' }, env: { REDIS_URL: 'redis://no' } },
      null,
    ],
    ['REDIS_URL', { env: { REDIS_URL: 'redis://url' } }, 'redis://url'],
    ['REDIS_HOST', { env: { REDIS_HOST: 'h' } }, 'redis://h:6379/0'],
    ['localhost, when nothing was said', {}, 'redis://localhost:6379/0'],
  ])('the result backend from %s', (_name, sources, expected) =>
    expect(resolveConfig(sources).resultBackend).toBe(expected),
  );
});

describe('environment variables', () => {
  test.each<[string, string, keyof Config, unknown]>([
    ['CELERY_TASK_ACKS_LATE', 'true', 'taskAcksLate', true],
    ['CELERY_TASK_ACKS_LATE', '1', 'taskAcksLate', true],
    ['CELERY_TASK_ACKS_LATE', 'off', 'taskAcksLate', false],
    ['CELERY_WORKER_CONCURRENCY', '8', 'workerConcurrency', 8],
    ['CELERY_TASK_TIME_LIMIT', '2.5', 'taskTimeLimit', 2.5],
    ['CELERY_TASK_SOFT_TIME_LIMIT', 'None', 'taskSoftTimeLimit', null],
    ['CELERY_ACCEPT_CONTENT', 'json, yaml', 'acceptContent', ['json', 'yaml']],
    [
      'CELERY_BROKER_TRANSPORT_OPTIONS',
      '{"visibility_timeout": 5}',
      'brokerTransportOptions',
      { visibility_timeout: 5 },
    ],
    ['CELERY_RESULT_BACKEND_MAX_RETRIES', 'inf', 'resultBackendMaxRetries', Infinity],
    ['CELERY_BROKER_USE_SSL', '{"ssl_cert_reqs": "none"}', 'brokerUseSsl', { ssl_cert_reqs: 'none' }],
    ['CELERY_BROKER_USE_SSL', 'yes', 'brokerUseSsl', true],
    ['CELERY_WORKER_REVOKES_MAX', '5', 'workerRevokesMax', 5],
    ['CELERIAC_LEASE_SECONDS', '3', 'celeriacLeaseSeconds', 3],
    ['CELERIAC_LOOP_BLOCK_LIMIT', '90', 'celeriacLoopBlockLimit', 90],
  ])('%s=%s', (variable, value, key, expected) => {
    const config = resolveConfig({ env: { [variable]: value } });
    expect(config[key]).toEqual(expected);
    expect(config.warnings).toEqual([]);
  });

  test('a wrong value is refused by the name of its variable', () => {
    expect(refusal({ env: { CELERY_WORKER_CONCURRENCY: 'many' } })).toBe(
      'CELERY_WORKER_CONCURRENCY must be a whole number from 1, or null, not NaN',
    );
    expect(refusal({ env: { CELERY_TASK_ACKS_LATE: 'perhaps' } })).toBe(
      'CELERY_TASK_ACKS_LATE must be true or false, not "perhaps"',
    );
  });

  test('an unknown CELERY_ variable is only warned of, with the nearest', () => {
    expect(resolveConfig({ env: { CELERY_TASK_ACK_LATE: '1' } }).warnings).toEqual([
      'the variable CELERY_TASK_ACK_LATE is no setting and is ignored; did you mean CELERY_TASK_ACKS_LATE?',
    ]);
  });

  test("variables of Celery's own programs are not warned of", () => {
    const env = {
      CELERY_APP: 'x',
      CELERY_WORKER_QUEUES: 'a',
      CELERY_LOG_LEVEL: '1',
      CELERY_BEAT_SCHEDULE: 'x',
      CELERY_WORKER_LOGLEVEL: 'info',
      CELERYD_NODES: '1',
      HOME: '/',
    };
    expect(resolveConfig({ env }).warnings).toEqual([]);
  });
});

describe('the table', () => {
  test('every default is a value of its kind', () => {
    for (const name of SETTING_NAMES) {
      const row: Row<unknown> = SETTINGS[name];
      expect([name, row.kind.schema.safeParse(row.default).success]).toEqual([name, true]);
    }
  });

  test('no two settings share a camelCase name or a variable', () => {
    expect(new Set(SETTING_NAMES.map(camelCase)).size).toBe(SETTING_NAMES.length);
    expect(new Set(SETTING_NAMES.map(environmentVariable)).size).toBe(SETTING_NAMES.length);
  });

  test('docs/settings.md is what the table says (npx tsx scripts/gen-settings.ts)', () => {
    expect(readFileSync(new URL('../../../docs/settings.md', import.meta.url), 'utf8')).toBe(settingsDocument());
  });
});

describe('what is shown', () => {
  const config = resolveConfig({
    explicit: {
      brokerUrl: ['redis://:hunter2@a', 'redis://u:hunter2@b/0'],
      redis_password: 'hunter2',
      resultBackend: 'rediss://:hunter2@h/1',
      brokerTransportOptions: { global_keyprefix: 'app:', sentinel_kwargs: { password: 'hunter2' } },
    },
  });

  test('no secret, and the rest as it is', () => {
    expect(JSON.stringify(censor(config, true))).not.toContain('hunter2');
    expect(censor(config)).toEqual({
      broker_url: ['redis://:**@a', 'redis://u:**@b/0'],
      redis_password: '********',
      result_backend: 'rediss://:**@h/1',
      broker_transport_options: { global_keyprefix: 'app:', sentinel_kwargs: { password: '********' } },
    });
  });

  test('a password from REDIS_PASSWORD is hidden too', () => {
    expect(
      JSON.stringify(censor(resolveConfig({ env: { REDIS_HOST: 'h', REDIS_PASSWORD: 'hunter2' } }), true)),
    ).not.toContain('hunter2');
  });

  test('what was given is told apart from defaults', () => {
    expect([isGiven(config, 'redis_password'), isGiven(config, 'task_acks_late')]).toEqual([true, false]);
    expect(Object.keys(censor(config, true))).toHaveLength(SETTING_NAMES.length);
  });
});
