/**
 * Options from the environment, as click gives them to Celery (auto_envvar_prefix): CELERY_WORKER_QUEUES is `worker -Q`. An
 * empty variable counts as not set. What stands on the command line comes first.
 */
import { InvalidArgumentError, type Command, type Option } from 'commander';
import { flag } from '../config/kinds.ts';

/** Global options whose variables have no prefix. Celery: celery/bin/celery.py. */
const GLOBALS: Readonly<Record<string, string>> = {
  broker: 'BROKER_URL',
  resultBackend: 'RESULT_BACKEND',
  config: 'CONFIG_MODULE',
  color: 'NO_COLOR',
};

/** The variable of an option of `command`: CELERY_APP, CELERY_WORKER_LOGLEVEL, CELERY_LIST_BINDINGS_JSON. */
export function variableOf(command: Command, option: Option): string {
  const own = command.parent === null ? GLOBALS[option.attributeName()] : undefined;
  if (own !== undefined) return own;
  const path: string[] = [];
  for (let at = command; at.parent !== null; at = at.parent) path.unshift(at.name());
  const long = (option.long ?? '').replace(/^--/, '');
  return ['celery', ...path, long].join('_').replaceAll('-', '_').toUpperCase();
}

/** Fills in what the command line left open. A value that can't be read is a usage error that names the variable. */
export function readVariables(command: Command, env: NodeJS.ProcessEnv = process.env): void {
  for (const option of command.options) {
    const name = option.attributeName();
    const source = command.getOptionValueSource(name);
    if (source !== undefined && source !== 'default') continue;
    const variable = variableOf(command, option);
    const text = env[variable];
    if (text === undefined || text === '') continue;
    command.setOptionValueWithSource(name, valueOf(command, option, variable, text), 'env');
  }
}

function valueOf(command: Command, option: Option, variable: string, text: string): unknown {
  // no-color.org: any value.
  if (option.negate) return false;
  if (option.isBoolean()) {
    const value = flag.fromText(text);
    if (typeof value === 'boolean') return value;
    command.error(`error: the variable ${variable} must be ${flag.expected}, not "${text}"`);
  }
  // What the types of commander take for a function that answers nothing.
  const parse = option.parseArg as ((text: string, previous: unknown) => unknown) | undefined;
  if (parse === undefined) return text;
  try {
    return parse(text, undefined);
  } catch (error) {
    if (!(error instanceof InvalidArgumentError)) throw error;
    command.error(`error: the variable ${variable} has the value '${text}', which is invalid. ${error.message}`);
  }
}
