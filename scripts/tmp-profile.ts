import { provideServer } from './server';
import { createRequire } from 'node:module';
const require = createRequire(__filename);
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
    const [rows] = await db.query('SELECT id, full_key FROM boomerang_cache LIMIT 1');
    const { id, full_key } = rows[0] as any;
    const run = async (name: string, op: () => Promise<any>, weight = 1) => {
      for (let i = 0; i < 300; i++) await op();
      const cpu = process.cpuUsage(); const t0 = performance.now(); const n = Math.ceil(2500 / weight);
      for (let i = 0; i < n; i++) await op();
      const d = process.cpuUsage(cpu);
      console.log(name.padEnd(22), ((performance.now() - t0) / n * 1000).toFixed(0), 'us wall', ((d.user + d.system) / n).toFixed(0), 'us cpu');
    };
    const { default: KeyvMysql } = await import('@keyv/mysql');
    const keyv = new KeyvMysql({ uri: server.url, connectionLimit: 10 } as any);
    for (const k of keys) await keyv.set(k, value);
    const closed = async (n: number, op: () => Promise<any>, ms = 300) => {
      let count = 0; const end = performance.now() + ms; const t0 = performance.now(); const cpu = process.cpuUsage();
      await Promise.all(Array.from({ length: n }, async () => { while (performance.now() < end) { await op(); count++; } }));
      const d = process.cpuUsage(cpu);
      return [count / (performance.now() - t0), (d.user + d.system) / count] as const;
    };
    const rk = () => keys[Math.floor(Math.random() * 200)]!;
    for (let round = 0; round < 3; round++) for (const n of [1, 16, 64]) {
      const a = await closed(n, () => keyv.get(rk())); const b = await closed(n, () => cache.get(rk()));
      const c = await closed(n, () => keyv.set(rk(), value)); const d = await closed(n, () => cache.set(rk(), value));
      const f = ([x, y]: readonly [number, number]) => `${x.toFixed(1)}k/s ${y.toFixed(0)}us`;
      console.log(n, 'get keyv', f(a), 'ours', f(b), (b[0] / a[0]).toFixed(2), '| set keyv', f(c), 'ours', f(d), (d[0] / c[0]).toFixed(2));
    }
    await keyv.disconnect();
    await cache.close(); await db.end();
  } finally { await server.stop(); }
}
void main();
