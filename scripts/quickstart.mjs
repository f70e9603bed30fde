/*
 * celeriac in one command on a fresh machine: installs what is missing into the checkout, starts a Redis and a worker,
 * sends tasks from a real Python Celery program, shows the results, stops what it started.
 *
 * Usage: npm run quickstart -- [--keep] [--install-redis]
 *   --keep            leaves Redis and the worker running until Ctrl-C, to try things out
 *   --install-redis   as root, let apt install what can't be had otherwise
 * Variables: CELERIAC_REDIS_URL (your own server; only empty databases are used), CELERIAC_PYTHON, CELERIAC_CACHE_DIR,
 * CELERIAC_BOOTSTRAP_SKIP (scripts/bootstrap/skip.mjs). The exit code is 0 only when every result was right.
 */
import './bootstrap/node-version.mjs';
import { relative } from 'node:path';
import { build } from './bootstrap/build.mjs';
import { withoutCelerySettings } from './bootstrap/environment.mjs';
import { openLifetime } from './bootstrap/lifetime.mjs';
import { BootstrapError, explain, log } from './bootstrap/log.mjs';
import { ensureNodeModules } from './bootstrap/node-modules.mjs';
import { inRoot } from './bootstrap/paths.mjs';
import { startProgram, stopProgram } from './bootstrap/processes.mjs';
import { ensurePython } from './bootstrap/python.mjs';
import { cleanPythonEnv } from './bootstrap/python-interpreter.mjs';
import { hidePassword } from './bootstrap/redis-address.mjs';
import { startRedis } from './bootstrap/redis.mjs';
import { MODULE, startWorker } from './quickstart/worker-process.mjs';

const USAGE = 'Usage: npm run quickstart -- [--keep] [--install-redis]\n';
const options = new Set(process.argv.slice(2));
const wantsHelp = options.delete('--help') || options.delete('-h');
const keep = options.delete('--keep');
const install = options.delete('--install-redis') || process.env.CI === 'true';

if (wantsHelp || options.size > 0) {
  process.stdout.write(options.size > 0 ? `unknown: ${[...options].join(' ')}\n${USAGE}` : USAGE);
  process.exitCode = options.size > 0 ? 2 : 0;
} else {
  const lifetime = openLifetime();
  process.exitCode = 1;
  try {
    if (await quickstart(lifetime)) process.exitCode = 0;
  } catch (error) {
    if (!lifetime.isStopping()) process.stderr.write(`\n${explain(error)}\n`);
  }
  await lifetime.close();
}

/**
 * @param {ReturnType<typeof openLifetime>} lifetime
 * @returns {Promise<boolean>} whether every result was right
 */
async function quickstart(lifetime) {
  log.plain('celeriac quickstart: Redis, a Node worker, and a Python Celery program that sends it tasks\n');
  await ensureNodeModules({ log });
  await build({ log });
  const redis = await startRedis({ log, allowStandIn: true, install });
  lifetime.defer(redis.stop);
  const python = await ensurePython({ log, install });

  const [first = 0, second = first] = redis.databases;
  const urls = { CELERY_BROKER_URL: redis.urlOf(first), CELERY_RESULT_BACKEND: redis.urlOf(second) };
  const worker = await startWorker({ ...withoutCelerySettings(process.env), ...urls });
  lifetime.defer(worker.stop);
  log.step('worker', `${worker.nodeName} is ready, its log is ${relative(process.cwd(), worker.logPath)}`);
  if (redis.kind === 'stand-in') {
    log.plain(
      '\n*** in-memory stand-in, not Redis: slow, and gone when this ends. Good for this demonstration only. ***',
    );
  }

  const isPython = !('missing' in python);
  if (!isPython) log.step('python', `not available, so JavaScript sends: ${python.missing}`);
  const celery = isPython ? `Python, celery ${python.versions.celery}` : 'JavaScript, celeriac as client';
  process.stdout.write(`\n${celery}:\n`);
  const producer = isPython ? 'scripts/python/producer.py' : 'examples/quickstart/producer.mjs';
  const isRight = await runProducer(lifetime, isPython ? python.python : process.execPath, [inRoot(producer)], {
    ...withoutCelerySettings(cleanPythonEnv()),
    ...urls,
  });
  if (lifetime.isStopping()) return false;
  process.stdout.write(isRight ? '\nEvery result was right.\n' : '\nSomething was wrong.\n');

  if (!isRight) log.plain(`See ${worker.logPath}`);
  log.plain(`\nWhat ran:    ${MODULE} (the tasks), ${producer} (the calls)`);
  if (redis.kind === 'url') {
    log.plain(
      `Left behind: the quickstart's keys in databases ${first} and ${second} of your server, which were empty`,
    );
  }
  if (keep) await serve(worker, isPython ? python : undefined, urls);
  else log.plain('Try more:    npm run quickstart -- --keep     What it is and can do: README.md');
  return isRight;
}

/**
 * @param {ReturnType<typeof openLifetime>} lifetime
 * @param {string} command
 * @param {string[]} args
 * @param {NodeJS.ProcessEnv} env
 * @returns {Promise<boolean>}
 */
function runProducer(lifetime, command, args, env) {
  const child = startProgram(command, args, { cwd: inRoot(), env, stdio: ['ignore', 'inherit', 'inherit'] });
  lifetime.defer(() => stopProgram(child));
  return new Promise((resolve) => {
    child.once('error', () => resolve(false));
    child.once('close', (code) => resolve(code === 0));
  });
}

/**
 * Shows the worker's log and how to talk to it, until Ctrl-C or its end.
 * @param {Awaited<ReturnType<typeof startWorker>>} worker
 * @param {import('./bootstrap/python.mjs').RealCelery | undefined} python
 * @param {Record<string, string>} urls
 */
async function serve(worker, python, urls) {
  const broker = String(urls.CELERY_BROKER_URL);
  const backend = String(urls.CELERY_RESULT_BACKEND);
  const celery =
    python && `${relative(process.cwd(), python.python)} -m celery -b '${broker}' --result-backend '${backend}'`;
  log.plain(
    [
      '',
      `Redis and the worker go on running at ${hidePassword(broker)}. In another terminal:`,
      ...(celery
        ? [
            `  ${celery} inspect ping`,
            `  ${celery} inspect active`,
            `  ${celery} call tasks.add --args='[2, 2]'`,
            ...(python.versions.flower ? [`  ${celery} flower        # then open the address it prints`] : []),
          ]
        : []),
      'Ctrl-C stops all of it. The worker says:',
      '',
    ].join('\n'),
  );
  worker.follow((line) => process.stdout.write(`${line}\n`));
  await worker.ended;
  throw new BootstrapError('the worker ended by itself');
}
