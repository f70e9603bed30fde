/** Which list of a queue a priority goes to. Kombu 5.6, transport/redis.py Channel.priority and _get_message_priority. */

export const DEFAULT_PRIORITY_STEPS: readonly number[] = [0, 3, 6, 9];

/**
 * The greatest step at or below `priority`, which is clamped to 0..9; anything that is no number counts as 0.
 * With steps that do not begin at 0, a priority below the first wraps to the last, as Python's lookup does.
 */
export function priorityStep(priority: unknown, steps: readonly number[] = DEFAULT_PRIORITY_STEPS): number {
  const clamped = Math.max(Math.min(toInteger(priority), 9), 0);
  let chosen: number | undefined;
  for (const step of steps) if (step <= clamped) chosen = step;
  return chosen ?? steps[steps.length - 1] ?? 0;
}

function toInteger(priority: unknown): number {
  if (typeof priority === 'number' && Number.isFinite(priority)) return Math.trunc(priority);
  if (typeof priority === 'boolean') return Number(priority);
  if (typeof priority === 'string' && /^\s*[+-]?\d+\s*$/.test(priority)) return Number(priority);
  if (typeof priority === 'bigint') return priority > 9n ? 9 : priority < 0n ? 0 : Number(priority);
  return 0;
}
