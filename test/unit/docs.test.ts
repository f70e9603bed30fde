/** What the documents say of files, dependencies, keys, settings and values is true, and no link leads nowhere. */
import { describe, expect, test } from '@jest/globals';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { BrokerKeys } from '../../src/broker/keys.ts';
import { aclRule } from '../../src/broker/refusals.ts';
import { camelCase, SETTING_NAMES, SETTINGS, type Row } from '../../src/config/table.ts';
import { dumps, loads } from '../../src/protocol/json.ts';

const root = join(import.meta.dirname, '..', '..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

function filesBelow(folder: string, ending: RegExp): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => ending.test(name) && !/(^|\/)(node_modules|recordings)\//.test(name))
    .map((name) => join(folder, name));
}

const documents = [...readdirSync(root).filter((name) => name.endsWith('.md')), ...filesBelow('docs', /\.md$/)];

/** The text without code, whose brackets are no links. */
const withoutCode = (text: string): string => text.replace(/^```[^]*?^```$/gm, '').replace(/`[^`\n]*`/g, '');

/** As GitHub makes them of headings. */
function anchorsOf(path: string): Set<string> {
  const headings = [...read(path).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) => heading);
  return new Set(
    headings.map((text) =>
      text
        .toLowerCase()
        .replace(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );
}

describe.each(documents)('%s', (path) => {
  test('its links lead somewhere', () => {
    const links = [...withoutCode(read(path)).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target);
    const broken = links.filter((link) => {
      if (/^https?:/.test(link)) return false;
      const [file = '', anchor] = link.split('#');
      const target = file === '' ? path : relative(root, join(root, dirname(path), file));
      if (!existsSync(join(root, target))) return true;
      return anchor !== undefined && !anchorsOf(target).has(anchor);
    });
    expect(broken).toEqual([]);
  });

  test('the files it names are there', () => {
    const named = [...read(path).matchAll(/`((?:src|test|scripts|docs|examples)\/[\w./-]+)`/g)].map(
      ([, name = '']) => name,
    );
    expect(named.filter((name) => !existsSync(join(root, name)))).toEqual([]);
  });
});

test('the documents that the code names are there', () => {
  const sources = ['src', 'scripts', 'test'].flatMap((folder) => filesBelow(folder, /\.(ts|mjs|py)$/));
  const missing = sources.flatMap((file) =>
    [...read(file).matchAll(/\bdocs\/(adr\/\d{4}|[\w-]+\.md)/g)]
      .map(([, name = '']) => name)
      .filter((name) => {
        if (!name.startsWith('adr/')) return !existsSync(join(root, 'docs', name));
        return !readdirSync(join(root, 'docs', 'adr')).some((page) => page.startsWith(`${name.slice(4)}-`));
      })
      .map((name) => `${file}: docs/${name}`),
  );
  expect(missing).toEqual([]);
});

test('decisions are numbered without a gap, and have the same three parts', () => {
  const pages = readdirSync(join(root, 'docs', 'adr')).toSorted();
  expect(pages.map((page) => Number(page.slice(0, 4)))).toEqual(pages.map((_page, index) => index + 1));
  for (const page of pages) {
    const parts = [...read(join('docs', 'adr', page)).matchAll(/^## (.+)$/gm)].map(([, part]) => part);
    expect([page, parts]).toEqual([page, ['Context', 'Decision', 'Consequences']]);
  }
});

describe('docs/dependencies.md', () => {
  const { dependencies, devDependencies } = JSON.parse(read('package.json')) as Record<string, Record<string, string>>;
  const [production = '', development = ''] = read('docs/dependencies.md').split('## For development');
  const rows = (text: string): string[][] =>
    [...text.matchAll(/^\| `([^`]+)` \| (\S+) \| (\S+) \|/gm)].map(([, name = '', version = '', licence = '']) => [
      name,
      version,
      licence,
    ]);
  const licenceOf = (name: string): string =>
    (JSON.parse(read(join('node_modules', name, 'package.json'))) as { license: string }).license;
  const actual = (group: Record<string, string> = {}): string[][] =>
    Object.entries(group).map(([name, version]) => [name, version, licenceOf(name)]);

  test('has each dependency with its version and licence, and no other', () => {
    expect(rows(production)).toEqual(actual(dependencies));
    expect(rows(development)).toEqual(actual(devDependencies));
  });
});

