// TypeScript's counterparts of the tasks in Celery's own integration suite, as the conformance run's contract specifies
// them. Written from that specification; started by `npm run conformance:worker` with the run's environment.
import { appendFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Celeriac, PythonError, Reject } from 'celeriac';
import { z } from 'zod';
import { redisAt } from './side-effects.mjs';

export const app = new Celeriac('conformance', {
  acceptContent: ['json'],
  resultExtended: true,
  enableUtc: true,
  timezone: 'UTC',
});

const { rpush, incr } = redisAt(process.env.REDIS_HOST ?? '127.0.0.1', Number(process.env.REDIS_PORT ?? 6379));

const task = (name, ...rest) => app.task(`t.integration.tasks.${name}`, ...rest);

class ExpectedException extends Error {
  static excType = 'ExpectedException';
  static excModule = 't.integration.tasks';
  constructor(...args) {
    super(args.join(' '));
    this.excArgs = args;
  }
}

const unpickleable = (foo) => new PythonError('UnpickleableException', [foo], { module: 't.integration.tasks' });

/** Python's `+` for the types the suite uses. */
function plus(x, y) {
  if (Array.isArray(x) && Array.isArray(y)) return [...x, ...y];
  if (typeof x === typeof y && (typeof x === 'number' || typeof x === 'string')) return x + y;
  throw new TypeError('unsupported operand type(s) for +');
}

const sum = (numbers) => numbers.reduce((a, b) => a + b, 0);

// Plain functions

task('identity', (x) => x);
task('add', (x, y, z = null) => (z ? plus(plus(x, y), z) : plus(x, y)));
task('mul', (x, y) => x * y);
task('add_not_typed', { typing: false }, (x, y) => plus(x, y));
task('add_ignore_result', { ignoreResult: true }, (x, y) => plus(x, y));
task('write_to_file_and_return_int', { params: ['file_name', 'i'] }, (fileName, i) => {
  appendFileSync(fileName, `${i}\n`);
  return i;
});
task('raise_error', { params: ['*args'] }, () => {
  throw new PythonError('ValueError', ['deliberate error']);
});
task('fail', { params: ['*args'] }, (args) => {
  throw new ExpectedException('Task expected to fail', ...args);
});
task('fail_unpickleable', (foo, bar) => {
  throw unpickleable(foo, bar);
});
task('delayed_sum', { params: ['numbers', 'pause_time?'] }, async (numbers, pauseTime = 1) => {
  await sleep(pauseTime * 1000);
  return sum(numbers);
});
task(
  'delayed_sum_with_soft_guard',
  { bind: true, params: ['numbers', 'pause_time?'] },
  async (self, numbers, pauseTime = 1) => {
    try {
      await sleep(pauseTime * 1000, undefined, { signal: self.signal });
      return sum(numbers);
    } catch (error) {
      if (self.signal.aborted && self.signal.reason?.name === 'SoftTimeLimitExceeded') return 0;
      throw error;
    }
  },
);
task('tsum', (nums) => sum(nums));
task('xsum', (nums) => sum(nums.map((num) => (Array.isArray(num) ? sum(num) : num))));
task('sleeping', { bind: true, params: ['i', '**kwargs'] }, async (self, i) => {
  await sleep(i * 1000, undefined, { signal: self.signal });
  return null;
});
task(
  'print_unicode',
  { bind: true, params: ['log_message?', 'print_message?'] },
  (self, logMessage = 'håå®ƒ valmuefrø', printMessage = 'hiöäüß') => {
    self.logger.warn(logMessage);
    process.stdout.write(`${printMessage}\n`);
    return null;
  },
);
task('return_exception', (e) => [e, true]);
task('redis_echo', { params: ['message', 'redis_key?'] }, async (message, redisKey = 'redis-echo') => {
  await rpush(redisKey, message);
  return null;
});
task('redis_count', { params: ['redis_key?'] }, async (redisKey = 'redis-count') => {
  await incr(redisKey);
  return null;
});
task('errback_old_style', { params: ['request_id'] }, async (requestId) => {
  await incr(requestId);
  return requestId;
});
task('errback_new_style', async (request, exc, tb) => {
  (void exc, tb);
  await incr(request.id);
  return request.id;
});
task('replaced_with_me', () => true);
app.task('celery.ping', () => 'pong');

// Tasks that use their request

task('ids', { bind: true }, ({ request }, i) => [request.rootId, request.parentId, i]);
task('collect_ids', { bind: true }, ({ request }, res, i) => [res, [request.rootId, request.parentId, i]]);
task(
  'redis_echo_group_id',
  { bind: true, params: ['_', 'redis_key?'] },
  async ({ request }, _, redisKey = 'redis-group-ids') => {
    await rpush(redisKey, request.group);
    return null;
  },
);
task(
  'return_priority',
  { bind: true, params: ['*args'] },
  ({ request }) => `Priority: ${request.deliveryInfo.priority}`,
);
task('return_properties', { bind: true }, ({ request }) => request.properties);

// Retries

const attempts = new Map();

task('retry', { bind: true, defaultRetryDelay: 1, params: ['return_value?'] }, (self, returnValue = null) => {
  if (returnValue) {
    const made = attempts.get('retry') ?? 0;
    if (made >= 3) {
      attempts.delete('retry');
      return returnValue;
    }
    attempts.set('retry', made + 1);
  }
  throw self.retry({ exc: new ExpectedException(), countdown: 5 });
});
task(
  'retry_unpickleable',
  { bind: true, defaultRetryDelay: 1, params: ['foo', 'bar', 'retry_kwargs'] },
  (self, foo, bar, { countdown, max_retries: maxRetries }) => {
    throw self.retry({ exc: unpickleable(foo, bar), countdown, maxRetries });
  },
);

/** First run: retry; second run: what `then` makes of the task. */
const once =
  (then) =>
  (self, args, { expires, max_retries: maxRetries = 1, countdown = 0.1 } = {}) => {
    if (self.request.retries) return then(self);
    throw self.retry({ countdown, maxRetries, ...(expires === undefined || expires === null ? {} : { expires }) });
  };
task(
  'retry_once',
  { bind: true, expires: 120, maxRetries: 1, params: ['*args', '**kwargs'] },
  once(({ request }) => request.retries),
);
task(
  'retry_once_priority',
  { bind: true, maxRetries: 1, params: ['*args', '**kwargs'] },
  once(({ request }) => request.deliveryInfo.priority),
);
task(
  'retry_once_headers',
  { bind: true, maxRetries: 1, params: ['*args', '**kwargs'] },
  once(({ request }) => request.headers),
);
app.task(
  'auto_retry_class_task',
  { bind: true, autoretryFor: ['ValueError'], maxRetries: 1, retryBackoff: true },
  ({ request }) => {
    if (request.retries) return request.retries;
    throw new PythonError('ValueError', []);
  },
);

// Validation, Reject

const point = z.object({ x: z.number().int(), y: z.number().int() });
const addPoint = (data) => {
  const { x, y } = point.parse(data);
  return { result: x + y };
};
task('add_pydantic', addPoint);
task('add_pydantic_string_annotations', addPoint);
task('reject_then_succeed', { bind: true, acksLate: true }, ({ request }) => {
  if (!request.deliveryInfo.redelivered) throw new Reject('first delivery', { requeue: true });
  return 'second-pass';
});
task('store_success_then_reject', { bind: true, acksLate: true }, async (self) => {
  if (!self.request.deliveryInfo.redelivered) {
    await self.updateState({ state: 'SUCCESS', meta: 'first-pass' });
    throw new Reject('first delivery', { requeue: true });
  }
  return 'dedup-pass';
});
