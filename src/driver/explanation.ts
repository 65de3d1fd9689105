import type { StatementRetry } from './error-class';

/** What happened, and what may be done about it. */
export interface Explanation {
  /** What kind of error it is: `deadlock`, `lost after send`, `pool exhausted` … One of a fixed list. */
  readonly name: string;
  /** What happened, in one sentence. */
  readonly says: string;
  /** `lost`: it is of no more use. `none`: there was none, or the error says nothing of it. */
  readonly connection: 'lost' | 'kept' | 'none';
  /** Whether the statement may be run again outside a transaction. */
  readonly statement: StatementRetry;
  /** Whether the transaction may be run again, always as a whole and from the outermost `atomic()`. */
  readonly transaction: 'restart' | 'never';
  /** What to do, in one sentence or two. */
  readonly advice: string;
  /** Name, what happened and advice as one text for a log. */
  toString(): string;
}

/** What an explanation is made of. */
export type Facts = Omit<Explanation, 'toString'>;

export function explanationOf(facts: Facts): Explanation {
  return new Explained(facts);
}

class Explained implements Explanation {
  readonly name: string;
  readonly says: string;
  readonly connection: Explanation['connection'];
  readonly statement: Explanation['statement'];
  readonly transaction: Explanation['transaction'];
  readonly advice: string;

  constructor({ name, says, connection, statement, transaction, advice }: Facts) {
    this.name = name;
    this.says = says;
    this.connection = connection;
    this.statement = statement;
    this.transaction = transaction;
    this.advice = advice;
    Object.freeze(this);
  }

  toString(): string {
    return `${this.name}: ${this.says} ${this.advice}`;
  }
}