describe('docs/redis-keys.md', () => {
  test('has every key of ours', () => {
    const made = [...read('src/broker/keys.ts').matchAll(/#own\([`']([a-z]+)/g)].map(([, name = '']) => name);
    const listed = [...read('docs/redis-keys.md').matchAll(/^\| `celeriac:([a-z]+)/gm)].map(([, name = '']) => name);
    expect(made.length).toBeGreaterThan(5);
    expect(listed.toSorted()).toEqual(made.toSorted());
  });

  test('has the rule that refusals name', () => {
    expect(read('docs/redis-keys.md')).toContain(`ACL SETUSER worker on >password ${aclRule(new BrokerKeys())}\n`);
  });
});

test('docs/signals.md has every signal', () => {
  const [, body = ''] =
    /export const signals = Object\.freeze\(\{([^]*?)\n\}\)/.exec(read('src/signals/signals.ts')) ?? [];
  const defined = [...body.matchAll(/^ {2}(\w+): new Signal/gm)].map(([, name = '']) => name);
  const listed = [...read('docs/signals.md').matchAll(/^\| (`\w+`(?:, `\w+`)*) \|/gm)].flatMap(([, names = '']) =>
    names.replaceAll('`', '').split(', '),
  );
  expect(listed.toSorted()).toEqual(defined.toSorted());
});

describe('docs/values.md', () => {
  const [table = ''] = read('docs/values.md').split('What differs, and why');
  const rows = [...table.matchAll(/^\| .+ \| `([^`]+)` \| `(\w+)` \| (the same|`[^`]+`) \|$/gm)].map(
    ([, wire = '', kind = '', back = '']) => [wire, kind, back === 'the same' ? wire : back.slice(1, -1)] as const,
  );

  test('has a table', () => {
    expect(rows.length).toBeGreaterThan(20);
  });

  test.each(rows)('%s is %s and written back as %s', (wire, kind, back) => {
    const value = loads(wire);
    const isPlain = typeof value !== 'object' || value === null;
    expect(isPlain ? (value === null ? 'null' : typeof value) : value.constructor.name).toBe(kind);
    expect(dumps(value)).toBe(back);
  });
});

describe('docs/compat.md', () => {
  test('lists the settings that nothing reads yet, and no others', () => {
    const code = filesBelow('src', /\.ts$/)
      .filter((file) => !file.startsWith(join('src', 'config')))
      .map((file) => read(file).replace(/\/\*[^]*?\*\/|\/\/.*/g, ''))
      .join('\n');
    const unread = SETTING_NAMES.filter((name) => {
      const row: Row<unknown> = SETTINGS[name];
      const key = camelCase(name);
      // Names of one word are words of other things too.
      const pattern = name.includes('_')
        ? `\\b${key}\\b`
        : `[cC]onfig\\.${key}\\b|\\{[^{}]*\\b${key}\\b[^{}]*\\} = (this\\.)?#?config\\b`;
      return row.isInert === undefined && !new RegExp(pattern).test(code);
    });
    const [, section = ''] = /## Settings without effect yet\n([^]*?)(?:\n## |$)/.exec(read('docs/compat.md')) ?? [];
    const [list = ''] = section.split('Of task options');
    const listed = [...list.matchAll(/`(\w+)`/g)].map(([, name = '']) => name);
    expect(listed.toSorted()).toEqual([...unread].toSorted());
  });

  test('has a row for what differs, absent or the same: nothing else', () => {
    const states = [...read('docs/compat.md').matchAll(/^\| [^|]+ \| ([^|]+) \| [^|]* \|$/gm)]
      .map(([, state = '']) => state.trim())
      .filter((state) => state !== 'state' && !/^-+$/.test(state));
    expect(states.length).toBeGreaterThan(80);
    expect([...new Set(states)].filter((state) => !['same', 'differs', 'partly', 'absent'].includes(state))).toEqual(
      [],
    );
  });
});
