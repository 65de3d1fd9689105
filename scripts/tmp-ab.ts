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
    const { default: KeyvMysql } = await import('@keyv/mysql');
    const keyv = new KeyvMysql({ uri: server.url, connectionLimit: 10 } as any);
    for (const k of keys) await keyv.set(k, value);
    const rk = () => keys[Math.floor(Math.random() * 200)]!;
    const [rows] = await db.query('SELECT id, full_key FROM boomerang_cache');
    const rr = () => rows[Math.floor(Math.random() * 200)] as any;
    const T = '`boomerang_cache`', G = '`boomerang_cache_tags`';
    const e = Buffer.alloc(16);
    const base = `SELECT kind, value, TIMESTAMPDIFF(MICROSECOND, UTC_TIMESTAMP(6), fresh_until) AS fresh, tags IS NOT NULL AS tagged FROM ${T} c WHERE id = ? AND full_key = ? AND kind IS NOT NULL AND fresh_until > UTC_TIMESTAMP(6) AND epoch = COALESCE((SELECT t.version FROM ${G} t WHERE t.id = ?), 0)`;
    const lean = `SELECT kind, value FROM ${T} c WHERE id = ? AND full_key = ? AND fresh_until > UTC_TIMESTAMP(6)`;
    const ops: Record<string, () => Promise<any>> = {
      keyv: () => keyv.get(rk()),
      lean: () => { const r = rr(); return db.execute(lean, [r.id, r.full_key]); },
      base: () => { const r = rr(); return db.execute(base, [r.id, r.full_key, e]); },
      baseImm: () => new Promise((res) => setImmediate(res)).then(() => { const r = rr(); return db.execute(base, [r.id, r.full_key, e]); }),
      _get: () => cache._get(rk()),
      get: () => cache.get(rk()),
      kset: () => keyv.set(rk(), value),
      set: () => cache.set(rk(), value),
    };
    const sum: Record<string, number[][]> = {};
    for (let round = 0; round < 40; round++) for (const name of Object.keys(ops).sort(() => Math.random() - 0.5)) {
      const op = ops[name]!; const end = performance.now() + 30; let n = 0; const t0 = performance.now(); const cpu = process.cpuUsage();
      while (performance.now() < end) { await op(); n++; }
      const d = process.cpuUsage(cpu);
      if (round > 5) (sum[name] ??= []).push([(performance.now() - t0) * 1000 / n, (d.user + d.system) / n]);
    }
    for (const name of Object.keys(ops)) { const s = sum[name]!; const med = (i: number) => s.map((x) => x[i]!).sort((a, b) => a - b)[s.length >> 1]!.toFixed(0); console.log(name.padEnd(10), med(0), 'us', med(1), 'us cpu'); }
    await keyv.disconnect(); await cache.close(); await db.end();
  } finally { await server.stop(); }
}
void main();
