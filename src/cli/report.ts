/** `celeriac report`: what to put into a bug report, secrets masked. Celery: bugreport of celery/app/utils.py, 5.6.3. */
import { arch, platform, release } from 'node:os';
import { Command } from 'commander';
import { brokerSettings } from '../broker/settings.ts';
import type { Celeriac } from '../client/app.ts';
import { censor } from '../config/config.ts';
import { maskUrl } from '../util/masked-url.ts';
import { appOf, loadIncludes } from './app-option.ts';
import { print, printJson } from './printing.ts';
import { packageVersion } from './version.ts';

export function reportCommand(): Command {
  return new Command('report')
    .description('Information for a bug report; passwords and keys are masked.')
    .option('--json', 'print it as JSON')
    .addHelpText('after', '\nExample:\n  $ celeriac -A ./tasks.mjs report\n')
    .action(async ({ json }: { readonly json?: boolean }, command: Command) => {
      const { app } = await appOf(command, {}, { isRequired: false });
      await loadIncludes(app);
      const facts = gather(app);
      if (json === true) printJson(facts);
      else print(asText(facts));
    });
}

interface Facts {
  readonly software: Readonly<Record<string, string>>;
  readonly platform: Readonly<Record<string, string>>;
  readonly app: string;
  readonly transport: string;
  readonly results: string;
  readonly tasks: readonly string[];
  readonly settings: Readonly<Record<string, unknown>>;
  readonly warnings: readonly string[];
}

function gather(app: Celeriac): Facts {
  const { config } = app;
  return {
    software: { celeriac: packageVersion(), node: process.versions.node, openssl: process.versions.openssl },
    platform: { system: platform(), arch: arch(), release: release() },
    app: app.name,
    transport: brokerSettings(config, 'read').target.displayUrl,
    results: config.resultBackend === null ? 'disabled' : maskUrl(config.resultBackend),
    tasks: app.registry.names(),
    settings: censor(config),
    warnings: config.warnings,
  };
}

function asText({ software, platform: system, app, transport, results, tasks, settings, warnings }: Facts): string {
  const pairs = (record: Readonly<Record<string, string>>): string =>
    Object.entries(record)
      .map(([name, value]) => `${name}:${value}`)
      .join(' ');
  return [
    '',
    `software -> ${pairs(software)}`,
    `platform -> ${pairs(system)}`,
    `app      -> ${app} (${tasks.length} tasks)`,
    `settings -> transport:${transport} results:${results}`,
    '',
    ...Object.entries(settings).map(([name, value]) => `${name}: ${shown(value)}`),
    ...warnings.map((warning) => `warning: ${warning}`),
    '',
  ].join('\n');
}

function shown(value: unknown): string {
  if (typeof value === 'function') return `<function ${value.name}>`;
  return JSON.stringify(value, (_key, item: unknown) => {
    if (typeof item === 'function') return `<function ${item.name}>`;
    return item instanceof RegExp ? String(item) : item;
  });
}
