/**
 * Module interop is Node's own doing, so it is tried in a plain Node process, not in Jest's module system: the loader
 * is compiled into a scratch directory with sample modules around it, and one child answers for all of them.
 */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import ts from 'typescript';

interface Answer {
  /** The label of the app that was found. */
  readonly app?: string;
  readonly file?: string;
  readonly error?: string;
  readonly message?: string;
}

const app = (label: string) => `{ [Symbol.for('celeriac.app')]: true, label: '${label}' }`;

const modules: Record<string, string> = {
  'esm.mjs': `export const other = 1; export const app = ${app('esm.app')};`,
  'default.mjs': `export default ${app('esm default')};`,
  'default-object.mjs': `export default { app: ${app('in the default object')}, x: 1 };`,
  'celery.mjs': `export const celery = ${app('celery')};`,
  'renamed.mjs': `export const mine = ${app('only one')}; export const x = null;`,
  'two.mjs': `export const first = ${app('first')}; export const second = ${app('second')}; export const deep = { er: first };`,
  'named.mjs': `export const app = ${app('app')}; export default ${app('default')};`,
  'exports.cjs': `exports.app = ${app('cjs exports')};`,
  'whole.cjs': `module.exports = ${app('cjs whole')};`,
  'object.cjs': `module.exports = Object.assign({}, { app: ${app('cjs object')} });`,
  'transpiled.cjs': `Object.defineProperty(exports, '__esModule', { value: true }); exports.default = ${app('transpiled default')};`,
  'transpiled-app.cjs': `Object.defineProperty(exports, '__esModule', { value: true }); exports.app = void 0; exports.app = ${app('transpiled app')};`,
  'hidden-transpiled.cjs': `module.exports = ((e) => { Object.defineProperty(e, '__esModule', { value: true }); e.default = ${app('bundled')}; return e; })({});`,
  'plain.js': `exports.app = ${app('js as cjs')};`,
  'typed/package.json': '{"type": "module"}',
  'typed/tasks.js': `export const app = ${app('js as esm')};`,
  'typed/index.js': `export const app = ${app('index of a directory')};`,
  'main-entry/package.json': '{"main": "./lib/start.js"}',
  'main-entry/lib/start.js': `exports.app = ${app('main of a directory')};`,
  'mjs-index/index.mjs': `export const app = ${app('index.mjs')};`,
  'node_modules/my-package/package.json': '{"name": "my-package", "main": "start.js"}',
  'node_modules/my-package/start.js': `exports.app = ${app('package')};`,
  'node_modules/my-package/sub.js': `exports.app = ${app('package/sub')};`,
  'node_modules/@scope/esm-only/package.json':
    '{"name": "@scope/esm-only", "type": "module", "exports": {".": {"types": "./x.d.ts", "import": {"node": "./a.js"}}, "./sub": {"import": "./b.js"}}}',
  'node_modules/@scope/esm-only/a.js': `export const app = ${app('import only')};`,
  'node_modules/@scope/esm-only/b.js': `export const app = ${app('import only/sub')};`,
  'empty.mjs': '',
  'no-app.mjs': 'export const add = () => 0; export const x = 1;',
  'throws.mjs': `throw new TypeError('at the top');`,
  'syntax.mjs': 'export const = 1;',
  'imports-nothing.mjs': `import './not-there.mjs';`,
  'typescript.ts': 'export const app: number = 1;',
  'typescript.mts': 'export const app: number = 1;',
};

const specs = [
  ['./esm.mjs', 'esm.app'],
  ['esm', 'esm.app'],
  ['esm:app', 'esm.app'],
  ['./default.mjs', 'esm default'],
  ['default-object', 'in the default object'],
  ['celery', 'celery'],
  ['renamed', 'only one'],
  ['two:second', 'second'],
  ['two:deep.er', 'first'],
  ['named', 'app'],
  ['named:default', 'default'],
  ['exports.cjs', 'cjs exports'],
  ['whole', 'cjs whole'],
  ['object', 'cjs object'],
  ['object:app', 'cjs object'],
  ['transpiled', 'transpiled default'],
  ['transpiled-app', 'transpiled app'],
  ['hidden-transpiled', 'bundled'],
  ['plain', 'js as cjs'],
  ['typed/tasks', 'js as esm'],
  ['typed.tasks', 'js as esm'],
  ['./typed', 'index of a directory'],
  ['typed', 'index of a directory'],
  ['./main-entry', 'main of a directory'],
  ['./mjs-index', 'index.mjs'],
  ['my-package', 'package'],
  ['my-package/sub', 'package/sub'],
  ['@scope/esm-only', 'import only'],
  ['@scope/esm-only/sub', 'import only/sub'],
] as const;

const failing = [
  './nowhere',
  'nowhere',
  'fs',
  '@scope/esm-only/missing',
  ' ',
  'empty',
  'no-app',
  'no-app:add',
  'two',
  'throws',
  'syntax',
  'imports-nothing',
  'typescript.ts',
  'typescript.mts',
  'file:///%00',
];

let directory = '';
const answers = new Map<string, Answer>();

