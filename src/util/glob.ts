/** A shell pattern (`*`, `?`, `[seq]`, `[!seq]`) as a regular expression for the whole text, as Python's fnmatch reads it. */
export function globToRegExp(pattern: string): RegExp {
  let source = '';
  for (let i = 0; i < pattern.length; i += 1) {
    const c = pattern.charAt(i);
    if (c === '*') source += '[^]*';
    else if (c === '?') source += '[^]';
    else if (c === '[') {
      const close = pattern.indexOf(']', i + (pattern.charAt(i + 1) === '!' ? 3 : 2));
      if (close === -1) source += '\\[';
      else {
        const body = pattern.slice(i + 1, close).replaceAll('\\', '\\\\');
        source += body.startsWith('!') ? `[^${body.slice(1)}]` : `[${body.startsWith('^') ? `\\${body}` : body}]`;
        i = close;
      }
    } else source += c.replace(/[\\^$.*+?()[\]{}|]/, '\\$&');
  }
  return new RegExp(`^${source}$`);
}
