/**
 * Remote control commands as a table: name to handler, replies as Celery's. Counterpart: celery/worker/control.py, 5.6.3.
 * This first set is what a client needs to see that a worker lives and to take a task back.
 */
import type { Logger } from '../log.ts';
import { pyRepr } from '../protocol/python-repr.ts';
import { TaskRevokedError } from '../errors.ts';
import type { ControlCommand } from './pidbox.ts';
import type { Pool } from './pool/pool.ts';
import type { Request } from './request.ts';
import type { WorkerState } from './state.ts';

export interface PanelPorts {
  readonly state: WorkerState;
  readonly pool: Pool;
  readonly logger: Logger;
  readonly storeRevoked: (id: string) => Promise<void>;
}

export function controlCommands(ports: PanelPorts): Readonly<Record<string, ControlCommand>> {
  const { state } = ports;
  const active: ControlCommand = ({ safe }) =>
    [...state.active.values()].map((request) => requestInfo(request, safe === true));
  return {
    ping: () => ({ ok: 'pong' }),
    active,
    dump_active: active,
    revoke: (args) => revoke(ports, args),
  };
}

/** Celery: Request.info. With `safe`, arguments as text, for monitors. */
export function requestInfo(request: Request, safe: boolean): Record<string, unknown> {
  const { exchange, routingKey, priority, redelivered } = request.deliveryInfo;
  return {
    id: request.id,
    name: request.name,
    args: safe ? (request.headers.argsrepr ?? pyRepr(request.args)) : request.args,
    kwargs: safe ? (request.headers.kwargsrepr ?? pyRepr(request.kwargs)) : request.kwargs,
    type: request.headers.task,
    hostname: request.hostname,
    time_start: request.startedAt,
    acknowledged: request.isAcknowledged,
    delivery_info: { exchange, routing_key: routingKey, priority, redelivered },
    worker_pid: request.startedAt === null ? null : process.pid,
  };
}

async function revoke(ports: PanelPorts, args: Readonly<Record<string, unknown>>): Promise<unknown> {
  const { state, pool, logger, storeRevoked } = ports;
  const given = args['task_id'];
  const ids = (Array.isArray(given) ? given : [given]).filter((id) => typeof id === 'string' && id !== '') as string[];
  if (ids.length === 0) throw new TypeError("revoke() missing 1 required positional argument: 'task_id'");
  for (const id of ids) state.revoked.add(id);
  if (args['terminate'] !== true) {
    await Promise.all(ids.map((id) => storeRevoked(id)));
    logger.info(`Tasks flagged as revoked: ${ids.join(', ')}`);
    return { ok: `tasks {${ids.map((id) => pyRepr(id)).join(', ')}} flagged as revoked` };
  }
  const terminated = ids.filter((id) => {
    const request = state.active.get(id);
    if (request === undefined) return false;
    logger.info(`Terminating ${id} (${request.name})`);
    return pool.abort(request, new TaskRevokedError('terminated'));
  });
  return { ok: terminated.length > 0 ? `terminate: ${terminated.join(', ')}` : 'terminate: tasks unknown' };
}
