/**
 * What becomes of a message once its task is known: revoked? expired? for later? else reserved. Built once per task type.
 * Counterpart: celery/worker/strategy.py default, 5.6.3.
 *
 * Differs from Celery: a message for later is parked in Redis, not kept in memory, so that it takes no prefetch slot and
 * outlives this worker. Its body is read only when it is due.
 */
import type { Delivery } from '../broker/delivery.ts';
import { InvalidTaskError } from '../errors.ts';
import { parseIso8601, zoneOffsetMinutes } from '../protocol/iso8601.ts';
import type { TaskBody, TaskHeaders } from '../protocol/task-message.ts';
import type { Envelope } from '../protocol/envelope.ts';
import { Request } from './request.ts';
import type { TaskType } from './task-type.ts';

/** A message whose headers were read; its body only where the protocol needs it (version 1 keeps its headers there). */
export interface TaskMessage {
  readonly envelope: Envelope;
  readonly headers: TaskHeaders;
  readonly body: TaskBody | undefined;
  /** Whether naive times are UTC, as always in protocol 2; if not, they are in the worker's own zone. @defaultValue true */
  readonly utc?: boolean;
}

/** Takes over a message; a promise where something had to be waited for. Throws what is wrong with the message. */
export type Strategy = (delivery: Delivery, message: TaskMessage) => Promise<void> | undefined;

export interface StrategyPorts {
  readonly hostname: string;
  /** Zone of naive times in messages of protocol 1 that are not in UTC: setting `timezone`. */
  readonly timezone: string;
  readonly isRevoked: (id: string) => boolean;
  readonly readBody: (envelope: Envelope) => TaskBody | Promise<TaskBody>;
  readonly received: (headers: TaskHeaders) => void;
  readonly reserve: (request: Request) => void;
  readonly revoke: (
    delivery: Delivery,
    headers: TaskHeaders,
    type: TaskType,
    reason: 'revoked' | 'expired',
  ) => Promise<void>;
  readonly park: (delivery: Delivery, etaSeconds: number) => Promise<void>;
}

export function createStrategy(type: TaskType, ports: StrategyPorts): Strategy {
  const { hostname, timezone, isRevoked, readBody, received, reserve, revoke, park } = ports;
  return (delivery, message) => {
    const { envelope, headers } = message;
    const now = Date.now();
    const zone = message.utc === false ? timezone : null;
    const expiresAtMs = moment('expires', headers.expires, zone);
    const etaMs = moment('eta', headers.eta, zone);
    if (isRevoked(headers.id)) return revoke(delivery, headers, type, 'revoked');
    if (expiresAtMs !== null && now > expiresAtMs) return revoke(delivery, headers, type, 'expired');
    // A clock behind Redis' would park what is due again and again, until it has caught up.
    if (etaMs !== null && etaMs > now && !delivery.isDue) {
      received(headers);
      return park(delivery, etaMs / 1000);
    }
    const proceed = (body: TaskBody): void => {
      received(headers);
      reserve(new Request({ type, delivery, envelope, headers, body, expiresAtMs, hostname }));
    };
    const body = message.body ?? readBody(envelope);
    if (body instanceof Promise) return body.then(proceed);
    proceed(body);
    return undefined;
  };
}

/** Unix milliseconds of a header; a text without an offset is in `zone`, null: UTC. */
function moment(name: string, value: string | number | null, zone: string | null): number | null {
  if (value === null || value === '') return null;
  if (typeof value === 'number') return value * 1000;
  const instant = parseIso8601(value);
  if (instant === null)
    throw new InvalidTaskError(`invalid ${name} value ${JSON.stringify(value)}: not an ISO 8601 time`);
  return zone === null || instant.hasOffset ? instant.epochMs : localToEpoch(instant.epochMs, zone);
}

/** @param wallMs - what the clocks of the zone show, as if it were UTC. */
function localToEpoch(wallMs: number, zone: string): number {
  const first = wallMs - zoneOffsetMinutes(zone, wallMs) * 60_000;
  // Again from there: the first look may lie on the other side of a change of the clocks.
  return wallMs - zoneOffsetMinutes(zone, first) * 60_000;
}
