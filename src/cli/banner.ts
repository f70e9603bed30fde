/** What a starting worker shows: Celery's fields in Celery's places. Celery: celery/apps/worker.py, 5.6.3. */
import { platform, release } from 'node:os';
import type { QueueDeclaration } from '../broker/queue.ts';
import { brokerSettings } from '../broker/settings.ts';
import type { Celeriac } from '../client/app.ts';
import { maskUrl } from '../util/masked-url.ts';
import { packageVersion } from './version.ts';

export interface BannerFacts {
  readonly app: Celeriac;
  readonly nodename: string;
  readonly pool: string;
  readonly concurrency: number;
  readonly queues: readonly QueueDeclaration[];
  /** `[tasks]` too: from level info, Celery's own (`celery.*`) only at debug. */
  readonly tasks: 'none' | 'own' | 'all';
}

/** A root with its leaves, beside the lines. */
const ART = [
  String.raw`   \ | | /      `,
  String.raw`    \|||/       `,
  String.raw`   .-"""-.      `,
  String.raw`  /  ' '  \     `,
  String.raw` |  '   '  |    `,
  String.raw` |   ' '   |    `,
  String.raw`  \   '   /     `,
  String.raw`   '-._.-'      `,
  String.raw`    / | \       `,
  String.raw`   '  '  '      `,
];
const MARGIN = ' '.repeat(16);

export function banner({ app, nodename, pool, concurrency, queues, tasks }: BannerFacts): string {
  const { config } = app;
  const facts = [
    `${nodename} celeriac v${packageVersion()}`,
    '',
    `${platform()}-${release()}-node-${process.version} ${timestamp(new Date())}`,
    '',
    '[config]',
    `.> app:         ${app.name}`,
    `.> transport:   ${brokerSettings(config, 'read').target.displayUrl}`,
    `.> results:     ${config.resultBackend === null ? 'disabled://' : maskUrl(config.resultBackend)}`,
    `.> concurrency: ${concurrency} (${pool})`,
    `.> task events: ${config.workerSendTaskEvents ? 'ON' : 'OFF (enable -E to monitor tasks in this worker)'}`,
    '',
    '[queues]',
    ...[...queues].sort((a, b) => (a.name < b.name ? -1 : 1)).map(queueLine),
  ];
  const lines = facts.map((fact, row) => `${ART[row] ?? MARGIN}${fact}`.trimEnd());
  const names = tasks === 'none' ? [] : app.registry.names({ builtins: tasks === 'all' });
  const listed = tasks === 'none' ? [] : ['[tasks]', ...names.map((name) => `  . ${name}`), ''];
  return [' ', ...lines, '', ...listed, ''].join('\n');
}

function queueLine({ name, exchange, exchangeType, routingKey }: QueueDeclaration): string {
  return `.> ${name.padEnd(16)} exchange=${exchange}(${exchangeType}) key=${routingKey}`;
}

/** Local time, as Python prints it without fractions. */
function timestamp(now: Date): string {
  const shifted = new Date(now.getTime() - now.getTimezoneOffset() * 60_000);
  return shifted.toISOString().slice(0, 19).replace('T', ' ');
}
