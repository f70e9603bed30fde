/**
 * The built file of a module that a thread or a child process starts from: threads and children run JavaScript, also
 * when the caller itself was loaded from TypeScript source (tests), in which case the build in dist/ is used.
 */
export function siblingModule(name: string, callerUrl: string): URL {
  const url = new URL(`${name}.js`, callerUrl);
  if (callerUrl.endsWith('.ts')) url.pathname = url.pathname.replace(/\/src\/(?!.*\/src\/)/, '/dist/');
  return url;
}
