import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';
import { ConfigurationError, RetryingPooledDatabase } from '../../src/index';
import { isLoopback } from '../../src/monitor/loopback';
import { monitor } from '../../src/monitor/index';
import type { MonitoredDatabase } from '../../src/monitor/index';
import { deferred } from '../support/deferred';
import { MonitorBench, ask, bearer, begun } from '../support/monitor-bench';
import { failure } from '../support/until';

/** Nobody listens there, and nothing is sent before a statement. */
const db = new RetryingPooledDatabase('mysql://root@127.0.0.1:1/nowhere?acquireTimeout=200');

afterAll(() => db.end());

const GUARDED = ['/', '/metrics', '/api/state', '/api/events', '/nothing'];

/** A monitor of the database in which some answers are a test's own. */
async function watchedBy(bench: MonitorBench, answers: Partial<MonitoredDatabase>) {
  const source: MonitoredDatabase = {
    stats: () => db.stats(),
    limits: () => db.limits(),
    health: () => db.health(),
    holders: () => db.holders(),
    instruments: () => db.instruments(),
    observe: (observer, options) => db.observe(observer, options),
    ...answers,
  };
  return bench.open(source);
}

describe('the monitor', () => {
  const bench = new MonitorBench();

  it('listens on the loopback, on a port that was free', async () => {
    const { url } = await bench.open(db);
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
  });

  it.each(['0.0.0.0', '::', '192.168.1.1', 'example.com'])(
    'does not listen on %s without a token, and with nothing on its port',
    async (host) => {
      const error = await failure(monitor(db, { host }));
      expect(error).toBeInstanceOf(ConfigurationError);
      expect(error).toMatchObject({ option: 'host' });
    },
  );

  it('listens elsewhere with one', async () => {
    const { url } = await bench.open(db, { host: '0.0.0.0', token: 'open-sesame' });
    expect((await ask(`${url}/metrics`)).status).toBe(401);
  });

  it.each([
    [{ port: -1 }, 'port'],
    [{ port: 65_536 }, 'port'],
    [{ token: '' }, 'token'],
    [{ token: 7 }, 'token'],
    [{ token: 'open sesame' }, 'token'],
    [{ token: 'of a file\n' }, 'token'],
    [{ token: 'sésame' }, 'token'],
    [{ interval: 0 }, 'interval'],
    [{ stacksPerSecond: -1 }, 'stacksPerSecond'],
    [{ databaseLabel: 'yes' }, 'databaseLabel'],
    [{ prot: 1 }, 'prot'],
  ])('%j is refused by the name of the option', async (options, option) => {
    const error = await failure(monitor(db, options as never));
    expect(error).toBeInstanceOf(ConfigurationError);
    expect(error).toMatchObject({ option });
  });

  it.each([undefined, null, 7, 'mysql://root:secret@127.0.0.1/x', {}])(
    'what is no database is refused without telling what it was: %s',
    async (source) => {
      const error = await failure(monitor(source as never));
      expect(error).toBeInstanceOf(ConfigurationError);
      expect(error.message).not.toContain('secret');
    },
  );

  it('a port that is taken is Node’s own error', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    expect(await failure(monitor(db, { port }))).toMatchObject({ code: 'EADDRINUSE' });
    other.close();
  });

  it.each(['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'])(
    '%s is answered with 405',
    async (method) => {
      const { url } = await bench.open(db);
      for (const path of ['/health', ...GUARDED]) {
        const { status, headers } = await ask(url + path, { method });
        expect([status, headers.allow]).toEqual([405, 'GET, HEAD']);
      }
    },
  );

  describe('with a token', () => {
    const token = 'tok-1234567890';

    it.each([
      ['no token', {}],
      ['another token', bearer('tok-1234567891')],
      ['a shorter one', bearer('tok')],
      ['the right one as a password', { headers: { authorization: `Basic ${token}` } }],
      ['an empty one', { headers: { authorization: 'Bearer ' } }],
    ])('%s: nothing but /health', async (_, asking) => {
      const { url } = await bench.open(db, { token });
      for (const path of GUARDED) {
        const { status, headers } = await ask(url + path, asking);
        expect([path, status]).toEqual([path, 401]);
        expect(headers['www-authenticate']).toContain('Bearer');
      }
      expect((await ask(`${url}/health/live`, asking)).status).toBe(200);
    });

    it('the right one: all', async () => {
      const { url } = await bench.open(db, { token });
      const statuses = await Promise.all(
        ['/', '/metrics', '/api/state', '/nothing'].map(async (path) => {
          return (await ask(url + path, bearer(token))).status;
        }),
      );
      expect(statuses).toEqual([200, 200, 200, 404]);
    });

    it('in the URL is none: it would stand in logs', async () => {
      const { url } = await bench.open(db, { token });
      expect((await ask(`${url}/metrics?token=${token}`)).status).toBe(401);
    });

    it('the page without it is the same page, with nothing in it of what is watched', async () => {
      const { url } = await bench.open(db, { token });
      const [without, withIt] = await Promise.all([ask(url), ask(url, bearer(token))]);
      expect(without.body).toBe(withIt.body);
      expect(without.body).not.toContain('nowhere');
    });
  });

  describe('without a token', () => {
    it('a page of somebody else’s whose name was made to point here reads nothing', async () => {
      const { url } = await bench.open(db);
      for (const path of GUARDED) {
        const { status } = await ask(url + path, { headers: { host: 'evil.example:9464' } });
        expect([path, status]).toEqual([path, 403]);
      }
    });

    it.each(['localhost', 'localhost:80', '127.0.0.1', '127.1.2.3:9', '[::1]', '[::1]:9464'])(
      'under the name %s it may be read',
      async (host) => {
        const { url } = await bench.open(db);
        expect((await ask(`${url}/metrics`, { headers: { host } })).status).toBe(200);
      },
    );
  });

  it('tells the browser to load nothing from anywhere, and to show it in no frame', async () => {
    const { url } = await bench.open(db);
    const { headers, body } = await ask(url);
    const policy = String(headers['content-security-policy']);
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toMatch(/unsafe|https?:|\*/);
    expect(headers).toMatchObject({
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'cache-control': 'no-store',
    });
    expect(body).not.toMatch(/(?:src|href|action)\s*=\s*["'](?:https?:)?\/\//);
  });

  it('answers HEAD without a body', async () => {
    const { url } = await bench.open(db);
    for (const path of ['/', '/metrics', '/api/state', '/api/events', '/health/live']) {
      expect(await ask(url + path, { method: 'HEAD' })).toMatchObject({ status: 200, body: '' });
    }
  });

  it('close() ends streams and kept connections, twice as well as once', async () => {
    const opened = await bench.open(db);
    const stream = await begun(`${opened.url}/api/events`);
    // That it ended without its last bytes is no error here: `once` of node:events would reject.
    stream.on('error', () => {});
    const ended = new Promise((resolve) => stream.once('close', resolve));
    stream.resume();
    const first = opened.close();
    await Promise.all([first, opened.close(), ended]);
    expect(await failure(begun(opened.url))).toMatchObject({ code: 'ECONNREFUSED' });
  });

  it('close() does not wait for a request that never ends', async () => {
    const opened = await bench.open(db);
    const socket = connect(Number(new URL(opened.url).port), '127.0.0.1');
    socket.on('error', () => {});
    await once(socket, 'connect');
    await new Promise((resolve) => socket.write('GET /metrics HT', resolve));
    // Answered after what was begun before it: the server has it by then.
    await ask(`${opened.url}/health/live`);
    await opened.close();
    socket.destroy();
  });

  it('close() does not wait for a reader that reads nothing', async () => {
    const opened = await bench.open(db, { interval: 1 });
    const stream = await begun(`${opened.url}/api/events`);
    stream.on('error', () => {});
    stream.pause();
    await opened.close();
    stream.destroy();
  });

  it('close() ends the watching for good, also while an answer is under way', async () => {
    let watching = 0;
    const [asked, answer] = [deferred(), deferred()];
    const opened = await watchedBy(bench, {
      // Of a pool on which others wait nobody is asked.
      stats: () => ({ ...db.stats(), waiting: 0 }),
      observe: () => {
        watching++;
        return () => {
          watching--;
        };
      },
      health: async () => {
        asked.resolve();
        await answer.promise;
        throw new Error('not today');
      },
    });
    const state = failure(ask(`${opened.url}/api/state`));
    await asked.promise;
    expect(watching).toBe(1);
    await opened.close();
    await state;
    answer.resolve();
    await new Promise(setImmediate);
    expect(watching).toBe(0);
  });

  it('/health: live and not ready, with the reason and no name, while the server is away', async () => {
    const { url } = await bench.open(db);
    const { status, body } = await ask(`${url}/health`);
    expect(status).toBe(503);
    const report = JSON.parse(body) as { reasons: string[] };
    expect(report).toMatchObject({ live: true, ready: false, degraded: false });
    expect(report.reasons.join()).toContain('ECONNREFUSED');
    expect(body).not.toMatch(/nowhere|root/);
  });
});

describe('isLoopback', () => {
  it.each(['localhost', 'LOCALHOST', '127.0.0.1', '127.255.0.9', '::1', '::ffff:127.0.0.1'])(
    '%s: yes',
    (host) => expect(isLoopback(host)).toBe(true),
  );

  it.each([
    '0.0.0.0',
    '::',
    '10.0.0.1',
    '128.0.0.1',
    'localhost.evil.example',
    '127.0.0.1.nip.io',
    '',
  ])('%s: no', (host) => expect(isLoopback(host)).toBe(false));
});
