/** docs/settings.md, made from the table; `scripts/gen-settings.ts` writes it and a test compares. */

import { camelCase, environmentVariable, SETTING_NAMES, SETTINGS, type Row } from './table.ts';

const HEAD = `# Settings

<!-- Made by \`npx tsx scripts/gen-settings.ts\` from src/config/table.ts: change it there. -->

Names are Celery's; the camelCase form means the same. A value is taken from, in this order: the command line, the
environment variable, the settings given to the app, its settings module, the default. For broker and result backend
\`REDIS_URL\` / \`REDIS_BACKEND_URL\`, then \`REDIS_HOST\` with \`REDIS_PORT\`, \`REDIS_DB\`, \`REDIS_USERNAME\`,
\`REDIS_PASSWORD\` come before the default. When only a broker is given, results are kept only if \`result_backend\` or
\`REDIS_BACKEND_URL\` says where; when neither is given, they go where the broker is. An unknown setting is refused, an
unknown \`CELERY_*\` variable is only warned of. An empty variable counts as not set. Every setting can also stand behind the
options of \`celeriac worker\`, as \`task_acks_late=true\`.

Some settings are known and not read yet: [compat.md](compat.md#settings-without-effect-yet) lists them.
`;

const SECTIONS: readonly (readonly [title: string, names: RegExp])[] = [
  ['General', /^(accept_content|result_accept_content|enable_utc|timezone|imports|include)$/],
  ['Broker', /^broker_/],
  ['Tasks', /^task_/],
  ['Worker', /^worker_/],
  ['Results', /^(result|redis)_/],
  ['Events and remote control', /^(event|control)_/],
  ['Beat', /^beat_/],
  ["celeriac's own", /^celeriac_/],
];

export function settingsDocument(): string {
  const left = new Set<string>(SETTING_NAMES);
  const sections = SECTIONS.map(([title, pattern]) => {
    const names = SETTING_NAMES.filter((name) => left.has(name) && pattern.test(name));
    for (const name of names) left.delete(name);
    const rows = names.map((name) => {
      const row: Row<unknown> = SETTINGS[name];
      const doc = `${row.doc}${row.unit === undefined ? '' : ` In ${row.unit}.`}${row.isInert ? ' No effect here.' : ''}`;
      return `| \`${name}\`<br>\`${camelCase(name)}\` | ${defaultText(row.default)} | ${doc} Must be ${row.kind.expected}. | \`${environmentVariable(name)}\` | ${row.flag === undefined ? '' : `\`${row.flag}\``} |`;
    });
    return [
      `\n## ${title}\n`,
      '| setting | default | meaning | variable | option |',
      '| --- | --- | --- | --- | --- |',
      ...rows,
    ].join('\n');
  });
  if (left.size > 0) throw new Error(`settings in no section: ${[...left].join(', ')}`);
  return `${HEAD}${sections.join('\n')}\n`;
}

function defaultText(value: unknown): string {
  return `\`${value === Infinity ? 'Infinity' : JSON.stringify(value)}\``;
}
