/*
 * What `npm test -- ...` asks for: suites by name, test files by path, flags for jest.
 */

export const SUITES = /** @type {const} */ (['static', 'unit', 'golden', 'integration', 'interop']);

/** @typedef {typeof SUITES[number]} Suite */
/** @typedef {{ suites: Suite[], paths: string[], flags: string[], install: boolean, help: boolean }} TestRequest */

/** Jest's flags that take the next word as their value. */
const WITH_VALUE = new Set(['-t', '--testNamePattern', '--seed', '--testTimeout']);

/**
 * Without a suite or a path, all suites. A path below test/ runs in the suite of its folder, any other word is a
 * pattern for jest in all its suites.
 * @param {readonly string[]} words
 * @returns {TestRequest}
 */
export function readArguments(words) {
  /** @type {Set<Suite>} */
  const suites = new Set();
  /** @type {TestRequest} */
  const request = { suites: [], paths: [], flags: [], install: false, help: false };
  for (let at = 0; at < words.length; at += 1) {
    const word = /** @type {string} */ (words[at]);
    const suite = SUITES.find((name) => name === word);
    const folder = /(?:^|\/)test\/([a-z]+)(?:\/|$)/.exec(word)?.[1];
    if (word === '--help' || word === '-h') request.help = true;
    else if (word === '--install-redis') request.install = true;
    else if (suite) suites.add(suite);
    else if (WITH_VALUE.has(word)) request.flags.push(word, words[(at += 1)] ?? '');
    else if (word.startsWith('-')) request.flags.push(word);
    else {
      request.paths.push(word);
      const ofFolder = SUITES.find((name) => name === folder);
      if (ofFolder) suites.add(ofFolder);
    }
  }
  // Lint has no test files or names to choose from.
  const isNarrowed =
    request.paths.length > 0 || request.flags.some((flag) => flag === '-t' || flag === '--testNamePattern');
  request.suites = SUITES.filter((name) => (suites.size > 0 ? suites.has(name) : !(isNarrowed && name === 'static')));
  return request;
}
