/** Growing pauses between tries: one function for every place that tries again. */

export interface BackoffPolicy {
  /** Pause before the first retry, milliseconds. */
  readonly startMs: number;
  /** What each further retry adds, milliseconds. */
  readonly stepMs: number;
  readonly maxMs: number;
  /** Share of the pause that is added at random (0 to 1), so that a crowd does not come back in one instant. */
  readonly jitter: number;
}

/** A pause of 0 is spread too: over `jitter` of this. */
const SPREAD_FLOOR_MS = 200;

/** The pause before retry number `attempt` (from 1), in milliseconds. */
export function backoffMs(policy: BackoffPolicy, attempt: number, random: () => number = Math.random): number {
  const pause = Math.min(policy.startMs + policy.stepMs * (attempt - 1), policy.maxMs);
  return Math.round(pause + random() * policy.jitter * Math.max(pause, SPREAD_FLOOR_MS));
}
