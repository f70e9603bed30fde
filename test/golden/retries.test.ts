/** The message of the next attempt, field by field as Celery 5.6.3 re-published it in each recorded scenario. */
import { describe, expect, test } from '@jest/globals';
import type { Bindings } from '../../src/broker/bindings.ts';
import type { Delivery } from '../../src/broker/delivery.ts';
import type { Producer } from '../../src/broker/producer.ts';
import { Queues } from '../../src/broker/queues.ts';
import { Routes } from '../../src/client/routes.ts';
import { Sender } from '../../src/client/send.ts';
import { parseIso8601 } from '../../src/protocol/iso8601.ts';
import { resolveConfig } from '../../src/config/config.ts';
import type { Envelope } from '../../src/protocol/envelope.ts';
import {
  isProtocol1Body,
  isTaskMessage,
  liftProtocol1,
  readHeaders,
  readTaskBody,
} from '../../src/protocol/task-message.ts';
import type { RetryOutcome } from '../../src/tasks/outcome.ts';
import { backoffSeconds } from '../../src/tasks/retry.ts';
import { defineTask } from '../../src/tasks/task.ts';
import { parseRate } from '../../src/worker/rate-limits.ts';
import { Request } from '../../src/worker/request.ts';
import { sendRetry } from '../../src/worker/retry.ts';
import { compileTaskType } from '../../src/worker/task-type.ts';
import { keepingLogger } from '../support/quiet-logger.ts';
import { readRecording, type Recorded, type Scenario, type Step } from './recordings.ts';

interface Attempt {
  readonly headers: Recorded;
  readonly properties: Recorded;
  readonly body: unknown;
}

/** Task ids tell two attempts apart by their number. */
interface Pair {
  readonly name: string;
  readonly first: Attempt;
  readonly next: Attempt;
}

const scenarios = [...readRecording<Scenario>('scenarios'), ...readRecording<Scenario>('scenario-variants')];

function attemptOf({ envelope_without_body: envelope, body_decoded: body }: Step): Attempt | undefined {
  if (envelope === undefined || body === undefined) return undefined;
  return { headers: (envelope['headers'] ?? {}) as Recorded, properties: envelope['properties'] as Recorded, body };
}

/** Both protocols keep them, one in the headers, one in the body. */
function field({ headers, body }: Attempt, name: 'id' | 'retries'): unknown {
  return headers[name] ?? (Array.isArray(body) ? undefined : (body as Recorded | null)?.[name]);
}

const pairs: Pair[] = scenarios.flatMap(({ scenario, variant, steps }) => {
  const attempts = steps
    .filter(({ cmd }) => cmd === 'LPUSH')
    .map(attemptOf)
    .filter((attempt) => attempt !== undefined)
    .filter((attempt) => typeof field(attempt, 'id') === 'string');
  return attempts.flatMap((next) => {
    const retries = Number(field(next, 'retries'));
    const first = attempts.find(
      (other) => field(other, 'id') === field(next, 'id') && Number(field(other, 'retries')) === retries - 1,
    );
    // Settings of a variant change more than retries: told apart by its name.
    const name = `${variant === undefined ? '' : `${variant}: `}${scenario} ${retries}`;
    return first === undefined ? [] : [{ name, first, next }];
  });
});

test('there are as many recorded retries as the capture made', () => {
  expect(pairs).toHaveLength(15);
});

/** What the handler asked for, as far as the next message differs by it. */
function planOf({ first, next }: Pair): RetryOutcome['plan'] {
  const [args, kwargs] = next.body as [unknown[], Recorded];
  const [firstArgs, firstKwargs] = Array.isArray(first.body)
    ? (first.body as [unknown[], Recorded])
    : [(first.body as Recorded)['args'], (first.body as Recorded)['kwargs']];
  const changed = (a: unknown, b: unknown): boolean => JSON.stringify(a) !== JSON.stringify(b);
  const queueOf = ({ properties }: Attempt): string =>
    (properties['delivery_info'] as { routing_key: string }).routing_key;
  return {
    retries: Number(next.headers['retries']),
    countdownSeconds: null,
    eta: next.headers['eta'] as string | null,
    args: changed(args, firstArgs) ? args : null,
    kwargs: changed(kwargs, firstKwargs) ? kwargs : null,
    options: {
      ...(queueOf(next) === queueOf(first) ? {} : { queue: queueOf(next) }),
      ...(next.properties['priority'] === first.properties['priority']
        ? {}
        : { priority: next.properties['priority'] as number }),
    },
  };
}

