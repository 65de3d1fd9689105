import { createConnection } from 'mysql2/promise';
import { loadLibrary } from './library';

/* The other process of the part `lock`: told to, it waits for the lock, says that it has it, and lets go. */

const [url = '', name = '', way] = process.argv.slice(2);

/** Takes the lock, and resolves to what gives it back. */
type Taker = () => Promise<() => Promise<unknown>>;

async function byServer(): Promise<Taker> {
  const connection = await createConnection(url);
  return async () => {
    await connection.execute('SELECT GET_LOCK(?, 30)', [name]);
    return () => connection.execute('SELECT RELEASE_LOCK(?)', [name]);
  };
}

function byTable(): Taker {
  const { DistributedLocks, RetryingPooledDatabase } = loadLibrary();
  const locks = new DistributedLocks(new RetryingPooledDatabase({ uri: url }));
  return async () => {
    const lease = await locks.acquire(name);
    return () => lease.release();
  };
}

async function main(): Promise<void> {
  const take = way === 'server' ? await byServer() : byTable();
  process.on('message', () => {
    void take().then(async (giveBack) => {
      process.send?.('got');
      await giveBack();
      process.send?.('gave');
    });
  });
  process.once('disconnect', () => process.exit(0));
  process.send?.('ready');
}

void main();
