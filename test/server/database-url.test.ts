import { provideServer, type ServerHandle, ServerUnavailableError } from '../../scripts/server';
import { ask, describePrivate, START_MS } from './support';

jest.setTimeout(START_MS);

describePrivate()('DATABASE_URL', () => {
  let host: ServerHandle;

  beforeAll(async () => {
    host = await provideServer({ env: { ...process.env, DATABASE_URL: '' } });
  });

  afterAll(() => host.stop());

  const databases = async (): Promise<string[]> =>
    (await ask(host.url, 'SHOW DATABASES')).map((row) => String(row['Database']));

  it('wins over every other way, and gets a database of its own that stop() drops', async () => {
    const before = await databases();
    const server = await provideServer({ env: { ...process.env, DATABASE_URL: host.url } });
    expect(server.kind).toBe('database-url');
    expect(server.flavour).toBe(host.flavour);
    expect(server.version).toBe(host.version);
    expect(server.database).not.toBe(host.database);
    expect(await ask(server.url, 'SELECT DATABASE() AS name')).toEqual([{ name: server.database }]);
    expect(await databases()).toHaveLength(before.length + 1);
    await server.stop();
    expect(await databases()).toEqual(before);
  });

  it('gives two runs at once two databases', async () => {
    const env = { ...process.env, DATABASE_URL: host.url };
    const servers = await Promise.all([provideServer({ env }), provideServer({ env })]);
    expect(servers[0].database).not.toBe(servers[1].database);
    await Promise.all(servers.map((server) => server.stop()));
  });

  it('is never restarted', async () => {
    const server = await provideServer({ env: { ...process.env, DATABASE_URL: host.url } });
    expect(server.restartable).toBe(false);
    for (const verb of ['shutdown', 'kill', 'start', 'restart'] as const)
      await expect(server[verb]()).rejects.toThrow('belongs to its user');
    expect(await ask(server.url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    await server.stop();
  });

  it('fails with a reason that holds no password, and nothing else is used in its place', async () => {
    const url = new URL(host.url);
    url.password = 'wrong-secret';
    const asked = provideServer({ env: { ...process.env, DATABASE_URL: url.href } });
    await expect(asked).rejects.toThrow(ServerUnavailableError);
    await expect(asked).rejects.toThrow(/denied/);
    await expect(asked).rejects.not.toThrow(/wrong-secret/);
  });

  it.each(['nonsense:secret', 'postgres://user:secret@host/'])('refuses %s', async (text) => {
    const asked = provideServer({ env: { ...process.env, DATABASE_URL: text } });
    await expect(asked).rejects.toThrow('DATABASE_URL is not of the form');
    await expect(asked).rejects.not.toThrow(/secret/);
  });
});
