import { provideServer } from './server';
import { createRequire } from 'node:module';
const require = createRequire(__filename);
import { Session } from 'node:inspector/promises';
async function main() {
  const lib = require('../dist/index.cjs') as typeof import('../src/index');
  const server = await provideServer({ kind: 'mariadb-10.11', settings: ['--innodb-flush-log-at-trx-commit=2'] } as any);
  try {
    const { host, port, user, password, database } = server;
    const db = new lib.RetryingPooledDatabase({ host, port, user, password, database });
    await lib.install(db);
    const cache = new lib.Cache(db, { namespace: 'bench' });
    const value = 'abcdefghij'.repeat(10);
    const keys = Array.from({ length: 200 }, (_, i) => 'k' + i);
    await cache.setMany(keys.map((key) => ({ key, value })));
    const rk = () => keys[Math.floor(Math.random() * 200)]!;
    const closed = async (n: number, ms: number, op: () => Promise<any>) => { const end = performance.now() + ms; let count = 0; await Promise.all(Array.from({ length: n }, async () => { while (performance.now() < end) { await op(); count++; } })); return count; };
    for (const [n, op] of [[1, () => cache.get(rk())], [64, () => cache.get(rk())], [64, () => cache.set(rk(), value)]] as const) {
      await closed(n, 1000, op);
      const session = new Session(); session.connect();
      await session.post('Profiler.enable'); await session.post('Profiler.setSamplingInterval', { interval: 200 }); await session.post('Profiler.start');
      const count = await closed(n, 2000, op);
      const { profile } = await session.post('Profiler.stop') as any;
      const self = new Map<string, number>(); 
      const dt = profile.timeDeltas; const byId = new Map<number, any>(profile.nodes.map((x: any) => [x.id, x]));
      profile.samples.forEach((id: number, i: number) => { const nd = byId.get(id); const name = `${nd.callFrame.functionName || 'anon'} ${nd.callFrame.url.split('/').slice(-2).join('/')}:${nd.callFrame.lineNumber}`; self.set(name, (self.get(name) ?? 0) + dt[i]); });
      const total = [...self.values()].reduce((a, b) => a + b, 0);
      console.log(n, count / 2, '/s');
      for (const [name, t] of [...self].sort((a, b) => b[1] - a[1]).slice(0, 28)) console.log((t / total * 100).toFixed(1).padStart(5), name);
    }
    await cache.close(); await db.end();
  } finally { await server.stop(); }
}
void main();