beforeAll(async () => {
  directory = await realpath(await mkdtemp(join(tmpdir(), 'celeriac-loader-')));
  const put = async (path: string, text: string) => {
    const file = join(directory, path);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, text);
  };
  for (const source of ['errors', 'tasks/loader']) {
    const text = await readFile(join(import.meta.dirname, `../../../src/${source}.ts`), 'utf8');
    const compilerOptions = {
      target: ts.ScriptTarget.ES2023,
      module: ts.ModuleKind.ESNext,
      rewriteRelativeImportExtensions: true,
    };
    await put(`built/${source}.js`, ts.transpileModule(text, { compilerOptions }).outputText);
  }
  await put('built/package.json', '{"type": "module"}');
  for (const [path, text] of Object.entries(modules)) await put(`cwd/${path}`, text);
  await put(
    'ask.mjs',
    `import { loadApp, loadModule } from './built/tasks/loader.js';
     const cwd = ${JSON.stringify(join(directory, 'cwd'))};
     const answers = {};
     for (const spec of ${JSON.stringify([...specs.map(([spec]) => spec), ...failing, join(directory, 'cwd/esm.mjs'), `file://${directory}/cwd/esm.mjs:app`])}) {
       answers[spec] = await loadApp(spec, cwd).then(
         ({ app, file }) => ({ app: app.label, file }),
         (error) => ({ error: error.name, message: error.message }),
       );
     }
     answers['loadModule'] = { app: Object.keys(await loadModule('no-app', cwd)).join() };
     console.log(JSON.stringify(answers));`,
  );
  const { NODE_OPTIONS: _jest, ...env } = process.env;
  const { stdout } = await promisify(execFile)(process.execPath, [join(directory, 'ask.mjs')], { env });
  for (const [spec, answer] of Object.entries(JSON.parse(stdout) as Record<string, Answer>)) answers.set(spec, answer);
});

afterAll(async () => rm(directory, { recursive: true, force: true }));

test.each(specs)('-A %s finds the app: %s', (spec, label) => {
  expect(answers.get(spec)).toMatchObject({ app: label });
});

test('-A takes an absolute path and the address of a file', () => {
  const file = join(directory, 'cwd/esm.mjs');
  expect(answers.get(file)).toEqual({ app: 'esm.app', file });
  expect(answers.get(`file://${file}:app`)).toEqual({ app: 'esm.app', file });
});

test('loadModule gives the exports of a module without an app', () => {
  expect(answers.get('loadModule')).toEqual({ app: 'add,x' });
});

describe('says what is wrong', () => {
  const message = (spec: string): string => {
    const answer = answers.get(spec);
    expect(answer).toMatchObject({ error: 'ConfigError' });
    return answer?.message ?? '';
  };

  test('when there is no such module, listing what it tried', () => {
    const path = join(directory, 'cwd/nowhere');
    expect(message('./nowhere')).toBe(
      `-A ./nowhere: there is no such module; tried ${['', '.mjs', '.js', '.cjs', '.ts', '.mts', '.cts', '/index.*']
        .map((end) => path + end)
        .join(', ')}`,
    );
    expect(message('nowhere')).toMatch(/nowhere\/index\.\*, the package "nowhere"$/u);
    expect(message('fs')).toMatch(/there is no such module/u);
    expect(message('@scope/esm-only/missing')).toMatch(/there is no such module/u);
    expect(message(' ')).toBe('-A needs a path or a package name, such as -A ./tasks.mjs');
    expect(message('file:///%00')).toMatch(/not the address of a file|there is no such module/u);
  });

  test('when there is no app in it, listing its exports', () => {
    const file = (name: string) => join(directory, 'cwd', name);
    expect(message('empty')).toBe(
      `-A empty: ${file('empty.mjs')} exports no Celeriac app named "app" or as default (it exports nothing)`,
    );
    expect(message('no-app')).toBe(
      `-A no-app: ${file('no-app.mjs')} exports no Celeriac app named "app" or as default (its exports: add, x)`,
    );
    expect(message('no-app:add')).toBe(
      `-A no-app:add: the export "add" of ${file('no-app.mjs')} is no Celeriac app (its exports: add, x)`,
    );
    expect(message('two')).toBe(
      `-A two: ${file('two.mjs')} exports several apps; choose one with -A two:first or two:second`,
    );
  });

  test('when the module fails to load', () => {
    expect(message('throws')).toBe(`cannot load ${join(directory, 'cwd/throws.mjs')}: TypeError: at the top`);
    expect(message('syntax')).toMatch(/: SyntaxError: /u);
    expect(message('imports-nothing')).toMatch(/Cannot find module .*not-there\.mjs/u);
  });

  test.each(['typescript.ts', 'typescript.mts'])('when Node cannot run %s, naming tsx', (spec) => {
    if (Reflect.get(process.features, 'typescript') !== undefined) return; // newer Node runs it
    expect(message(spec)).toMatch(/does not run TypeScript by itself; install tsx .*NODE_OPTIONS='--import tsx'/u);
  });
});
