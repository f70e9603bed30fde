/*
 * What a script has to undo when it ends, however it ends: undone backwards, once, past an error, on the normal way
 * out and on the first Ctrl-C alike. A second signal does not wait for it.
 */
import { log } from './log.mjs';

export function openLifetime() {
  /** @type {Array<() => unknown>} */
  const undo = [];
  /** @type {Promise<void> | undefined} */
  let closing;
  let isStopping = false;
  const close = () =>
    (closing ??= (async () => {
      for (const action of undo.reverse()) {
        try {
          await action();
        } catch (error) {
          log.step('stop', `could not clean up: ${error instanceof Error ? error.message : String(error)}`);
        }
      }
    })());

  let firstAt = 0;
  for (const [signal, number] of /** @type {const} */ ([
    ['SIGINT', 2],
    ['SIGTERM', 15],
    ['SIGHUP', 1],
  ])) {
    process.on(signal, () => {
      // A Ctrl-C reaches us from the terminal and may reach us again through npm: that is one signal.
      if (isStopping && performance.now() - firstAt < 1_000) return;
      if (isStopping) process.exit(128 + number);
      isStopping = true;
      firstAt = performance.now();
      log.step('stop', `${signal}: stopping what was started`);
      void close().then(() => process.exit(128 + number));
    });
  }

  return {
    /** @param {() => unknown} action runs when the script ends; actions may return a promise */
    defer: (action) => void undo.push(action),
    close,
    /** Whether a signal has come: what fails from now on fails because we are stopping it. */
    isStopping: () => isStopping,
  };
}
