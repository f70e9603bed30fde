/**
 * The settings in force: gathered from the command line, the environment, the app and its settings module, checked
 * against the table, frozen. Counterpart: celery/app/utils.py Settings, 5.6.3.
 *
 * Precedence, the first that gives a value: command line; CELERY_* variables; settings given to the app; its settings
 * module; for broker and result backend REDIS_URL and its kin; the default.
 */

import { ConfigError } from '../errors.ts';
import { isSecretName, maskSecrets } from '../util/masked-url.ts';
import { nearestName } from '../util/nearest.ts';
import { fallbackBackend, fallbackBroker } from './fallbacks.ts';
import { type ValueOf } from './kinds.ts';
import {
  camelCase,
  environmentVariable,
  SETTING_NAMES,
  SETTINGS,
  type CamelCase,
  type Row,
  type SettingName,
} from './table.ts';

type Table = typeof SETTINGS;
type Value<N extends SettingName> = ValueOf<Table[N]['kind']>;

/** All settings under their camelCase names. */
export type Config = { readonly [N in SettingName as CamelCase<N>]: Value<N> } & {
  /** What the user should know and that does not prevent a start. */
  readonly warnings: readonly string[];
};

/** What an app, a module or the command line gives: either style of name. */
export type Settings = { readonly [N in SettingName]?: Value<N> | undefined } & {
  readonly [N in SettingName as CamelCase<N>]?: Value<N> | undefined;
};

export interface ConfigSources {
  /** Settings given to the constructor. */
  readonly explicit?: Settings | undefined;
  /** A settings module's or file's content; checked like anything from outside. */
  readonly module?: unknown;
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  readonly cli?: Settings | undefined;
}

/** Settings of Celery's other brokers and backends: known, and of no use here. */
const FOREIGN =
  /^(cache|cassandra|s3|azureblockblob|gcs|couchbase|couchdb|arangodb|mongodb|cosmosdbsql|elasticsearch|security|database|riak|filesystem|dynamodb|consul|sqlalchemy)_|^broker_(transport|host|port|user|password|vhost)$/;

/** CELERY_* variables that are no settings: of Celery's own programs and their start scripts. */
const OTHER_VARIABLES = new Set(
  [
    ...[
      'APP',
      'BROKER',
      'LOADER',
      'CONFIG_MODULE',
      'WORKDIR',
      'NO_COLOR',
      'QUIET',
      'SKIP_CHECKS',
      'BIN',
      'NODES',
      'RDBSIG',
    ],
    ...['LOG_LEVEL', 'LOG_FILE', 'LOG_REDIRECT', 'LOG_REDIRECT_LEVEL', 'CREATE_DIRS', 'CACHE_BACKEND', 'TRACE_APP'],
  ].map((name) => `CELERY_${name}`),
);
/** `celery worker` and `celery beat` read each of their options from such a variable; so does our command line. */
const OPTION_VARIABLES =
  /^CELERY_(WORKER_(HOSTNAME|DETACH|STATEDB|LOGLEVEL|OPTIMIZATION|TASK_EVENTS|TIME_LIMIT|SOFT_TIME_LIMIT|PURGE|QUEUES|EXCLUDE_QUEUES|INCLUDE|WITHOUT_GOSSIP|WITHOUT_MINGLE|WITHOUT_HEARTBEAT|HEARTBEAT_INTERVAL|AUTOSCALE|BEAT|SCHEDULE_FILENAME|SCHEDULER|LOGFILE|PIDFILE|UID|GID|UMASK|EXECUTABLE)|(BEAT|EVENTS|INSPECT|CONTROL|STATUS|CALL|RESULT|PURGE|LIST|REPORT|MIGRATE|GRAPH|SHELL|MULTI|FLOWER)_[A-Z_]+)$/;

const BY_VARIABLE: ReadonlyMap<string, SettingName> = new Map(
  SETTING_NAMES.map((name) => [environmentVariable(name), name]),
);
const BY_ANY_NAME: ReadonlyMap<string, SettingName> = new Map(
  SETTING_NAMES.flatMap((name) => [
    [name, name],
    [camelCase(name), name],
  ]),
);

type Values = Map<SettingName, unknown>;

/** Which settings were given, not defaulted, by config. */
const given = new WeakMap<Config, ReadonlySet<SettingName>>();

/** @throws ConfigError that names the setting: unknown (with the nearest known one), of a wrong type or out of range. */
export function resolveConfig(sources: ConfigSources = {}): Config {
  const warnings: string[] = [];
  const env = sources.env ?? {};
  const cli = readSettings(sources.cli, 'the command line', warnings);
  const variables = readEnvironment(env, warnings);
  const explicit = readSettings(sources.explicit, 'the app', warnings);
  const module = readSettings(sources.module, 'the settings module', warnings);

  const chosen: Values = new Map([...module, ...explicit, ...variables, ...cli]);
  if (cli.has('broker_url')) {
    // -b is where this program shall go, whatever the app has for reading or writing.
    for (const name of ['broker_read_url', 'broker_write_url'] as const) if (!cli.has(name)) chosen.delete(name);
  }
  const hasBroker = chosen.has('broker_url') || chosen.has('broker_read_url') || chosen.has('broker_write_url');
  if (!chosen.has('broker_url')) chosen.set('broker_url', fallbackBroker(env));
  if (!chosen.has('result_backend')) {
    const backend = fallbackBackend(env, hasBroker ? null : (chosen.get('broker_url') as string));
    if (backend !== null) chosen.set('result_backend', backend);
  }

  const values: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  for (const name of SETTING_NAMES) {
    values[camelCase(name)] = freeze(chosen.has(name) ? chosen.get(name) : SETTINGS[name].default);
  }
  values.warnings = Object.freeze(warnings);
  const config = Object.freeze(values) as unknown as Config;
  given.set(config, new Set(chosen.keys()));
  return config;
}

