import { randomBytes } from 'node:crypto';
import { createConnection } from 'mysql2/promise';

/** The account and the database of a private server. */
export interface Account {
  readonly user: string;
  readonly password: string;
  readonly database: string;
}

/** A fresh account with a password nobody can guess, made of characters that need no quoting anywhere. */
export function newAccount(): Account {
  return {
    user: 'boomerang',
    password: randomBytes(18).toString('base64url'),
    database: 'boomerang',
  };
}

/** SQL, one statement a line, that makes the account with every privilege and closes the password-less root. */
export function accountSql({ user, password, database }: Account): string {
  const rootPassword = randomBytes(18).toString('base64url');
  return [
    `ALTER USER 'root'@'localhost' IDENTIFIED BY '${rootPassword}';`,
    `CREATE USER '${user}'@'%' IDENTIFIED BY '${password}';`,
    `GRANT ALL PRIVILEGES ON *.* TO '${user}'@'%' WITH GRANT OPTION;`,
    `CREATE DATABASE \`${database}\`;`,
    '',
  ].join('\n');
}

/** `mysql://…` for an account. */
export function accountUrl(account: Account, host: string, port: number): string {
  const { user, password, database } = account;
  return `mysql://${encodeURIComponent(user)}:${encodeURIComponent(password)}@${host}:${port}/${database}`;
}

/** Logs in, runs `statements` in order and returns the server's `VERSION()`. */
export async function logIn(url: string, statements: readonly string[] = []): Promise<string> {
  const connection = await createConnection({ uri: url, connectTimeout: 60_000 });
  try {
    for (const statement of statements) await connection.query(statement);
    const [rows] = await connection.query('SELECT VERSION() AS version');
    const [row] = rows as { version: string }[];
    return row?.version ?? '';
  } finally {
    await connection.end();
  }
}
