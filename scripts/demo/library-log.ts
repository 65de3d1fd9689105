import type { LogFields, Logger } from '../../src/index';

/** A logger that only counts: how often the library did something, by its own account. */
export class LibraryLog implements Logger {
  readonly #counts = new Map<string, number>();

  /** How often this message was logged. */
  count(message: string): number {
    return this.#counts.get(message) ?? 0;
  }

  debug(_fields: LogFields, message: string): void {
    this.#note(message);
  }

  info(_fields: LogFields, message: string): void {
    this.#note(message);
  }

  warn(_fields: LogFields, message: string): void {
    this.#note(message);
  }

  error(_fields: LogFields, message: string): void {
    this.#note(message);
  }

  #note(message: string): void {
    this.#counts.set(message, this.count(message) + 1);
  }
}
