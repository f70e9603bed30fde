/** Time as a port, so that what waits can be tested without waiting. */
export interface Clock {
  /** Milliseconds that only grow, from any start. */
  now(): number;
  /** Calls `run` once after so many milliseconds, however many; the returned function calls it off. */
  after(ms: number, run: () => void): () => void;
}

/** What setTimeout can count; more would fire at once. */
const LONGEST_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => performance.now(),
  after: (ms, run) => {
    let timer: NodeJS.Timeout;
    const wait = (left: number): void => {
      timer = left > LONGEST_MS ? setTimeout(() => wait(left - LONGEST_MS), LONGEST_MS) : setTimeout(run, left);
    };
    wait(ms);
    return () => clearTimeout(timer);
  },
};
