import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DaemonBinary } from './daemon-binary';
import type { KeptCommand } from './keeper';

/** MariaDB's bootstrap SQL in the order it is to be run; the prefix is `mysql` up to 10.x and `mariadb` after. */
const MARIADB_SCRIPTS = [
  '{prefix}_system_tables.sql',
  '{prefix}_performance_tables.sql',
  '{prefix}_system_tables_data.sql',
  'fill_help_tables.sql',
  'maria_add_gis_sp_bootstrap.sql',
  '{prefix}_sys_schema.sql',
] as const;

/** The bootstrap reader takes one statement a line, and the tables' SQL wants to know about root's login. */
const MARIADB_PREAMBLE = [
  'create database mysql;',
  'use mysql;',
  'SET @auth_root_socket=NULL;',
  '',
].join('\n');

/** The tables come with a password-less root for every address of this machine; the local one is dealt with later. */
const MARIADB_POSTSCRIPT = "DELETE FROM mysql.global_priv WHERE Host <> 'localhost';\n";

/** Whether `folder` holds MariaDB's bootstrap SQL, and under which prefix. */
export function scriptPrefix(folder: string): 'mariadb' | 'mysql' | undefined {
  return (['mariadb', 'mysql'] as const).find((prefix) =>
    existsSync(join(folder, `${prefix}_system_tables.sql`)),
  );
}

function bootstrapSql(scripts: string | undefined): string {
  const prefix = scripts === undefined ? undefined : scriptPrefix(scripts);
  if (scripts === undefined || prefix === undefined)
    throw new Error('the SQL that makes the system tables of MariaDB is not installed beside it');
  const parts = MARIADB_SCRIPTS.map((name) =>
    readFileSync(join(scripts, name.replace('{prefix}', prefix)), 'utf8'),
  );
  return [MARIADB_PREAMBLE, ...parts, MARIADB_POSTSCRIPT].join('\n');
}

/** The command that fills an empty data folder. `base` is what every start of this daemon has in common. */
export function bootstrapCommand(
  binary: DaemonBinary,
  folder: string,
  base: readonly string[],
): KeptCommand {
  const log = join(folder, 'bootstrap.log');
  if (binary.flavour === 'mysql')
    return { command: binary.command, args: [...base, '--initialize-insecure'], log };
  const input = join(folder, 'bootstrap.sql');
  writeFileSync(input, bootstrapSql(binary.scripts), { mode: 0o600 });
  // the system tables are Aria whatever engine the settings ask for
  return {
    command: binary.command,
    args: [...base, '--bootstrap', '--enforce-storage-engine='],
    log,
    input,
  };
}
