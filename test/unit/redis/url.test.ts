import { describe, expect, test } from '@jest/globals';
import { ConfigError } from '../../../src/errors.ts';
import { parseRedisTarget, type RedisServer } from '../../../src/redis/url.ts';

const first = (url: string): RedisServer => parseRedisTarget(url).servers[0];
const refusal = (...args: Parameters<typeof parseRedisTarget>): string => {
  try {
    parseRedisTarget(...args);
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  throw new Error('was accepted');
};

describe('plain URLs', () => {
  test.each([
    ['redis://', 'localhost', 6379, null, null, 0],
    ['redis://h', 'h', 6379, null, null, 0],
    ['redis://h:1/2', 'h', 1, null, null, 2],
    ['redis://h:6379//', 'h', 6379, null, null, 0],
    ['redis:///4', 'localhost', 6379, null, null, 4],
    ['redis://:pw@h', 'h', 6379, null, 'pw', 0],
    ['redis://u:pw@h/1', 'h', 6379, 'u', 'pw', 1],
    ['redis://u%40:p%2Fw%3A@h/1', 'h', 6379, 'u@', 'p/w:', 1],
    ['redis://:a@b:c@h/1', 'h', 6379, null, 'a@b:c', 1],
    ['redis://:50%@h', 'h', 6379, null, '50%', 0],
    ['redis://u:p@[::1]:7/1', '::1', 7, 'u', 'p', 1],
    ['REDIS://H/1', 'H', 6379, null, null, 1],
    ['redis://h/0?db=5', 'h', 6379, null, null, 5],
  ])('%s', (url, host, port, username, password, db) => {
    const target = parseRedisTarget(url);
    expect(target.servers[0]).toMatchObject({
      address: { host, port },
      username,
      password,
      tls: null,
      socketPath: null,
      sentinel: null,
    });
    expect(target.db).toBe(db);
  });

  test('what settings give stands in where the URL says nothing', () => {
    const defaults = { username: 'u', password: 'p', db: 3 };
    expect(parseRedisTarget('redis://h', { defaults })).toMatchObject({
      db: 3,
      servers: [{ username: 'u', password: 'p' }],
    });
    expect(parseRedisTarget('redis://a:b@h/0', { defaults })).toMatchObject({
      db: 0,
      servers: [{ username: 'a', password: 'b' }],
    });
  });

  test('connection options in the query are read, those without meaning are ignored', () => {
    const url =
      'redis://h?socket_timeout=5&health_check_interval=1.5&client_name=me&socket_connect_timeout=2&max_connections=3';
    expect(parseRedisTarget(url).query).toEqual({
      socketTimeoutSeconds: 5,
      healthCheckIntervalSeconds: 1.5,
      clientName: 'me',
      socketConnectTimeoutSeconds: 2,
    });
  });
});

describe('TLS', () => {
  test('rediss:// checks the certificate unless told otherwise', () => {
    expect(first('rediss://h').tls).toMatchObject({ verify: true, checkHostname: true, caFile: null });
    expect(first('rediss://h?ssl_cert_reqs=CERT_OPTIONAL').tls).toMatchObject({ verify: true });
    const insecure = parseRedisTarget('rediss://h?ssl_cert_reqs=none');
    expect(insecure.servers[0].tls).toMatchObject({ verify: false, checkHostname: false });
    expect(insecure.warnings).toEqual([expect.stringContaining('identity is not checked')]);
  });

  test('files are taken from query and dict, the query first', () => {
    const useSsl = { ssl_ca_certs: '/dict', ssl_keyfile: '/key', ssl_certfile: '/cert', ssl_check_hostname: false };
    const { tls } = parseRedisTarget('rediss://h?ssl_ca_certs=%2Fquery%2Fca', { useSsl }).servers[0];
    expect(tls).toMatchObject({ caFile: '/query/ca', keyFile: '/key', certFile: '/cert', checkHostname: false });
  });

  test('broker_use_ssl turns TLS on for redis:// too; the result backend asks for rediss://, both as Celery', () => {
    expect(parseRedisTarget('redis://h', { useSsl: true }).servers[0].tls).toMatchObject({ verify: true });
    expect(refusal('redis://h', { setting: 'result_backend', useSsl: { ssl_cert_reqs: 2 } })).toContain(
      'must be rediss://',
    );
    expect(refusal('redis://h?ssl_ca_certs=x')).toContain('need a rediss:// URL');
  });

  test('an unknown option or value is named', () => {
    expect(refusal('rediss://h', { useSsl: { ssl_ca_cert: 'x' } })).toContain('did you mean "ssl_ca_certs"?');
    expect(refusal('rediss://h?ssl_cert_reqs=maybe')).toContain('CERT_REQUIRED, CERT_OPTIONAL or CERT_NONE');
    expect(refusal('rediss://h?ssl_min_version=SSLv3')).toContain('TLSv1.2 or TLSv1.3');
    expect(refusal('rediss://h', { useSsl: { ssl_ca_certs: 7 } })).toContain('ssl_ca_certs must be a string');
  });
});

describe('sockets', () => {
  test.each(['redis+socket:///run/redis.sock?virtual_host=2', 'socket:///run/redis.sock?virtual_host=2'])(
    '%s',
    (url) => {
      const target = parseRedisTarget(url);
      expect(target.servers[0].socketPath).toBe('/run/redis.sock');
      expect(target.db).toBe(2);
    },
  );

  test('user and password stand before the path', () => {
    expect(first('redis+socket://u:p@/run/r.sock')).toMatchObject({
      username: 'u',
      password: 'p',
      socketPath: '/run/r.sock',
    });
  });

  test('a socket URL without a path is refused', () => expect(refusal('redis+socket://')).toContain('needs a path'));
});

describe('Sentinel', () => {
  const options = {
    transportOptions: { master_name: 'm', min_other_sentinels: 1, sentinel_kwargs: { password: 's', ssl: true } },
  };

  test('all Sentinels make one server; user, password and database come from the first URL, as in Celery', () => {
    const target = parseRedisTarget('sentinel://:pw@a/3;sentinel://b:1/5', options);
    expect(target.servers).toHaveLength(1);
    expect(target.db).toBe(3);
    expect(target.servers[0]).toMatchObject({
      password: 'pw',
      sentinel: {
        masterName: 'm',
        minOtherSentinels: 1,
        password: 's',
        tls: { verify: true },
        sentinels: [
          { host: 'a', port: 26379 },
          { host: 'b', port: 1 },
        ],
      },
    });
    expect(target.warnings).toEqual([expect.stringContaining('using 3, not 5')]);
  });

  test('the master must be named, and the options be what they claim', () => {
    expect(refusal('sentinel://a')).toContain('broker_transport_options must name the master');
    expect(refusal('sentinel://a', { setting: 'result_backend' })).toContain(
      'result_backend_transport_options must name',
    );
    expect(refusal('sentinel://a', { transportOptions: { master_name: 'm', sentinel_kwargs: [] } })).toContain(
      'must be a dict',
    );
    expect(refusal('sentinel://a;redis://b', options)).toContain('cannot be mixed');
  });
});

describe('failover', () => {
  test('URLs joined by ; and lists of them are servers in their order', () => {
    for (const urls of ['redis://a/1; redis://b/1', ['redis://a/1', 'redis://b']]) {
      const target = parseRedisTarget(urls);
      expect(target.servers.map((server) => server.address.host)).toEqual(['a', 'b']);
      expect(target.db).toBe(1);
    }
  });

  test('different databases are refused', () =>
    expect(refusal('redis://a/1;redis://b/2')).toContain('different databases (1 and 2)'));
});

describe('what is no Redis', () => {
  test.each([
    'amqp://guest:secret@h//',
    'pyamqp://h',
    'rpc://',
    'sqs://',
    'redis+cluster://h',
    'db+sqlite:///x',
    'memory://',
  ])('%s is not supported, and the error says what to do', (url) => {
    const message = refusal(url);
    expect(message).toMatch(/^broker_url: \S+:\/\/ is not supported, celeriac talks to Redis only; give redis:\/\//);
    expect(message).not.toContain('secret');
  });

  test.each([
    '',
    ' ; ',
    'localhost:6379',
    'redis:/h',
    'redis://h:port',
    'redis://h:70000',
    'redis://h/x',
    'redis://h/-1',
    'redis://h?socket_timeout=soon',
    'redis://h?socket_timeut=1',
  ])('"%s" is refused', (url) => expect(refusal(url)).toMatch(/^broker_url/));

  test('a value that is no string is refused', () => {
    expect(refusal([7] as unknown as string[])).toContain('must be a URL, not number');
  });
});

describe('passwords', () => {
  test.each([
    ['redis://:hunter2@h/1', 'redis://:**@h:6379/1'],
    ['redis://me:hunter2@h/1', 'redis://me:**@h:6379/1'],
    ['rediss://me:hunter2@[::1]:7', 'rediss://me:**@[::1]:7/0'],
    ['redis+socket://:hunter2@/r.sock?virtual_host=2', 'redis+socket://:**@/r.sock?virtual_host=2'],
    ['redis://:hunter2@a/0;redis://:hunter2@b/0', 'redis://:**@a:6379/0;redis://:**@b:6379/0'],
  ])('%s is shown as %s', (url, shown) => expect(parseRedisTarget(url).displayUrl).toBe(shown));

  test.each([
    'redis://:hunter2/x@h',
    'redis://:hun#ter2@h:x',
    'amqp://u:hunter2@h',
    'redis://u:hunter2@h/db',
    'hunter://u:hunter2@h',
    '://:hunter2@h',
  ])('no error shows the one in %s', (url) =>
    expect(refusal(url).replaceAll('hunter://', '')).not.toMatch(/hunter2|ter2/),
  );
});
