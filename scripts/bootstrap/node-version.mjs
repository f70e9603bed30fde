/*
 * Refuses a Node that is too old before anything else is loaded: import this first. The floor is package.json's.
 */
const FLOOR = /** @type {const} */ ([20, 19]);
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);

if (major < FLOOR[0] || (major === FLOOR[0] && minor < FLOOR[1])) {
  process.stderr.write(`celeriac needs Node ${FLOOR.join('.')} or newer; this is ${process.versions.node}.\n`);
  process.exit(1);
}
