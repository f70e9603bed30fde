/**
 * Finds and imports the module `-A` names, and the app in it. The one place of module interop: ESM, CommonJS and
 * transpiled CommonJS (`exports.default` under `module.exports`) all end as one flat record of exports.
 * Counterpart: celery/app/utils.py, find_app (5.6.3).
 */
import { readdir, readFile, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { extname, isAbsolute, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { ConfigError } from '../errors.ts';

/** The mark every app carries (`[appMark] = true`), whichever copy of the package made it. */
export const appMark: unique symbol = Symbol.for('celeriac.app');

export interface MarkedApp {
  readonly [appMark]: true;
}

export interface LoadedApp {
  readonly app: MarkedApp;
  /** The file it came from. */
  readonly file: string;
}

export function isApp(value: unknown): value is MarkedApp {
  return typeof value === 'object' && value !== null && Reflect.get(value, appMark) === true;
}

/**
 * Loads the app of `-A`: a path or package, `./tasks.mjs`, `tasks`, `my-package/sub`, with the export's name after a
 * colon where it is neither `app` nor the default export (`tasks:celery`; dots reach into objects).
 *
 * @param cwd - directory that relative paths and packages are looked up from.
 * @throws ConfigError when nothing is found (it lists what was tried), when the module fails to load, or when there is no
 * app in it (it lists the exports).
 */
export async function loadApp(spec: string, cwd: string): Promise<LoadedApp> {
  const { module, attribute } = splitSpec(spec);
  const file = await locate(module, cwd);
  const exports = await importFile(file);
  if (attribute !== null) {
    const found = attribute.split('.').reduce<unknown>(property, exports);
    if (isApp(found)) return { app: found, file };
    throw new ConfigError(`-A ${spec}: the export "${attribute}" of ${file} is no Celeriac app (${listed(exports)})`);
  }
  const candidates = [exports['app'], exports['default'], exports['celery'], property(exports['default'], 'app')];
  const named = candidates.find(isApp);
  if (named !== undefined) return { app: named, file };
  // As in Celery, an app under another name will do; two under other names need a choice.
  const others = Object.entries(exports).filter(([, value]) => isApp(value));
  const [only] = others;
  if (only !== undefined && others.length === 1 && isApp(only[1])) return { app: only[1], file };
  if (others.length > 1) {
    const choices = others.map(([name]) => `${module}:${name}`).join(' or ');
    throw new ConfigError(`-A ${spec}: ${file} exports several apps; choose one with -A ${choices}`);
  }
  throw new ConfigError(`-A ${spec}: ${file} exports no Celeriac app named "app" or as default (${listed(exports)})`);
}

/**
 * Imports a module for what it does (tasks register themselves), as the settings `include` and `imports` ask.
 *
 * @returns its exports, CommonJS flattened.
 * @throws ConfigError as {@link loadApp} does.
 */
export async function loadModule(module: string, cwd: string): Promise<Record<string, unknown>> {
  return importFile(await locate(module, cwd));
}

/**
 * Imports a module, or all modules in a folder and below: for `autodiscoverTasks`. Tests, declarations, hidden files and
 * those whose name begins with `_` are left out.
 *
 * @throws ConfigError as {@link loadApp} does, also for a folder without modules.
 */
export async function loadModules(path: string, cwd: string): Promise<void> {
  const folder = resolve(cwd, path.startsWith('file:') ? fileOf(path) : path);
  if (!(await isFolder(folder))) {
    await loadModule(path, cwd);
    return;
  }
  const files = (await modulesIn(folder)).sort();
  if (files.length === 0) throw new ConfigError(`there are no modules in ${folder}, which is to be searched for tasks`);
  for (const file of files) await importFile(file);
}

async function modulesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  const found = entries.map(async (entry) => {
    const { name } = entry;
    if (/^[._]/u.test(name) || name === 'node_modules') return [];
    if (entry.isDirectory()) return modulesIn(join(folder, name));
    const isModule = extensions.includes(extname(name)) && !/\.(?:test|spec|d)\.[cm]?[jt]s$/u.test(name);
    return isModule ? [join(folder, name)] : [];
  });
  return (await Promise.all(found)).flat();
}

function property(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}

function listed(exports: Record<string, unknown>): string {
  const names = Object.keys(exports);
  return names.length === 0 ? 'it exports nothing' : `its exports: ${names.join(', ')}`;
}

/** Splits at the last colon; that of a drive (`C:\tasks.js`) or of `file://` is none. */
function splitSpec(spec: string): { module: string; attribute: string | null } {
  const [, module, attribute] = /^(.{2,}):([\p{ID_Start}$_][\p{ID_Continue}$.]*)$/su.exec(spec) ?? [];
  if (module !== undefined && attribute !== undefined) return { module, attribute };
  if (spec.trim() === '') throw new ConfigError('-A needs a path or a package name, such as -A ./tasks.mjs');
  return { module: spec, attribute: null };
}

const extensions = ['.mjs', '.js', '.cjs', '.ts', '.mts', '.cts'];

/** The file a spec means: a path as given, with an extension added, or a directory's index; else a package. */
async function locate(module: string, cwd: string): Promise<string> {
  const tried: string[] = [];
  const path = module.startsWith('file:') ? fileOf(module) : resolve(cwd, module);
  const paths = [path, ...extensions.map((extension) => path + extension)];
  // Python's way of writing a path: `proj.tasks`.
  if (/^\w+(?:\.\w+)+$/u.test(module) && !extensions.includes(extname(module))) {
    paths.push(...extensions.map((extension) => resolve(cwd, module.replaceAll('.', '/') + extension)));
  }
  for (const candidate of paths) {
    tried.push(candidate);
    if (await isFile(candidate)) return candidate;
  }
  // A directory's package.json may name its entry; require.resolve reads it, and index.js and index.cjs by itself.
  const indexes = extensions.map((extension) => join(path, `index${extension}`));
  const isPath = isAbsolute(module) || /^(?:\.{0,2}[/\\]|\.{1,2}$|file:)/u.test(module);
  const asPackage = isPath ? path : module;
  const resolved = [await resolveWith(asPackage, cwd)];
  if (!isPath) resolved.push(await resolveWith(path, cwd));
  for (const candidate of [...resolved, ...indexes]) {
    if (candidate !== null && (await isFile(candidate))) return candidate;
  }
  tried.push(join(path, 'index.*'));
  if (!isPath) tried.push(`the package "${module}"`);
  throw new ConfigError(`-A ${module}: there is no such module; tried ${tried.join(', ')}`);
}

function fileOf(url: string): string {
  try {
    return fileURLToPath(url);
  } catch (cause) {
    throw new ConfigError(`-A ${url}: not the address of a file`, { cause });
  }
}

/**
 * Resolves a package as `require` in `cwd` would. A package that exports only to `import` refuses that; its exports are
 * then read here, for plain entries (no patterns), because import.meta.resolve takes no other place to start from.
 */
async function resolveWith(name: string, cwd: string): Promise<string | null> {
  const require = createRequire(join(cwd, 'celeriac-loads-from-here.js'));
  try {
    const found = require.resolve(name);
    return isAbsolute(found) ? found : null;
  } catch (error) {
    if (property(error, 'code') !== 'ERR_PACKAGE_PATH_NOT_EXPORTED') return null;
  }
  const [, packageName = name, subPath = ''] = /^((?:@[^/]+\/)?[^/]+)(\/.+)?$/su.exec(name) ?? [];
  for (const directory of require.resolve.paths(packageName) ?? []) {
    const home = join(directory, packageName);
    const text = await readFile(join(home, 'package.json'), 'utf8').catch(() => null);
    if (text === null) continue;
    const exports = property(JSON.parse(text), 'exports');
    const target = forImport(subPath === '' ? (property(exports, '.') ?? exports) : property(exports, `.${subPath}`));
    return target === null ? null : join(home, target);
  }
  return null;
}

/** The file a conditional export gives to `import` in Node. */
function forImport(target: unknown): string | null {
  if (typeof target === 'string') return target;
  if (typeof target !== 'object' || target === null) return null;
  for (const [condition, value] of Object.entries(target)) {
    if (['import', 'node', 'module-sync', 'default'].includes(condition)) {
      const found = forImport(value);
      if (found !== null) return found;
    }
  }
  return null;
}

async function isFolder(path: string): Promise<boolean> {
  return (await stat(path).catch(() => null))?.isDirectory() ?? false;
}

async function isFile(path: string): Promise<boolean> {
  return (await stat(path).catch(() => null))?.isFile() ?? false;
}

async function importFile(file: string): Promise<Record<string, unknown>> {
  let namespace: Record<string, unknown>;
  try {
    namespace = (await import(pathToFileURL(file).href)) as Record<string, unknown>;
  } catch (cause) {
    throw new ConfigError(`cannot load ${file}: ${whyNot(file, cause)}`, { cause });
  }
  return flatten(namespace);
}

function whyNot(file: string, cause: unknown): string {
  const isTypeScript = /\.[mc]?ts$/u.test(file);
  if (isTypeScript && property(cause, 'code') === 'ERR_UNKNOWN_FILE_EXTENSION') {
    return "this Node.js does not run TypeScript by itself; install tsx and start with NODE_OPTIONS='--import tsx', or compile the module first";
  }
  return cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause);
}

/**
 * One flat record of a module's exports. CommonJS arrives as `{ default: module.exports }` (with the names Node could
 * tell beforehand), transpiled CommonJS with a second `default` inside.
 */
function flatten(namespace: Record<string, unknown>): Record<string, unknown> {
  const inner = namespace['default'];
  if (typeof inner !== 'object' || inner === null || isApp(inner)) return { ...namespace };
  const isTranspiled = property(inner, '__esModule') === true;
  const isCommonJs = 'module.exports' in namespace || isTranspiled;
  if (!isCommonJs && !looksLikeModule(inner)) return { ...namespace };
  const { __esModule: _mark, ...exports } = inner as Record<string, unknown>;
  return isTranspiled || 'default' in exports
    ? { ...namespace, ...exports }
    : { ...namespace, ...exports, default: inner };
}

/** Node 20 gives CommonJS modules no mark of their own; a plain object that holds an app must be their exports. */
function looksLikeModule(value: object): boolean {
  return Object.values(value).some(isApp);
}
