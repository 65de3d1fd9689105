import { provideServer } from '../../scripts/server';
import { KeyValueStore, RetryingPooledDatabase, install } from '../../src/index';
import { testServers } from '../support/servers';

const CLIENTS = 8;

const kinds = testServers().filter(({ restartable }) => restartable);

(kinds.length === 0 ? describe.skip : describe)('on a server of our own that is killed', () => {
  it.each(kinds.map(({ name, kind }) => [name, kind]))(
    'nextId of a %s repeats no id',
    async (_, kind) => {
      const server = await provideServer({ kind });
      try {
        const { host, port, user, password, database } = server;
        const db = new RetryingPooledDatabase({ host, port, user, password, database });
        await install(db);
        const store = new KeyValueStore(db);
        const ids: bigint[] = [];
        let over = false;
        const clients = Array.from({ length: CLIENTS }, async () => {
          while (!over) {
            try {
              ids.push(await store.nextId('order'));
            } catch {
              // Its answer was lost: an id that nobody was given may be left out.
            }
          }
        });
        const enough = async (count: number): Promise<void> => {
          while (ids.length < count) await new Promise((resolve) => setTimeout(resolve, 5));
        };
        await enough(200);
        await server.kill();
        await server.start();
        await enough(ids.length + 200);
        over = true;
        await Promise.all(clients);
        expect(new Set(ids).size).toBe(ids.length);
        await db.end();
      } finally {
        await server.stop();
      }
    },
    180_000,
  );
});
