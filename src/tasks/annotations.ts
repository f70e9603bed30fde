/**
 * `task_annotations`: options of tasks changed by the settings, by a task's name or for all with `*`. Counterpart:
 * celery/app/annotations.py and Task.annotate, 5.6.3.
 *
 * As in Celery only the first entry that has the name, and the first that has `*`, count, and what `*` says comes last: it
 * overrides what was said of the name.
 */
import { camelCase } from '../config/table.ts';
import { ConfigError } from '../errors.ts';
import { collectHooks, hasEndHooks } from './hooks.ts';
import { resolveTaskOptions } from './options.ts';
import type { TaskDefinition } from './task.ts';

type Options = Readonly<Record<string, unknown>>;
type Annotations = readonly Readonly<Record<string, unknown>>[];

/** Fixed when the handler is read. */
const UNCHANGEABLE: ReadonlySet<string> = new Set(['bind', 'args', 'params']);

/**
 * The task as the settings want it; the same object where they say nothing of it.
 *
 * @throws ConfigError when the setting is unsound, or its options do not fit a task.
 */
export function annotated(definition: TaskDefinition, setting: unknown): TaskDefinition {
  if (setting === null || setting === undefined) return definition;
  const entries = readEntries(setting);
  const overrides = { ...pick(entries, definition.name), ...pick(entries, '*') };
  if (Object.keys(overrides).length === 0) return definition;
  const options = resolveTaskOptions(definition.name, { ...definition.options, ...overrides });
  const hooks = Object.freeze({ ...definition.hooks, ...collectHooks(definition.name, options, null) });
  return Object.freeze({ ...definition, options, hooks, hasEndHooks: hasEndHooks(hooks) });
}

function readEntries(setting: unknown): Annotations {
  const entries: unknown[] = Array.isArray(setting) ? setting : [setting];
  return entries.map((entry) => {
    if (isDict(entry)) return entry;
    throw new ConfigError(
      'task_annotations must be a dict of options by task name (or "*"), or a list of such dicts; Celery\'s annotation classes are not known here',
    );
  });
}

function pick(entries: Annotations, key: string): Options {
  const found = entries.find((entry) => Object.hasOwn(entry, key))?.[key];
  if (found === undefined || found === null) return {};
  const where = `task_annotations, ${JSON.stringify(key)}`;
  if (!isDict(found)) throw new ConfigError(`${where}: must be a dict of task options`);
  return Object.fromEntries(
    Object.entries(found).map(([option, value]) => {
      const name = camelCase(option);
      if (option.startsWith('@')) {
        throw new ConfigError(
          `${where}: "${option}" would wrap a method, which Python can and celeriac cannot; use a hook`,
        );
      }
      if (UNCHANGEABLE.has(name)) {
        throw new ConfigError(`${where}: "${option}" can only be given where the task is registered`);
      }
      return [name, value];
    }),
  );
}

function isDict(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
