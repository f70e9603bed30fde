/**
 * The message of the next attempt: the same id, one retry more, everything else as it came unless the plan says otherwise.
 * Counterpart: celery/app/task.py Task.signature_from_request and Task.retry, 5.6.3; headers as recorded in [retry_*].
 * How it is serialised and compressed is the task's to say, not the message's: so it is in Celery.
 */
import { hostname } from 'node:os';
import { HIDDEN_ARGUMENTS, type Sender } from '../client/send.ts';
import type { Config } from '../config/config.ts';
import { isoformat, parseIso8601 } from '../protocol/iso8601.ts';
import { anonNodename } from '../protocol/nodename.ts';
import { buildTaskMessage } from '../protocol/task-publish.ts';
import type { RetryOutcome } from '../tasks/outcome.ts';
import type { Request } from './request.ts';

export async function sendRetry(
  sender: Sender,
  config: Config,
  request: Request,
  { plan }: RetryOutcome,
): Promise<void> {
  const { headers, body, envelope, deliveryInfo, type } = request;
  const { options } = plan;
  const own = type.definition.options;
  const message = buildTaskMessage({
    ...(config.celeriacHideArguments ? HIDDEN_ARGUMENTS : {}),
    id: headers.id,
    task: headers.task,
    args: plan.args ?? body.args,
    kwargs: plan.kwargs ?? body.kwargs,
    countdown: plan.countdownSeconds,
    eta: plan.eta,
    expires: options.expires ?? expiresText(request),
    retries: plan.retries,
    groupId: headers.group,
    groupIndex: headers.groupIndex,
    timeLimit: options.timeLimit === undefined ? headers.timelimit.hard : options.timeLimit,
    softTimeLimit: options.softTimeLimit === undefined ? headers.timelimit.soft : options.softTimeLimit,
    rootId: headers.rootId,
    // Recorded: a root task's retry has the task itself as its parent.
    parentId: headers.parentId ?? headers.id,
    shadow: headers.shadow,
    origin: headers.origin ?? anonNodename(process.pid, hostname()),
    ignoreResult: options.ignoreResult ?? type.ignoreResult,
    replacedTaskNesting: headers.replacedTaskNesting,
    stampedHeaders: headers.stampedHeaders,
    stamps: headers.stamps,
    callbacks: body.embed.callbacks,
    errbacks: body.embed.errbacks,
    chain: body.embed.chain,
    chord: body.embed.chord,
    headers: options.headers ?? headers.custom,
    replyTo: typeof envelope.properties['reply_to'] === 'string' ? envelope.properties['reply_to'] : '',
    // Recorded: null where the producer told none (protocol 1).
    properties: { origin: headers.origin },
  });
  const toExchange = deliveryInfo.exchange !== '' && options.queue === undefined;
  const priority = options.priority ?? deliveryInfo.priority;
  await sender.publish(message, {
    ...(toExchange
      ? { exchange: deliveryInfo.exchange, routingKey: options.routingKey ?? deliveryInfo.routingKey }
      : { queue: options.queue ?? deliveryInfo.routingKey }),
    ...(priority === null ? {} : { priority }),
    serializer: options.serializer ?? own.serializer ?? config.taskSerializer,
    compression: options.compression ?? own.compression ?? config.taskCompression ?? undefined,
  });
}

/** The text as it came; one that would name another moment in protocol 2, or none, as the moment it names. */
function expiresText({ headers: { expires }, expiresAtMs }: Request): string | null {
  if (expires === null || expiresAtMs === null) return null;
  const isPlain = typeof expires === 'string' && parseIso8601(expires)?.epochMs === expiresAtMs;
  return isPlain ? expires : isoformat(expiresAtMs);
}
