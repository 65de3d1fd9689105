import { existsSync } from 'node:fs';
import { provideServer, type ServerHandle, ServerStartError } from '../../scripts/server';
import { findPathDaemon } from '../../scripts/server/path-daemon';
import { PrivateServer } from '../../scripts/server/private-server';
import { ask, describePrivate, isAlive, START_MS } from './support';

jest.setTimeout(START_MS);

describePrivate()('a private server', () => {
  let server: ServerHandle;

  beforeAll(async () => {
    server = await provideServer({
      env: { ...process.env, DATABASE_URL: '' },
      settings: ['--max-connections=42'],
    });
  });

  afterAll(() => server.stop());

  it('listens on 127.0.0.1, below the ports a kernel hands out', () => {
    expect(server.host).toBe('127.0.0.1');
    expect(server.port).toBeLessThan(32_768);
  });

  it('has the settings of docker/server.cnf, and those asked for', async () => {
    const [row] = await ask(
      server.url,
      'SELECT @@max_connections AS connections, @@innodb_lock_wait_timeout AS wait, ' +
        '@@innodb_flush_log_at_trx_commit AS flush, @@character_set_server AS charset, @@bind_address AS bound',
    );
    expect(row).toEqual({
      connections: 42,
      wait: 2,
      flush: 1,
      charset: 'utf8mb4',
      bound: '127.0.0.1',
    });
  });

  it('lets its account set global variables and see and kill the connections of others', async () => {
    await ask(server.url, 'SET GLOBAL wait_timeout = 1000');
    const grants = await ask(server.url, 'SHOW GRANTS');
    expect(JSON.stringify(grants)).toMatch(/ALL PRIVILEGES ON \*\.\*|SUPER/);
  });

  it('lets nobody in without the password', async () => {
    const url = new URL(server.url);
    url.password = '';
    await expect(ask(url.href, 'SELECT 1')).rejects.toThrow(/denied/i);
    url.username = 'root';
    await expect(ask(url.href, 'SELECT 1')).rejects.toThrow(/denied|not allowed/i);
    const accounts = await ask(
      server.url,
      "SELECT User, Host FROM mysql.user WHERE Host <> 'localhost'",
    );
    expect(accounts).toEqual([{ User: server.user, Host: '%' }]);
  });

  it('says where it came from, without its password', () => {
    expect(server.origin).toContain(server.flavour);
    expect(server.origin).not.toContain(server.password);
  });

  it('keeps committed data and port over kill() and start()', async () => {
    const { url, pid } = server;
    await ask(url, 'CREATE TABLE kept (n INT)');
    await ask(url, 'INSERT INTO kept VALUES (7)');
    await server.kill();
    expect(server.pid).toBeUndefined();
    expect(isAlive(pid ?? 0)).toBe(false);
    await expect(ask(url, 'SELECT 1')).rejects.toThrow(/ECONNREFUSED/);
    await server.start();
    expect(server.url).toBe(url);
    expect(await ask(url, 'SELECT n FROM kept')).toEqual([{ n: 7 }]);
  });

  it('keeps data, port and settings over restart()', async () => {
    const before = server.pid;
    await server.restart();
    expect(server.pid).not.toBe(before);
    expect(await ask(server.url, 'SELECT n, @@max_connections AS c FROM kept')).toEqual([
      { n: 7, c: 42 },
    ]);
  });

  it('refuses a second start() while it runs', async () => {
    await expect(server.start()).rejects.toThrow('the daemon is running already');
  });

  it('leaves nothing after stop(), which may be called twice', async () => {
    if (!(server instanceof PrivateServer)) throw new Error('not a private server');
    const { pid, folder } = server;
    expect(server.stop()).toBe(server.stop());
    await server.stop();
    expect(isAlive(pid ?? 0)).toBe(false);
    expect(existsSync(folder)).toBe(false);
    await expect(server.start()).rejects.toThrow('stopped for good');
  });

  it('fails as such when it does not start, with the end of its log', async () => {
    const asked = provideServer({
      kind: (await findPathDaemon(process.env)) === undefined ? 'packages' : 'path',
      settings: ['--no-such-setting'],
    });
    await expect(asked).rejects.toThrow(ServerStartError);
    await expect(asked).rejects.toThrow(/ended while starting[\s\S]*no-such-setting/);
  });
});
