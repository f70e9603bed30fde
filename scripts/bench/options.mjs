/** The command line of the bench: one table, from which parsing, checking and --help are made. */
import { parseArgs } from 'node:util';

const flags = {
  only: { type: 'string', value: 'A,B', help: 'only contenders whose name starts with one of these' },
  rounds: { type: 'string', value: 'N', help: 'rounds, each with every contender once (default 3, --quick 1)' },
  tasks: {
    type: 'string',
    value: 'N',
    help: 'backlog of the fast contenders (default 20000, --quick 4000); Celery gets a quarter',
  },
  quick: { type: 'boolean', help: 'one round of small backlogs: shows that all works, proves nothing' },
  full: { type: 'boolean', help: 'flatness row up to one million queued (needs 3 GB)' },
  'no-flatness': { type: 'boolean', help: 'leave the flatness row out (--quick does)' },
  kinds: { type: 'boolean', help: 'rows for tasks with an ETA, retries, a rate limit, and 1,000 that only wait' },
  list: { type: 'boolean', help: 'list the contenders and end' },
  json: { type: 'string', value: 'FILE', help: 'where the raw figures go (default .cache/bench-results.json)' },
  help: { type: 'boolean', help: 'this text' },
};

export const help = () =>
  [
    'Usage: npm run bench -- [options]',
    '',
    'Measures celeriac beside Celery, celery-node, BullMQ and the limit that Redis sets, in one run, taking turns,',
    'on a Redis server of its own. Prints a markdown table; docs/performance.md tells how each figure comes about.',
    '',
    ...Object.entries(flags).map(
      ([name, { value, help: text }]) => `  ${`--${name}${value === undefined ? '' : ` ${value}`}`.padEnd(16)} ${text}`,
    ),
    '',
    'Environment: CELERIAC_PYTHON, a Python that has Celery, in place of the one the project sets up.',
    '',
    'Examples:',
    '  npm run bench -- --quick',
    '  npm run bench -- --only celeriac,limit --rounds 5',
    '  npm run bench -- --only celeriac --full',
  ].join('\n');

/** A mistake of the caller's: shown without a stack, exit code 2. */
export class UsageError extends Error {}

function positive(name, text, fallback) {
  if (text === undefined) return fallback;
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1)
    throw new UsageError(`--${name} takes a whole number above 0, not "${text}"`);
  return number;
}

/** @param {string[]} argv */
export function readOptions(argv) {
  let values;
  try {
    ({ values } = parseArgs({
      args: argv,
      options: Object.fromEntries(Object.entries(flags).map(([name, { type }]) => [name, { type }])),
    }));
  } catch (error) {
    throw new UsageError(error.message, { cause: error });
  }
  const quick = values.quick === true;
  return {
    help: values.help === true,
    list: values.list === true,
    quick,
    only: values.only === undefined ? undefined : values.only.split(',').map((name) => name.trim()),
    rounds: positive('rounds', values.rounds, quick ? 1 : 3),
    tasks: positive('tasks', values.tasks, quick ? 4000 : 20000),
    trips: quick ? 60 : 300,
    warmUp: quick ? 500 : 10_000,
    full: values.full === true,
    flatness: values['no-flatness'] !== true && (values.full === true || !quick),
    kinds: values.kinds === true,
    // A quick look must not overwrite the figures of a real run.
    json: values.json ?? `.cache/bench-${quick ? 'quick' : 'results'}.json`,
  };
}
