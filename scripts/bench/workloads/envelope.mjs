/**
 * Task messages as Celery 5.6.3 writes them (protocol 2, JSON, base64 body), from a template: the same bytes for every
 * contender that speaks Celery's protocol, and cheap enough that filling a backlog is never what is measured.
 * Counterpart: celery/app/amqp.py as_task_v2 and kombu/transport/redis.py.
 */

export const TASK = 'bench.add';
export const QUEUE = 'celery';
export const RESULT_PREFIX = 'celery-task-meta-';

const EMBED = '{"callbacks": null, "errbacks": null, "chain": null, "chord": null}';

/** First arguments have seven digits, so all messages are of one length and the limit's loop can cut instead of parse. */
const firstArgument = (index) => 1_000_000 + index;

/** What `bench.add` must answer to task `index`. */
export const expectedResult = (index) => firstArgument(index) + 1;

/**
 * The id tells batch and index, and has a UUID's form.
 * @param {number} batch @param {number} index
 */
export function taskId(batch, index) {
  return `${batch.toString(16).padStart(8, '0')}-0000-4000-8000-${index.toString().padStart(12, '0')}`;
}

/** The index in a task id. */
export const indexOf = (id) => Number(id.slice(-12));

/**
 * One envelope, ready for LPUSH.
 * @param {number} batch @param {number} index
 * @param {{ task?: string, eta?: string | null }} [kind] eta in ISO form
 */
export function envelope(batch, index, { task = TASK, eta = null } = {}) {
  const id = taskId(batch, index);
  const tag = `${id.slice(0, 9)}1${id.slice(10)}`;
  const body = Buffer.from(`[[${firstArgument(index)}, 1], {}, ${EMBED}]`).toString('base64');
  return (
    `{"body": "${body}", "content-encoding": "utf-8", "content-type": "application/json", ` +
    `"headers": {"lang": "py", "task": "${task}", "id": "${id}", "shadow": null, "eta": ${JSON.stringify(eta)}, "expires": null, ` +
    `"group": null, "group_index": null, "retries": 0, "timelimit": [null, null], "root_id": "${id}", ` +
    `"parent_id": null, "argsrepr": "(${firstArgument(index)}, 1)", "kwargsrepr": "{}", "origin": "gen4242@bench", ` +
    `"ignore_result": false, "replaced_task_nesting": 0, "stamped_headers": null, "stamps": {}}, ` +
    `"properties": {"correlation_id": "${id}", "reply_to": "f086f571-2deb-368a-a27a-a57e6a5d8790", ` +
    `"delivery_mode": 2, "delivery_info": {"exchange": "", "routing_key": "${QUEUE}"}, "priority": 0, ` +
    `"body_encoding": "base64", "delivery_tag": "${tag}"}}`
  );
}
