/**
 * Settings from elsewhere, for `app.configFromObject`: an object, a file of JSON or YAML, or a module in JavaScript or
 * TypeScript. Counterpart: config_from_object of celery/app/base.py and detect_settings of celery/app/utils.py, 5.6.3. As
 * there it is done at once, not later, so a module with a top-level await cannot be read.
 */
import { readFileSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { extname, isAbsolute, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse as parseYaml } from 'yaml';
import { ConfigError } from '../errors.ts';
import { camelCase, SETTING_NAMES } from './table.ts';

export interface LoadOptions {
  /**
   * Only names that begin so are settings, and the beginning is taken off: with `CELERY`, `CELERY_TASK_ACKS_LATE` is
   * task_acks_late and all without it is somebody else's. In upper case it wants upper case names.
   *
   * @defaultValue none: all names are settings
   */
  readonly namespace?: string;
  /** Where relative paths and packages are looked up. @defaultValue the working directory */
  readonly cwd?: string;
}

const EXTENSIONS = ['.mjs', '.js', '.cjs', '.ts', '.mts', '.cts', '.json', '.yaml', '.yml'];
const KNOWN: ReadonlySet<string> = new Set(SETTING_NAMES.flatMap((name) => [name, camelCase(name)]));

/**
 * @param source - an object; or a path, a package name, either with the export's name after a colon; or a `file:` URL.
 * @returns names and values, not yet checked. @throws ConfigError when it is not there or can't be read.
 */
export function loadSettings(source: unknown, options: LoadOptions = {}): Readonly<Record<string, unknown>> {
  const { namespace = '', cwd = process.cwd() } = options;
  const isPath = typeof source === 'string' || source instanceof URL;
  const found = isPath ? load(String(source), cwd) : source;
  if (typeof found !== 'object' || found === null || Array.isArray(found)) {
    const what = isPath ? `the settings in ${String(source)}` : 'configFromObject: settings';
    throw new ConfigError(`${what} must be an object, not ${Array.isArray(found) ? 'a list' : String(found)}`);
  }
  const settings = Object.entries(found);
  return Object.fromEntries(namespace === '' ? settings.filter(isSetting) : inNamespace(settings, namespace));
}

/** What a module has beside its settings: functions and classes, and what begins with an underscore. */
function isSetting([name, value]: readonly [string, unknown]): boolean {
  if (KNOWN.has(name)) return true;
  return name !== 'default' && !name.startsWith('_') && typeof value !== 'function';
}

function inNamespace(settings: readonly (readonly [string, unknown])[], namespace: string): [string, unknown][] {
  const prefix = `${namespace}_`;
  const isUpper = namespace === namespace.toUpperCase();
  return settings
    .filter(([name]) => name.startsWith(prefix))
    .map(([name, value]) => {
      const bare = name.slice(prefix.length);
      return [isUpper ? bare.toLowerCase() : bare, value];
    });
}

function load(spec: string, cwd: string): unknown {
  const whole = locate(spec, cwd);
  if (whole !== null) return read(whole);
  const [, module = spec, attribute = ''] = /^(.{2,}):([\w$.]+)$/su.exec(spec) ?? [];
  const file = attribute === '' ? null : locate(module, cwd);
  if (file === null) {
    throw new ConfigError(
      `there is no settings module "${spec}" in ${cwd} (a path, also without its extension, or a package)`,
    );
  }
  const found = attribute.split('.').reduce<unknown>(property, read(file));
  if (found === undefined) throw new ConfigError(`the settings module ${file} has no export "${attribute}"`);
  return found;
}

function property(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}

function locate(spec: string, cwd: string): string | null {
  let path: string;
  try {
    path = spec.startsWith('file:') ? fileURLToPath(spec) : resolve(cwd, spec);
  } catch (cause) {
    throw new ConfigError(`${spec} is not the address of a file`, { cause });
  }
  const paths = [path, ...EXTENSIONS.map((extension) => path + extension)];
  // Python's way of writing a path: `proj.celeryconfig`.
  if (/^\w+(?:\.\w+)+$/u.test(spec)) {
    paths.push(...EXTENSIONS.map((extension) => resolve(cwd, spec.replaceAll('.', '/') + extension)));
  }
  const found = paths.find((candidate) => statSync(candidate, { throwIfNoEntry: false })?.isFile());
  if (found !== undefined) return found;
  if (isAbsolute(spec) || /^(?:\.{1,2}(?:[/\\]|$)|file:)/u.test(spec)) return null;
  try {
    const resolved = requireFrom(cwd).resolve(spec);
    return isAbsolute(resolved) ? resolved : null;
  } catch {
    return null;
  }
}

function requireFrom(directory: string): NodeJS.Require {
  return createRequire(join(directory, 'celeriac-loads-from-here.js'));
}

function read(file: string): unknown {
  const extension = extname(file);
  if (extension === '.py') {
    throw new ConfigError(
      `${file} is Python, which celeriac does not run; write the settings as JSON, YAML or a module`,
    );
  }
  try {
    if (extension === '.json') return JSON.parse(readFileSync(file, 'utf8').replace(/^\uFEFF/u, ''));
    if (extension === '.yaml' || extension === '.yml') return parseYaml(readFileSync(file, 'utf8')) as unknown;
    return flatten(requireModule(file));
  } catch (cause) {
    if (cause instanceof ConfigError) throw cause;
    throw new ConfigError(`cannot read the settings in ${file}: ${whyNot(cause)}`, { cause });
  }
}

function requireModule(file: string): unknown {
  const require = requireFrom(process.cwd());
  if (/\.[mc]?ts$/u.test(file) && !canRunTypeScript(require)) {
    throw new ConfigError(
      `cannot read the settings in ${file}: this Node.js does not run TypeScript by itself; install tsx and start with NODE_OPTIONS='--import tsx', or compile the module first`,
    );
  }
  return require(file) as unknown;
}

function canRunTypeScript(require: NodeJS.Require): boolean {
  // eslint-disable-next-line @typescript-eslint/no-deprecated -- loaders of TypeScript still tell that way that they are there
  return '.ts' in require.extensions || Boolean(Reflect.get(process.features, 'typescript'));
}

function whyNot(cause: unknown): string {
  if (property(cause, 'code') === 'ERR_REQUIRE_ASYNC_MODULE') {
    return 'it (or what it imports) has a top-level await, and settings are read at once';
  }
  return cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause);
}

/** Named exports, and the members of a default export. */
function flatten(module: unknown): unknown {
  const inner = property(module, 'default');
  if (typeof inner !== 'object' || inner === null || Array.isArray(inner)) return module;
  return { ...inner, ...(module as object) };
}
