import { createConnection } from 'mysql2/promise';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import type { BenchServer } from './part';

/** What the numbers were measured with and on. */
export interface Setting {
  readonly date: string;
  readonly node: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly commit: string;
  readonly server: string;
  readonly flushLogAtCommit: number;
  readonly processor: string;
  /** Running processes over the last 1, 5 and 15 minutes, when measuring began. */
  readonly load: readonly number[];
}

/** The drivers, and what is built on them. */
const COMPARED = ['mysql2', 'mariadb', 'kysely', 'drizzle-orm', 'typeorm', 'knex', 'sequelize'];

const root = join(__dirname, '../..');

function versionOf(folder: string): string {
  const text = readFileSync(join(root, folder, 'package.json'), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

/** Also says when files differ from it: numbers of such a state cannot be had again. */
function commit(): string {
  const git = (...args: string[]): string =>
    execFileSync('git', args, { cwd: root, encoding: 'utf8' }).trim();
  try {
    const changed =
      git('status', '--porcelain', 'src', 'scripts/build.mjs') === '' ? '' : '+changes';
    return git('rev-parse', '--short', 'HEAD') + changed;
  } catch {
    return 'unknown';
  }
}

async function flushLogAtCommit(server: BenchServer): Promise<number> {
  const connection = await createConnection(server.url);
  try {
    const [rows] = await connection.query('SELECT @@innodb_flush_log_at_trx_commit AS setting');
    return (rows as { setting: number }[])[0]!.setting;
  } finally {
    await connection.end();
  }
}

export async function settingOf(server: BenchServer): Promise<Setting> {
  const processors = cpus();
  return {
    date: new Date().toISOString(),
    node: process.version,
    versions: {
      'mysql-boomerang': versionOf('.'),
      ...Object.fromEntries(COMPARED.map((name) => [name, versionOf(`node_modules/${name}`)])),
    },
    commit: commit(),
    server: server.version,
    flushLogAtCommit: await flushLogAtCommit(server),
    processor: `${processors.length} × ${processors[0]?.model ?? 'unknown'}`,
    load: loadavg(),
  };
}
