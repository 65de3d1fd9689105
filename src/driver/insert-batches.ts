import { InvalidArgumentError } from '../errors';

/** Texts of rows, gathered into statements that stay below the limit. */
export class InsertBatches {
  readonly statements: string[] = [];
  readonly #head: string;
  readonly #tail: string;
  readonly #limit: number;
  readonly #largest: number;
  /** Of a statement without rows. */
  readonly #frame: number;
  #rows: string[] = [];
  #bytes = 0;

  /**
   * @param limit bytes of one statement with several rows.
   * @param largest bytes of one statement at all, with a single row.
   */
  constructor(head: string, tail: string, limit: number, largest: number) {
    this.#head = head;
    this.#tail = tail;
    this.#limit = limit;
    this.#largest = largest;
    this.#frame = Buffer.byteLength(head) + Buffer.byteLength(tail);
  }

  add(row: string, index: number): void {
    const bytes = Buffer.byteLength(row);
    if (this.#frame + bytes > this.#largest) {
      throw new InvalidArgumentError(
        'rows',
        `row ${index} alone makes a statement of ${this.#frame + bytes} bytes, ` +
          `and one may have ${this.#largest} (max_allowed_packet)`,
      );
    }
    if (this.#rows.length > 0 && this.#bytes + 2 + bytes > this.#limit) this.close();
    this.#bytes += this.#rows.length > 0 ? 2 + bytes : this.#frame + bytes;
    this.#rows.push(row);
  }

  close(): void {
    if (this.#rows.length > 0) {
      this.statements.push(this.#head + this.#rows.join(', ') + this.#tail);
    }
    this.#rows = [];
    this.#bytes = 0;
  }
}