async function retried(pair: Pair): Promise<Attempt> {
  const { first } = pair;
  const config = resolveConfig({ explicit: { task_ignore_result: pair.next.headers['ignore_result'] as boolean } });
  const envelope = {
    body: '',
    contentType: 'application/json',
    contentEncoding: 'utf-8',
    headers: first.headers,
    properties: first.properties,
  } as Envelope;
  const lifted =
    isTaskMessage(envelope) || !isProtocol1Body(first.body)
      ? { headers: readHeaders(envelope), body: readTaskBody(first.body) }
      : liftProtocol1(envelope, first.body);
  const { expires } = lifted.headers;
  const request = new Request({
    type: compileTaskType(
      defineTask(lifted.headers.task, {}, () => 1),
      config,
    ),
    delivery: { queue: 'celery' } as unknown as Delivery,
    envelope,
    ...lifted,
    expiresAtMs: typeof expires === 'string' ? (parseIso8601(expires)?.epochMs ?? null) : null,
    hostname: 'w1@host',
  });
  const published: Envelope[] = [];
  const sender = new Sender({
    config: () => config,
    queues: () => new Queues(config),
    routes: () => new Routes(null),
    producer: () =>
      ({
        publish: async (sent: Envelope) => {
          published.push(sent);
          return true;
        },
      }) as unknown as Producer,
    bindings: () => ({ isDeclared: () => true }) as unknown as Bindings,
    logger: () => keepingLogger(),
  });
  const outcome = { kind: 'retry', plan: planOf(pair), cause: null, message: '', traceback: null, runtimeSeconds: 0 };
  await sendRetry(sender, config, request, outcome as RetryOutcome);
  const [sent] = published as [Envelope];
  return {
    headers: sent.headers,
    properties: sent.properties,
    body: JSON.parse(Buffer.from(sent.body, 'base64').toString()),
  };
}

describe.each(pairs)('the retry of "$name"', (pair) => {
  test('has the headers, properties and body that Celery gives it', async () => {
    const { next } = pair;
    const sent = await retried(pair);
    // Told apart by design (lang), by chance (the tag), or by the clock (what is left until it expires).
    // Protocol 1 tells no origin, so it is whoever sends the retry; its "meth" means nothing to anybody.
    const { meth: _, ...headers } = next.headers;
    const origin = pair.first.headers['origin'] === undefined ? expect.stringMatching(/^gen\d+@/) : headers['origin'];
    expect(sent.headers).toEqual({ ...headers, lang: 'js', origin });
    expect(Object.keys(sent.headers)).toEqual(Object.keys(headers));
    expect(sent.properties).toEqual({
      ...next.properties,
      delivery_tag: expect.any(String),
      ...(next.properties['expiration'] === undefined ? {} : { expiration: expect.stringMatching(/^\d+$/) }),
    });
    expect(Object.keys(sent.properties)).toEqual(Object.keys(next.properties));
    expect(sent.body).toEqual(next.body);
  });
});

interface Table {
  kind: string;
  input?: unknown;
  per_second?: number;
  error?: string;
  factor?: number;
  retries?: number;
  maximum?: number;
  no_jitter?: number;
}
const tables = readRecording<Table>('misc-tables');

test.each(tables.filter(({ kind }) => kind === 'rate'))(
  'the rate $input is $per_second a second',
  ({ input, per_second, error }) => {
    if (error !== undefined) expect(() => parseRate(input)).toThrow(/rate limit/);
    else expect(parseRate(input)).toBeCloseTo(per_second as number, 12);
  },
);

test.each(tables.filter(({ kind }) => kind === 'retry-backoff'))(
  'the backoff of factor $factor at retry $retries is $no_jitter s',
  ({ factor, retries, maximum, no_jitter }) => {
    const backoff = { factor: factor as number, maximum: maximum as number };
    expect(backoffSeconds({ ...backoff, jitter: false }, retries as number)).toBe(no_jitter);
    expect(backoffSeconds({ ...backoff, jitter: true }, retries as number, () => 0.999_999_9)).toBe(no_jitter);
  },
);
