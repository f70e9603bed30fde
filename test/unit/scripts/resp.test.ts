import { describe, expect, test } from '@jest/globals';
import { script } from '../../support/scripts.ts';

const { readReply } = await script('bootstrap/resp');
const { readServerInfo } = await script('bootstrap/redis-facts');

const read = (text: string): unknown => readReply(Buffer.from(text))?.reply;

describe('reading a reply', () => {
  test.each([
    ['+PONG\r\n', 'PONG'],
    [':42\r\n', 42],
    ['$5\r\nh\r\nlo\r\n', 'h\r\nlo'],
    ['$-1\r\n', null],
    ['*-1\r\n', null],
    ['*2\r\n$1\r\na\r\n*1\r\n:1\r\n', ['a', [1]]],
  ])('%j', (text, expected) => {
    expect(read(text)).toEqual(expected);
  });

  test('an error is a value', () => {
    expect(read('-NOAUTH no\r\n')).toEqual(new Error('NOAUTH no'));
  });

  test.each(['+PON', '$5\r\nhel', '$5\r\nhello', '*2\r\n:1\r\n'])('%j is not complete yet', (text) => {
    expect(read(text)).toBeUndefined();
  });

  test('the next reply starts behind it', () => {
    expect(readReply(Buffer.from('+a\r\n+b\r\n'), 4)).toEqual({ reply: 'b', next: 8 });
  });

  test('what is not Redis is called so', () => {
    expect(() => read('HTTP/1.1 400 Bad Request\r\n')).toThrow('no Redis answers there');
  });
});

describe('what INFO tells', () => {
  test.each([
    ['redis_version:6.2.0\r\n', 'Redis', '6.2.0', true],
    ['redis_version:6.0.16\r\n', 'Redis', '6.0.16', false],
    ['redis_version:10.0.1\r\n', 'Redis', '10.0.1', true],
    ['# Server\r\nredis_version:7.2.4\r\nvalkey_version:9.1.2\r\n', 'Valkey', '9.1.2', true],
  ])('%j', (info, name, version, isNewEnough) => {
    expect(readServerInfo(info)).toEqual({ name, version, isNewEnough });
  });

  test('a server that does not say its version is refused', () => {
    expect(() => readServerInfo('# Server\r\n')).toThrow('names no redis_version');
  });
});
