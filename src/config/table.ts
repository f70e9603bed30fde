/**
 * Every setting, one row each: Celery's lower-case name, kind, default and what it means. All else is derived: the
 * camelCase name, the type Config, the environment variable, docs/settings.md. Names and defaults as
 * celery/app/defaults.py, 5.6.3; where a default differs the row says so.
 */

import {
  amount,
  anything,
  choice,
  count,
  dict,
  endless,
  flag,
  idText,
  nullable,
  serializer,
  ssl,
  text,
  texts,
  urls,
  whole,
  zone,
  type Kind,
  type Options,
} from './kinds.ts';

export interface Row<T> {
  readonly kind: Kind<T>;
  readonly default: T;
  /** One sentence. */
  readonly doc: string;
  readonly unit?: string;
  /** The environment variable; made from the name where it is not given. */
  readonly env?: string;
  /** The option of the command line. */
  readonly flag?: string;
  /** Read, checked and shown, but without meaning for Redis or this runtime. */
  readonly isInert?: true;
}

interface Extras {
  readonly unit?: string;
  readonly env?: string;
  readonly flag?: string;
  readonly isInert?: true;
}

function row<T>(kind: Kind<T>, value: NoInfer<T>, doc: string, extras: Extras = {}): Row<T> {
  return { kind, default: value, doc, ...extras };
}

const SECONDS = { unit: 'seconds' } as const;
const INERT = { isInert: true } as const;
const NOTHING: Options = {};

