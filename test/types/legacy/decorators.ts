import { atomic, releaseConnection, RetryingPooledDatabase } from '../../../src/index';
import { expectTrue, type Equal } from '../assert';

declare const db: RetryingPooledDatabase;

interface User {
  readonly id: number;
}

/** What compiles. */
export class Users {
  @releaseConnection
  async find(id: number): Promise<User | undefined> {
    const [rows] = await db.execute<User[]>('SELECT * FROM users WHERE id = ?', [id]);
    return rows[0];
  }

  @releaseConnection
  @atomic({ retries: 3, isolationLevel: 'SERIALIZABLE', db: (_self: Users) => db })
  async save(_user: User): Promise<User | undefined> {
    return undefined;
  }

  @releaseConnection()
  promised(): Promise<number> {
    return Promise.resolve(1);
  }

  @releaseConnection({ label: 'all users' })
  async *all(): AsyncGenerator<User, void, void> {
    yield { id: 1 };
  }

  @releaseConnection
  static async count(): Promise<number> {
    return 1;
  }
}

/** What must not. */
export class Refused {
  // @ts-expect-error a sync method has no end for a scope to wait for
  @releaseConnection
  sync(): number {
    return 1;
  }

  // @ts-expect-error the same with options
  @releaseConnection({ label: 'sync' })
  labelled(): string {
    return '';
  }

  // @ts-expect-error a sync generator cannot wait
  @releaseConnection()
  *generator(): Generator<number> {
    yield 1;
  }

  // @ts-expect-error an option that is not carried out
  @releaseConnection({ attempts: 3 })
  async retried(): Promise<void> {}

  // @ts-expect-error a transaction cannot be kept open between two steps of a generator
  @atomic
  async *steps(): AsyncGenerator<number> {
    yield 1;
  }

  // @ts-expect-error a level that there is none of
  @atomic({ isolationLevel: 'SNAPSHOT' })
  async levelled(): Promise<void> {}

  // @ts-expect-error a field is no method
  @releaseConnection
  field = 1;

  // @ts-expect-error an accessor is no method
  @releaseConnection
  get accessor(): Promise<number> {
    return Promise.resolve(1);
  }
}

expectTrue<Equal<ReturnType<Users['find']>, Promise<User | undefined>>>();
expectTrue<Equal<Parameters<Users['find']>, [id: number]>>();
