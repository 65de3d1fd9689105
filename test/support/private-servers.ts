import { provideServer, type ServerHandle } from '../../scripts/server';
import { Workbench, testServers } from './servers';

/** How long servers may take to start, and to stop, in ms. */
const WITHIN = 120_000;

/**
 * Runs a suite on servers with these settings that no other test uses: one of each kind there is,
 * but for those that are not ours to start. The workbench is there once the tests run.
 */
export function onEachPrivateServer(
  settings: readonly string[],
  suite: (bench: () => Workbench) => void,
): void {
  const kinds = testServers().filter(({ restartable }) => restartable);
  if (kinds.length === 0) {
    process.stderr.write('\nskipped: these tests need a server of our own\n');
    it.skip('needs a server of our own', () => {});
    return;
  }
  const handles: Promise<ServerHandle>[] = [];
  // All at once: each takes a second or more to start.
  beforeAll(async () => {
    for (const { kind } of kinds) handles.push(provideServer({ kind, settings }));
    await Promise.all(handles);
  }, WITHIN);
  afterAll(async () => {
    const ends = await Promise.allSettled(handles.map(async (handle) => (await handle).stop()));
    for (const end of ends) if (end.status === 'rejected') throw end.reason;
  }, WITHIN);
  describe.each(kinds.map((server, place) => [server.name, place, server] as const))(
    'on a %s of our own',
    (_, place, server) => {
      let bench: Workbench | undefined;
      beforeAll(async () => {
        const handle = await handles[place];
        if (handle === undefined) throw new Error('no server was asked for');
        const { host, port, user, password } = handle;
        bench = new Workbench({ ...server, host, port, user, password });
        await bench.setUp();
      });
      afterEach(() => bench?.endDatabases());
      afterAll(() => bench?.tearDown());
      suite(() => {
        if (bench === undefined) throw new Error('the workbench is not set up yet');
        return bench;
      });
    },
  );
}
