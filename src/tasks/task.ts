/**
 * A task type: its name, options and the two steps of a run (bind the arguments, call the handler) as plain data. All
 * lookups are done here, once. Counterpart: the class Celery makes of a decorated function (celery/app/base.py,
 * _task_from_fun), without the app: what can be sent is the client's.
 */
import { ConfigError } from '../errors.ts';
import { compileBinding, type Args, type Kwargs } from './binding.ts';
import { type TaskContext } from './context.ts';
import { resolveTaskOptions, type ResolvedTaskOptions, type TaskHooks } from './options.ts';
import { instanceOf } from './handler.ts';
import { collectHooks, hasEndHooks } from './hooks.ts';
import { readParameters, type Parameter } from './parameters.ts';
import { compileSchema } from './schema.ts';

/** Any function that can serve as a handler; its true types are the business of typing.ts. */
export type Handler = (...args: never[]) => unknown;

export interface TaskDefinition {
  /** The registered name, `tasks.add`. */
  readonly name: string;
  /** What Python's messages call it, `add`. */
  readonly functionName: string;
  /** How the handler gets its arguments: one by one, or as the one object its schema made of them. */
  readonly kind: 'function' | 'schema';
  readonly options: ResolvedTaskOptions;
  /** The handler's parameters without the context; empty for a task with a schema. */
  readonly parameters: readonly Parameter[];
  /** The function that was given, or the method `run` of the class or object. */
  readonly handler: Handler;
  /** Those of the options and of the class; empty for most. */
  readonly hooks: TaskHooks;
  /** Some of the hooks are called after the result is stored. */
  readonly hasEndHooks: boolean;
  /**
   * Gives the handler's arguments, without the context; a promise of them only when the schema is asynchronous.
   * Throws TypeError in Python's wording, or ValidationError.
   */
  readonly bind: (args: Args, kwargs: Kwargs) => Args | Promise<Args>;
  /** Calls the handler with what `bind` gave; its result, or a promise of it. */
  readonly run: (context: TaskContext, bound: Args) => unknown;
}

/**
 * Makes a definition of what a user gave to `app.task`.
 *
 * @throws ConfigError when the name, an option or the handler cannot be used.
 */
export function defineTask(name: unknown, options: unknown, handler: unknown): TaskDefinition {
  if (typeof name !== 'string' || name === '') throw new ConfigError('a task needs a name, such as "tasks.add"');
  const instance = instanceOf(name, handler);
  if (instance === null && typeof handler !== 'function') {
    throw new ConfigError(
      `task "${name}" needs a function, a class with a method run, or such an object as its handler, not ${handler === null ? 'null' : typeof handler}`,
    );
  }
  const resolved = resolveTaskOptions(name, options);
  const { bind: isBound, args: schema, params } = resolved;
  const method = (instance === null ? handler : Reflect.get(instance, 'run')) as (...args: unknown[]) => unknown;
  // Python's messages name a method with its class.
  const functionName =
    instance === null ? pythonName(name, method.name) : `${instance.constructor.name || 'Object'}.${method.name}`;
  const hooks = collectHooks(name, resolved, instance);
  const call: typeof method = instance === null ? method : method.bind(instance);
  const shared = {
    name,
    functionName,
    options: resolved,
    handler: method as Handler,
    hooks,
    hasEndHooks: hasEndHooks(hooks),
    run: isBound
      ? (context: TaskContext, bound: Args) => call(context, ...bound)
      : (_context: TaskContext, bound: Args) => call(...bound),
  };
  if (schema !== undefined) {
    const check = compileSchema(name, functionName, schema, params);
    const bind = (args: Args, kwargs: Kwargs): Args | Promise<Args> => {
      const value = check(args, kwargs);
      return value instanceof Promise ? value.then((checked: unknown) => [checked]) : [value];
    };
    return Object.freeze({ ...shared, kind: 'schema', parameters: [], bind });
  }
  const signature = readParameters(name, method, { bind: isBound, params });
  const bind = compileBinding(functionName, signature, isBound || instance !== null);
  return Object.freeze({ ...shared, kind: 'function', parameters: signature.parameters, bind });
}

/** An arrow given to `app.task` directly has no name, and `export default` gives it one that says nothing. */
function pythonName(taskName: string, handlerName: string): string {
  const own = handlerName.startsWith('bound ') ? handlerName.slice('bound '.length) : handlerName;
  if (own !== '' && own !== 'default' && own !== 'anonymous') return own;
  return taskName.slice(taskName.lastIndexOf('.') + 1) || taskName;
}
