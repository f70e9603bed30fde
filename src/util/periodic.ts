import { sleep } from './sleep.ts';

/**
 * Runs `task` every `seconds` (a little jittered, so that a cluster does not act in step) until the signal fires; armed
 * again only after the task is done. Settles when the last run has ended. Errors go to `onError`, never further.
 */
export async function periodic(
  seconds: number,
  signal: AbortSignal,
  task: () => Promise<unknown>,
  onError: (error: unknown) => void,
): Promise<void> {
  for (;;) {
    await sleep(seconds * 1000 * (0.9 + Math.random() * 0.2), signal);
    if (signal.aborted) return;
    try {
      await task();
    } catch (error) {
      onError(error);
    }
  }
}