/** Settings by Celery's names, secrets masked: for logs, reports and `inspect conf`. `all`: defaults too. */
export function censor(config: Config, all = false): Record<string, unknown> {
  const shown = given.get(config);
  const values = config as unknown as Readonly<Record<string, unknown>>;
  return Object.fromEntries(
    SETTING_NAMES.filter((name) => all || (shown?.has(name) ?? true)).map((name) => [
      name,
      maskSecrets(values[camelCase(name)], name),
    ]),
  );
}

/** Whether the setting was given by anyone, rather than left at its default. */
export function isGiven(config: Config, name: SettingName): boolean {
  return given.get(config)?.has(name) ?? false;
}

function readSettings(source: unknown, origin: string, warnings: string[]): Values {
  const values: Values = new Map();
  if (source === undefined || source === null) return values;
  if (typeof source !== 'object' || Array.isArray(source))
    throw new ConfigError(`${origin}: settings must be an object`);
  for (const [key, value] of Object.entries(source)) {
    if (value === undefined) continue;
    const name = BY_ANY_NAME.get(key);
    if (name === undefined) {
      refuseUnknown(key, origin, warnings);
      continue;
    }
    const checked = check(name, value, `${origin}: ${key}`);
    if (values.has(name) && values.get(name) !== checked) {
      throw new ConfigError(`${origin}: "${name}" is given twice, also as "${camelCase(name)}"`);
    }
    values.set(name, checked);
  }
  return values;
}

function refuseUnknown(key: string, origin: string, warnings: string[]): void {
  const lower = key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  if (FOREIGN.test(key) || FOREIGN.test(lower)) {
    warnings.push(
      `${origin}: the setting "${key}" has no effect: celeriac uses Redis only (broker_url, result_backend)`,
    );
    return;
  }
  const isCamel = /^[a-z]+([A-Z]|$)/.test(key) && !key.includes('_');
  // Celery's old upper-case names and the CELERY_ of Django settings are near enough once they are stripped.
  const plain = key === key.toUpperCase() ? key.toLowerCase().replace(/^celeryd?_/, '') : lower;
  const nearest = BY_ANY_NAME.get(plain) ?? nearestName(plain, SETTING_NAMES);
  const hint =
    nearest === null ? 'docs/settings.md lists them' : `did you mean "${isCamel ? camelCase(nearest) : nearest}"?`;
  throw new ConfigError(`${origin}: unknown setting "${key}", ${hint}`);
}

function readEnvironment(env: Readonly<Record<string, string | undefined>>, warnings: string[]): Values {
  const values: Values = new Map();
  for (const [variable, value] of Object.entries(env)) {
    // An empty variable is one that is not set, as Celery reads its own.
    if (value === undefined || value === '' || !/^(CELERY|CELERIAC)_/.test(variable)) continue;
    const name = BY_VARIABLE.get(variable);
    if (name !== undefined) {
      const row: Row<unknown> = SETTINGS[name];
      values.set(name, check(name, row.kind.fromText(value), variable));
    } else if (
      !OTHER_VARIABLES.has(variable) &&
      !OPTION_VARIABLES.test(variable) &&
      !FOREIGN.test(variable.slice(7).toLowerCase())
    ) {
      const nearest = nearestName(variable, BY_VARIABLE.keys());
      warnings.push(
        `the variable ${variable} is no setting and is ignored${nearest === null ? '' : `; did you mean ${nearest}?`}`,
      );
    }
  }
  return values;
}

function check(name: SettingName, value: unknown, origin: string): unknown {
  const { kind }: Row<unknown> = SETTINGS[name];
  const result = kind.schema.safeParse(value);
  if (result.success) return result.data;
  throw new ConfigError(`${origin} must be ${kind.expected}, not ${describe(name, value)}`);
}

function describe(name: SettingName, value: unknown): string {
  if (isSecretName(name)) return `a ${typeof value}`;
  if (typeof value === 'function' || typeof value === 'symbol') return `a ${typeof value}`;
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'number') return String(value);
  let shown: string;
  try {
    shown = JSON.stringify(maskSecrets(value, name));
  } catch {
    return 'something that cannot be printed';
  }
  return shown.length > 100 ? `${shown.slice(0, 100)}...` : shown;
}

/** Lists and dicts too, one level: nobody may change what all share. The given ones stay as they are. */
function freeze(value: unknown): unknown {
  if (Array.isArray(value)) return Object.freeze([...(value as unknown[])]);
  if (typeof value !== 'object' || value === null) return value;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null ? Object.freeze({ ...value }) : value;
}
