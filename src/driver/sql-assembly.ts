/*
 * Pairs that would become something else if they met: a doubled quote (with a value of `query` in
 * the place of the `?`, too), a comment, or `??`, which the driver takes for the place of a name.
 */
const MUST_NOT_MEET = new Set(["''", '""', '``', "'?", "?'", '--', '/*', '??']);

/** A statement put together from texts, each of which is closed in itself. */
export class SqlAssembly {
  readonly #parts: string[] = [];
  #last = '';
  readonly values: unknown[] = [];

  /** Puts a space before the text where it would otherwise change what stands before it. */
  text(text: string): void {
    if (text === '') return;
    if (MUST_NOT_MEET.has(this.#last + text.charAt(0))) this.#parts.push(' ');
    this.#parts.push(text);
    this.#last = text.charAt(text.length - 1);
  }

  value(value: unknown): void {
    this.text('?');
    this.values.push(value);
  }

  fragment({ sql, values }: { readonly sql: string; readonly values: readonly unknown[] }): void {
    this.text(sql);
    // Not spread into one call: a list may be longer than the stack.
    for (const value of values) this.values.push(value);
  }

  get sql(): string {
    return this.#parts.join('');
  }
}
