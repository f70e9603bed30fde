/** What a starting worker shows: Celery's fields, one to a line. Celery: celery/apps/worker.py. */
import { platform, release } from 'node:os';
import { brokerSettings } from '../broker/settings.ts';
import type { QueueDeclaration } from '../broker/queue.ts';
import type { Celeriac } from '../client/app.ts';
import { maskUrl } from '../util/masked-url.ts';
import { packageVersion } from './version.ts';

export interface BannerFacts {
  readonly app: Celeriac;
  readonly nodename: string;
  readonly pool: string;
  readonly concurrency: number;
  readonly queues: readonly QueueDeclaration[];
}

export function banner({ app, nodename, pool, concurrency, queues }: BannerFacts): string {
  const { config } = app;
  const lines = [
    '',
    `${nodename} celeriac v${packageVersion()}`,
    '',
    `${platform()}-${release()} node ${process.version}`,
    '',
    '[config]',
    `.> app:         ${app.name}`,
    `.> transport:   ${brokerSettings(config, 'read').target.displayUrl}`,
    `.> results:     ${config.resultBackend === null ? 'disabled://' : maskUrl(config.resultBackend)}`,
    `.> concurrency: ${concurrency} (${pool})`,
    '',
    '[queues]',
    ...[...queues]
      .sort((a, b) => (a.name < b.name ? -1 : 1))
      .map(
        (queue) =>
          `.> ${queue.name.padEnd(16)} exchange=${queue.exchange}(${queue.exchangeType}) key=${queue.routingKey}`,
      ),
    '',
    '[tasks]',
    ...app.registry.names().map((name) => `  . ${name}`),
    '',
    '',
  ];
  return lines.join('\n');
}
