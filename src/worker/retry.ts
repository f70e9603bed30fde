/**
 * The message of the next attempt: the same id, one retry more, everything else as it came unless the plan says otherwise.
 * Counterpart: celery/app/task.py Task.signature_from_request and Task.retry, 5.6.3; headers as recorded in [retry_*].
 */
import type { Sender } from '../client/send.ts';
import { buildTaskMessage } from '../protocol/task-publish.ts';
import type { RetryOutcome } from '../tasks/outcome.ts';
import type { Request } from './request.ts';

export async function sendRetry(sender: Sender, request: Request, { plan }: RetryOutcome): Promise<void> {
  const { headers, body, envelope, deliveryInfo } = request;
  const { options } = plan;
  const message = buildTaskMessage({
    id: headers.id,
    task: headers.task,
    args: plan.args ?? body.args,
    argsAsList: true,
    kwargs: plan.kwargs ?? body.kwargs,
    countdown: plan.countdownSeconds,
    eta: plan.eta,
    expires: options.expires ?? headers.expires,
    retries: plan.retries,
    groupId: headers.group,
    groupIndex: headers.groupIndex,
    timeLimit: options.timeLimit === undefined ? headers.timelimit.hard : options.timeLimit,
    softTimeLimit: options.softTimeLimit === undefined ? headers.timelimit.soft : options.softTimeLimit,
    rootId: headers.rootId,
    // Recorded: a root task's retry has the task itself as its parent.
    parentId: headers.parentId ?? headers.id,
    shadow: headers.shadow,
    origin: headers.origin ?? '',
    ignoreResult: options.ignoreResult ?? request.type.ignoreResult,
    replacedTaskNesting: headers.replacedTaskNesting,
    stampedHeaders: headers.stampedHeaders,
    stamps: headers.stamps,
    callbacks: body.embed.callbacks,
    errbacks: body.embed.errbacks,
    chain: body.embed.chain,
    chord: body.embed.chord,
    headers: options.headers ?? headers.custom,
    replyTo: typeof envelope.properties['reply_to'] === 'string' ? envelope.properties['reply_to'] : '',
    properties: headers.origin === null ? {} : { origin: headers.origin },
  });
  const toExchange = deliveryInfo.exchange !== '' && options.queue === undefined;
  const priority = options.priority ?? deliveryInfo.priority;
  await sender.publish(message, {
    ...(toExchange
      ? { exchange: deliveryInfo.exchange, routingKey: options.routingKey ?? deliveryInfo.routingKey }
      : { queue: options.queue ?? deliveryInfo.routingKey }),
    ...(priority === null ? {} : { priority }),
    serializer: options.serializer ?? serializerOf(envelope.contentType),
    compression: options.compression ?? textOrUndefined(envelope.headers['compression']),
  });
}

/** A message is sent on as it came. */
function serializerOf(contentType: string | null): string {
  return contentType ?? 'json';
}

function textOrUndefined(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