export const SETTINGS = {
  // General
  accept_content: row(texts, ['json'], 'Content types (or aliases) accepted for tasks, control messages and events.'),
  result_accept_content: row(nullable(texts), null, 'Content types accepted for results; null: as accept_content.'),
  enable_utc: row(flag, true, 'Dates in messages are UTC; false: local time of `timezone`.'),
  timezone: row(nullable(zone), null, 'Time zone of schedules and naive dates; null: UTC.'),
  imports: row(texts, [], 'Modules with tasks to load when a worker starts.'),
  include: row(texts, [], 'More modules to load, besides imports.', { flag: 'worker -I, --include (adds)' }),

  // Broker
  broker_url: row(
    urls,
    'redis://localhost:6379/0',
    'Where the broker is; several URLs are tried in turn. Celery: amqp.',
    { flag: '-b, --broker' },
  ),
  broker_read_url: row(nullable(urls), null, 'Broker to consume from; null: broker_url.'),
  broker_write_url: row(nullable(urls), null, 'Broker to publish to; null: broker_url.'),
  broker_transport_options: row(
    dict,
    NOTHING,
    "Options of kombu's Redis transport: visibility_timeout, global_keyprefix, priority_steps ...",
  ),
  broker_connection_timeout: row(amount, 4, 'Time for one try to connect.', SECONDS),
  broker_connection_retry: row(flag, true, 'Connect again after the connection was lost.'),
  broker_connection_retry_on_startup: row(
    nullable(flag),
    null,
    'Try again when the first connection fails; null: as broker_connection_retry.',
  ),
  broker_connection_max_retries: row(nullable(count()), 100, 'Tries in a row before giving up; null or 0: for ever.'),
  broker_channel_error_retry: row(flag, false, 'Start the consumer again after a channel error.'),
  broker_failover_strategy: row(
    nullable(choice('round-robin', 'shuffle')),
    null,
    'How the next of several broker URLs is chosen; null: round-robin.',
  ),
  broker_pool_limit: row(nullable(count()), 10, 'Connections of a publishing client; one is shared here.', INERT),
  broker_heartbeat: row(nullable(amount), 120, 'AMQP heartbeats.', INERT),
  broker_heartbeat_checkrate: row(amount, 3, 'AMQP heartbeats.', INERT),
  broker_login_method: row(nullable(text), null, 'AMQP login.', INERT),
  broker_native_delayed_delivery_queue_type: row(text, 'quorum', 'AMQP delayed delivery.', INERT),
  broker_use_ssl: row(
    ssl,
    false,
    'TLS to the broker: a dict of ssl_ca_certs, ssl_certfile, ssl_keyfile, ssl_cert_reqs; true: with the authorities of the system.',
  ),

  // Tasks
  task_default_queue: row(text, 'celery', 'Queue of tasks without one; also default exchange and routing key.'),
  task_default_exchange: row(nullable(text), null, 'Exchange of the default queue; null: task_default_queue.'),
  task_default_exchange_type: row(text, 'direct', 'Type of the default exchange.'),
  task_default_routing_key: row(nullable(text), null, 'Routing key of the default queue; null: task_default_queue.'),
  task_default_queue_type: row(text, 'classic', 'AMQP queue type.', INERT),
  task_create_missing_queue_type: row(text, 'classic', 'AMQP queue type.', INERT),
  task_create_missing_queues: row(
    flag,
    true,
    'Queues that are used and not configured are made: direct, exchange and routing key as the name.',
  ),
  task_create_missing_queue_exchange_type: row(nullable(text), null, 'Exchange type of such queues; null: direct.'),
  task_queues: row(
    nullable(anything),
    null,
    'Queues to consume and to send to: a dict by name, or a list of names, queue objects and `new Broadcast(name)`; null: the default queue.',
  ),
  task_routes: row(nullable(anything), null, 'Routes by task name, glob or regular expression, or a function.'),
  task_queue_max_priority: row(nullable(count()), null, 'AMQP queue argument.', INERT),
  task_default_priority: row(
    nullable(count()),
    null,
    'Priority of tasks without one, 0 to 9; with Redis 0 is the highest.',
  ),
  task_inherit_parent_priority: row(flag, false, 'Tasks sent by a task get its priority.'),
  task_default_delivery_mode: row(anything, 2, 'delivery_mode in the message; Redis keeps all messages alike.'),
  task_serializer: row(serializer, 'json', 'How arguments are serialised.'),
  task_compression: row(nullable(text), null, 'How messages are compressed: gzip, zlib, zstd, brotli ...'),
  task_protocol: row(count(1), 2, 'Version of the message protocol.'),
  task_publish_retry: row(flag, true, 'Try again when publishing fails.'),
  task_publish_retry_policy: row(
    dict,
    { max_retries: 3, interval_start: 0, interval_max: 1, interval_step: 0.2 },
    'How often and with which pauses publishing is tried again.',
  ),
  task_acks_late: row(flag, false, 'Acknowledge after the task ran, not before.'),
  task_acks_on_failure_or_timeout: row(
    flag,
    true,
    'Late-acknowledged tasks are acknowledged also when they failed or ran out of time.',
  ),
  task_acks_on_failure: row(
    nullable(flag),
    null,
    'The same for failure only; null: task_acks_on_failure_or_timeout (Celery 5.7).',
  ),
  task_acks_on_timeout: row(
    nullable(flag),
    null,
    'The same for timeouts only; null: task_acks_on_failure_or_timeout (Celery 5.7).',
  ),
  task_reject_on_worker_lost: row(
    nullable(flag),
    null,
    'Late-acknowledged tasks whose process died go back to the queue.',
  ),
  task_ignore_result: row(flag, false, 'Do not store results.'),
  task_store_errors_even_if_ignored: row(flag, false, 'Store failures also of tasks whose results are ignored.'),
  task_track_started: row(flag, false, 'Store STARTED when a task begins.'),
  task_time_limit: row(nullable(amount), null, 'Hard time limit: a task still running is killed.', {
    ...SECONDS,
    flag: 'worker --time-limit',
  }),
  task_soft_time_limit: row(nullable(amount), null, 'Soft time limit: a task still running is told to stop.', {
    ...SECONDS,
    flag: 'worker --soft-time-limit',
  }),
  task_default_rate_limit: row(nullable(anything), null, 'Rate limit of tasks without one, as "10/m".'),
  task_annotations: row(nullable(anything), null, 'Overrides of task options, by task name or "*".'),
  task_send_sent_event: row(flag, false, 'Producers send task-sent events.'),
  task_remote_tracebacks: row(flag, false, 'Remote tracebacks are shown with the error of a result.'),
  task_always_eager: row(flag, false, 'Tasks run where they are sent, at once.'),
  task_eager_propagates: row(flag, false, 'Eager tasks throw.'),
  task_store_eager_result: row(flag, false, 'Results of eager tasks are stored.'),
  task_allow_error_cb_on_chord_header: row(flag, false, 'Error callbacks of a chord are set on its header tasks too.'),

  // Worker
  worker_concurrency: row(nullable(count(1)), null, 'Tasks at once; null: as the pool has it.', {
    flag: 'worker -c, --concurrency',
  }),
  worker_prefetch_multiplier: row(count(), 4, 'Messages held per slot; 0: no limit.', {
    flag: 'worker --prefetch-multiplier',
  }),
  worker_eta_task_limit: row(nullable(count(1)), null, 'Most messages held, those that wait for their ETA included.'),
  worker_disable_prefetch: row(flag, false, 'Take a message only when a slot is free.', {
    flag: 'worker --disable-prefetch',
  }),
  worker_enable_prefetch_count_reduction: row(
    flag,
    true,
    'After a lost connection take fewer messages until running tasks have ended.',
  ),
  worker_cancel_long_running_tasks_on_connection_loss: row(
    flag,
    false,
    'After a lost connection end running tasks that acknowledge late.',
  ),
  worker_deduplicate_successful_tasks: row(flag, false, 'A redelivered task that already succeeded is not run again.'),
  worker_disable_rate_limits: row(flag, false, 'Ignore rate limits.'),
  worker_enable_remote_control: row(flag, true, 'Listen to `celery inspect` and `celery control`.'),
  worker_send_task_events: row(flag, false, 'Send task events (-E).', { flag: 'worker -E, --task-events' }),
  worker_max_tasks_per_child: row(nullable(count(1)), null, 'A child process is replaced after so many tasks.', {
    flag: 'worker --max-tasks-per-child',
  }),
  worker_max_memory_per_child: row(nullable(count(1)), null, 'A child process is replaced when it takes more memory.', {
    unit: 'KiB',
    flag: 'worker --max-memory-per-child',
  }),
  worker_lost_wait: row(
    amount,
    10,
    'Time a dead child has to deliver its result before the task counts as lost.',
    SECONDS,
  ),
  worker_proc_alive_timeout: row(amount, 4, 'Time a child has to start.', SECONDS),
  worker_pool: row(nullable(text), null, 'async, prefork, threads or solo; null: async. Celery: prefork.', {
    flag: 'worker -P, --pool',
  }),
  worker_pool_putlocks: row(flag, true, 'Hand a task to a child only when it is free.', INERT),
  worker_pool_restarts: row(flag, false, 'Allow the remote command pool_restart.'),
  worker_autoscaler: row(text, 'celery.worker.autoscale:Autoscaler', 'Class of the autoscaler.', INERT),
  worker_consumer: row(text, 'celery.worker.consumer:Consumer', 'Class of the consumer.', INERT),
  worker_timer: row(nullable(text), null, 'Class of the timer.', INERT),
  worker_timer_precision: row(amount, 1, 'Longest sleep of the timer.', { ...SECONDS, ...INERT }),
  worker_agent: row(nullable(text), null, 'Class of the agent.', INERT),
  worker_soft_shutdown_timeout: row(amount, 0, 'Time running tasks have before a cold shutdown.', SECONDS),
  worker_enable_soft_shutdown_on_idle: row(flag, false, 'Soft shutdown waits also when no task runs.'),
  worker_state_db: row(nullable(text), null, 'File that keeps revoked ids and the clock.', {
    flag: 'worker -S, --statedb',
  }),
  worker_logfile: row(
    nullable(text),
    null,
    'File the log goes to instead of the standard error; %n, %h as in node names.',
    { flag: 'worker -f, --logfile' },
  ),
  worker_pidfile: row(nullable(text), null, 'File that keeps the pid; a second worker with it does not start.', {
    flag: 'worker --pidfile',
  }),
  worker_uid: row(nullable(idText), null, 'User to become.', { flag: 'worker --uid' }),
  worker_gid: row(nullable(idText), null, 'Group to become.', { flag: 'worker --gid' }),
  worker_umask: row(nullable(idText), null, 'umask of the worker, octal with a leading 0.', { flag: 'worker --umask' }),
  worker_executable: row(nullable(text), null, 'Node.js that --detach starts.', { flag: 'worker --executable' }),
  worker_direct: row(flag, false, 'Each worker has a queue of its own, `<nodename>.dq2`.'),
  worker_hijack_root_logger: row(flag, true, "Python's logging.", INERT),
  worker_log_color: row(nullable(flag), null, 'Coloured log lines; null: on a terminal.', { flag: '-C, --no-color' }),
  worker_log_format: row(text, '[%(asctime)s: %(levelname)s/%(processName)s] %(message)s', 'Log lines, or "json".', {
    flag: 'worker --log-format',
  }),
  worker_task_log_format: row(
    text,
    '[%(asctime)s: %(levelname)s/%(processName)s] %(task_name)s[%(task_id)s]: %(message)s',
    'Log lines of running tasks.',
  ),
  worker_redirect_stdouts: row(flag, true, 'What tasks print goes to the log.'),
  worker_redirect_stdouts_level: row(text, 'WARNING', 'Level of what tasks print.'),
  worker_detect_quorum_queues: row(flag, true, 'AMQP quorum queues.', INERT),
  worker_revokes_max: row(count(), 50_000, 'Revoked ids kept in memory.', { env: 'CELERY_WORKER_REVOKES_MAX' }),
  worker_revoke_expires: row(amount, 10_800, 'How long a revoked id is kept.', {
    ...SECONDS,
    env: 'CELERY_WORKER_REVOKE_EXPIRES',
  }),
  worker_successful_max: row(count(), 1_000, 'Ids of succeeded tasks kept for deduplication.', {
    env: 'CELERY_WORKER_SUCCESSFUL_MAX',
  }),
  worker_successful_expires: row(amount, 10_800, 'How long such an id is kept.', {
    ...SECONDS,
    env: 'CELERY_WORKER_SUCCESSFUL_EXPIRES',
  }),

  // Results
  result_backend: row(nullable(text), null, 'Where results are kept; null or "disabled": nowhere.', {
    flag: '--result-backend',
  }),
  result_backend_transport_options: row(
    dict,
    NOTHING,
    'global_keyprefix, master_name, sentinel_kwargs, result_chord_ordered, retry_policy ...',
  ),
  result_expires: row(nullable(amount), 86_400, 'How long a result is kept; null or 0: for ever.', SECONDS),
  result_extended: row(flag, false, 'Store name, arguments, worker, retries and queue with the result.'),
  result_serializer: row(serializer, 'json', 'How results are serialised.'),
  result_compression: row(nullable(text), null, 'Compression of results; Redis results have none.', INERT),
  result_persistent: row(nullable(flag), null, 'AMQP results.', INERT),
  result_exchange: row(text, 'celeryresults', 'AMQP results.', INERT),
  result_exchange_type: row(text, 'direct', 'AMQP results.', INERT),
  result_cache_max: row(whole, -1, 'Results a client keeps in memory; -1: none.'),
  result_chord_retry_interval: row(amount, 1, 'Pause between looks whether a chord is complete.', SECONDS),
  result_chord_join_timeout: row(amount, 3, 'Time for reading the results of a chord.', SECONDS),
  result_backend_always_retry: row(flag, false, 'Try again when storing a result fails.'),
  result_backend_max_retries: row(endless, Infinity, 'How often.'),
  result_backend_base_sleep_between_retries_ms: row(amount, 10, 'First pause between these tries.', {
    unit: 'milliseconds',
  }),
  result_backend_max_sleep_between_retries_ms: row(amount, 10_000, 'Longest pause between these tries.', {
    unit: 'milliseconds',
  }),
  redis_host: row(nullable(text), null, 'Server of the result backend "redis" (without a URL).'),
  redis_port: row(nullable(count(1)), null, 'Its port.'),
  redis_db: row(nullable(count()), null, 'Its database, where the URL names none.'),
  redis_username: row(nullable(text), null, 'User for the result backend, where the URL names none.'),
  redis_password: row(nullable(text), null, 'Password for the result backend, where the URL has none.'),
  redis_backend_use_ssl: row(
    nullable(ssl),
    null,
    'TLS to the result backend, as broker_use_ssl; needs a rediss:// URL.',
  ),
  redis_max_connections: row(nullable(count(1)), null, 'Connections of the result backend; one is shared here.', INERT),
  redis_socket_timeout: row(
    nullable(amount),
    120,
    'Longest silence of the result backend while a command waits.',
    SECONDS,
  ),
  redis_socket_connect_timeout: row(nullable(amount), null, 'Time for one try to connect; null: 4.', SECONDS),
  redis_retry_on_timeout: row(flag, false, 'Commands are always sent again after a reconnect.', INERT),
  redis_socket_keepalive: row(flag, false, 'TCP keep-alive is always on.', INERT),
  redis_backend_health_check_interval: row(nullable(amount), null, 'PING after so much idle time; null: 25.', SECONDS),
  redis_backend_credential_provider: row(nullable(anything), null, "redis-py's credential providers.", INERT),
  redis_client_name: row(nullable(text), null, 'Name of the result backend connections, for CLIENT LIST.'),

  // Events and remote control
  event_exchange: row(text, 'celeryev', 'Exchange of events.'),
  event_queue_prefix: row(text, 'celeryev', 'Prefix of event receivers’ queues.'),
  event_serializer: row(serializer, 'json', 'How events are serialised.'),
  event_queue_ttl: row(nullable(amount), 5, 'How long an event waits.', { ...SECONDS, ...INERT }),
  event_queue_expires: row(nullable(amount), 60, 'How long an unused receiver queue lives.', { ...SECONDS, ...INERT }),
  event_queue_exclusive: row(flag, false, 'AMQP queue flag.', INERT),
  event_queue_durable: row(flag, false, 'AMQP queue flag.', INERT),
  control_exchange: row(text, 'celery', 'Namespace of remote control: `<name>.pidbox`, `reply.<name>.pidbox`.'),
  control_queue_ttl: row(nullable(amount), 300, 'How long a control message waits.', SECONDS),
  control_queue_expires: row(nullable(amount), 10, 'How long an unused reply queue lives.', SECONDS),
  control_queue_exclusive: row(flag, false, 'AMQP queue flag.', INERT),
  control_queue_durable: row(flag, false, 'AMQP queue flag.', INERT),

  // Beat
  // CELERY_BEAT_SCHEDULE is taken: `celery beat -s` reads the name of its file from it.
  beat_schedule: row(dict, NOTHING, 'Periodic tasks by name.', { env: 'CELERIAC_BEAT_SCHEDULE' }),
  beat_scheduler: row(text, 'celery.beat:PersistentScheduler', 'Which scheduler.'),
  beat_schedule_filename: row(text, 'celerybeat-schedule', 'File that keeps when tasks ran last.'),
  beat_max_loop_interval: row(amount, 0, "Longest sleep between looks; 0: the scheduler's own.", SECONDS),
  beat_sync_every: row(count(), 0, 'Tasks sent between writes of that file; 0: by time.'),
  beat_cron_starting_deadline: row(nullable(count()), null, 'How late a missed crontab entry is still sent.', SECONDS),

  // Of celeriac's own
  celeriac_lease_seconds: row(
    amount,
    20,
    'How long a silent worker keeps its messages before others take them over.',
    SECONDS,
  ),
  celeriac_recovery_interval: row(amount, 5, 'How often workers look for messages of dead ones.', SECONDS),
  celeriac_max_message_bytes: row(
    count(1),
    268_435_456,
    'Larger messages are set aside unread; also the limit after decompression.',
    { unit: 'bytes' },
  ),
  celeriac_quarantine_max_length: row(count(1), 10_000, 'Unreadable messages kept for inspection; older ones go.'),
  celeriac_hide_arguments: row(
    flag,
    false,
    'Keep arguments and results out of logs: messages are sent with argsrepr and kwargsrepr "...", and bodies and results are not printed. Texts of errors are printed all the same.',
  ),
  celeriac_task_log_level: row(
    nullable(text),
    null,
    'Level of what tasks log themselves, as `celery.task` has one in Python; null: that of the worker (-l).',
  ),
  celeriac_loop_block_limit: row(
    nullable(amount),
    null,
    'How long the event loop may be blocked before the worker ends itself, so that its messages are not held for ever; null: the hard time limit plus 30 s, or else the visibility timeout.',
    SECONDS,
  ),
} as const;

export type SettingName = keyof typeof SETTINGS;

export const SETTING_NAMES = Object.keys(SETTINGS) as readonly SettingName[];

/** task_acks_late as taskAcksLate. */
export type CamelCase<S extends string> = S extends `${infer Head}_${infer Tail}`
  ? `${Head}${Capitalize<CamelCase<Tail>>}`
  : S;

export function camelCase(name: string): string {
  return name.replace(/_([a-z0-9])/g, (_match, letter: string) => letter.toUpperCase());
}

/** CELERY_TASK_ACKS_LATE; celeriac's own begin with CELERIAC_. */
export function environmentVariable(name: SettingName): string {
  const { env } = SETTINGS[name] as Row<unknown>;
  return env ?? (name.startsWith('celeriac_') ? name : `celery_${name}`).toUpperCase();
}
