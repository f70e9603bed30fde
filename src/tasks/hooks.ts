/**
 * The hooks of a task type, in Celery's order (celery/app/trace.py, 5.6.3):
 *
 *   beforeStart                in the run, before the arguments are bound; throwing, it ends the run as the handler would
 *   onSuccess, afterReturn     once SUCCESS is stored
 *   onFailure, afterReturn     once FAILURE is stored; also when the result could not be serialised
 *   onRetry                    once RETRY is stored and the next message is sent; no afterReturn
 *
 * The signals of a run's end stand between them, each behind the first hook of its line (run-signals.ts). Ignore, Reject, revoke, the hard time limit and a lost process call none. A hook that throws after the run: the rest of
 * the hooks is left out, the task fails with that error (a stored SUCCESS stays), and onFailure is told of it.
 * Differs from Celery: an onFailure that throws then too is logged; there it ends a worker of pool solo.
 */
import { ConfigError } from '../errors.ts';
import { type ErrorIdentity } from '../protocol/error-identity.ts';
import { runAsCurrent, type TaskContext } from './context.ts';
import { describeError, isOneOf, tracebackOf, type ErrorKind } from './failure.ts';
import { type TaskHooks } from './options.ts';
import { isRetry } from './predicates.ts';
import {
  announceFailure,
  announceInternalError,
  announcePostrun,
  announceRetry,
  announceSuccess,
  isEndListened,
} from './run-signals.ts';

export const hookNames = ['beforeStart', 'onSuccess', 'onFailure', 'onRetry', 'afterReturn', 'onReplace'] as const;

/** What was stored for a run, as its hooks are told. */
export type Ending =
  | { readonly kind: 'success'; readonly value: unknown }
  /** `error` where it is not what the handler threw: a result that is no data. */
  | { readonly kind: 'failure'; readonly error?: unknown }
  | { readonly kind: 'retry' }
  /** A hook threw, and that failure has been stored. */
  | { readonly kind: 'hook-failure' }
  /** The request is settled; `state` where none of the others came before. */
  | { readonly kind: 'over'; readonly state: string };

/** A hook threw. Plain data. */
export interface HookFailure {
  readonly hook: keyof TaskHooks;
  readonly exception: ErrorIdentity;
  readonly traceback: string | null;
  readonly isExpected: boolean;
}

/** The hooks of a type that has none. */
export const noHooks: TaskHooks = Object.freeze({});

/** A task's hooks: those of its options, else the methods of its class. @throws ConfigError for a member that is none. */
export function collectHooks(taskName: string, options: TaskHooks, instance: object | null): TaskHooks {
  const hooks: Record<string, unknown> = {};
  for (const name of hookNames) {
    const hook: unknown = options[name] ?? methodOf(taskName, instance, name);
    if (hook !== undefined) hooks[name] = hook;
  }
  return Object.keys(hooks).length === 0 ? noHooks : Object.freeze(hooks as TaskHooks);
}

function methodOf(taskName: string, instance: object | null, name: string): unknown {
  const method: unknown = instance === null ? undefined : Reflect.get(instance, name);
  if (method === undefined) return undefined;
  if (typeof method === 'function') return method.bind(instance) as unknown;
  throw new ConfigError(`task "${taskName}": the member ${name} of its class must be a method, not ${typeof method}`);
}

/** Whether something is to be called after the result is stored. */
export function hasEndHooks({ onSuccess, onFailure, onRetry, afterReturn }: TaskHooks): boolean {
  return (onSuccess ?? onFailure ?? onRetry ?? afterReturn) !== undefined;
}

/** Whether somebody waits for the end of such a run: hooks of the type, or receivers of signals. */
export function hasEnd({ hasEndHooks }: { readonly hasEndHooks: boolean }): boolean {
  return hasEndHooks || isEndListened();
}

/** What was stored for a run, for those who are told of it when all is over. */
const endedAs = new WeakMap<TaskContext, { readonly state: string; readonly retval: unknown }>();

/** What a run, and then its hooks, threw: the errors themselves, which do not leave the process they were thrown in. */
const thrownIn = new WeakMap<TaskContext, unknown>();

export function keepThrown(context: TaskContext, thrown: unknown): void {
  thrownIn.set(context, thrown);
}

export function lastThrown(context: TaskContext): unknown {
  return thrownIn.get(context);
}

/** What of a task type the hooks need. */
export interface HookedTask {
  readonly hooks: TaskHooks;
  readonly options: { readonly throws: readonly ErrorKind[] };
}

/** Calls what is to be called once a run's ending is stored, as the current task. Never rejects. */
export async function runEndHooks(
  definition: HookedTask,
  context: TaskContext,
  ending: Ending,
): Promise<HookFailure | null> {
  const { hooks } = definition;
  for (const [hook, call] of callsAfter(hooks, context, ending)) {
    try {
      await runAsCurrent(context, call);
    } catch (error) {
      keepThrown(context, error);
      return {
        hook,
        exception: describeError(error),
        traceback: tracebackOf(error),
        isExpected: isOneOf(error, definition.options.throws),
      };
    }
  }
  return null;
}

/** A signal's call stands under the hook it follows; it does not throw. */
type Call = readonly [hook: keyof TaskHooks, call: () => unknown];

function callsAfter(hooks: TaskHooks, context: TaskContext, ending: Ending): Call[] {
  const { onSuccess, onFailure, onRetry, afterReturn } = hooks;
  const calls: Call[] = [];
  switch (ending.kind) {
    case 'success': {
      const { value } = ending;
      endedAs.set(context, { state: 'SUCCESS', retval: value });
      if (onSuccess !== undefined) calls.push(['onSuccess', () => onSuccess(context, value)]);
      calls.push(['onSuccess', () => announceSuccess(context, value)]);
      if (afterReturn !== undefined) calls.push(['afterReturn', () => afterReturn(context, 'SUCCESS', value)]);
      return calls;
    }
    case 'failure': {
      const error = 'error' in ending ? ending.error : lastThrown(context);
      endedAs.set(context, { state: 'FAILURE', retval: error });
      if (onFailure !== undefined) calls.push(['onFailure', () => onFailure(context, error)]);
      calls.push(['onFailure', () => announceFailure(context, error)]);
      if (afterReturn !== undefined) calls.push(['afterReturn', () => afterReturn(context, 'FAILURE', error)]);
      return calls;
    }
    case 'retry': {
      const thrown = lastThrown(context);
      const error = isRetry(thrown) ? (thrown.exc ?? thrown) : thrown;
      endedAs.set(context, { state: 'RETRY', retval: thrown });
      if (onRetry !== undefined) calls.push(['onRetry', () => onRetry(context, error)]);
      calls.push(['onRetry', () => announceRetry(context, thrown)]);
      return calls;
    }
    case 'hook-failure': {
      const error = lastThrown(context);
      calls.push(['onFailure', () => announceInternalError(context, error)]);
      if (onFailure !== undefined) calls.push(['onFailure', () => onFailure(context, error)]);
      calls.push(['onFailure', () => announceFailure(context, error)]);
      return calls;
    }
    case 'over': {
      const { state, retval } = endedAs.get(context) ?? {
        state: ending.state,
        retval: context.endedBy ?? lastThrown(context),
      };
      calls.push(['afterReturn', () => announcePostrun(context, state, retval)]);
      return calls;
    }
  }
}
