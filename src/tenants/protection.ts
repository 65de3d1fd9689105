import { InvalidArgumentError, describe } from '../errors';

/** Which tenants stay open: one by its name, several, or those for whom the function says true. */
export type Protected = string | readonly string[] | ((tenant: string) => boolean);

/** Tenants that are never closed to make room or because they are idle. */
export class Protection {
  readonly #names = new Map<string, number>();
  readonly #predicates = new Set<(tenant: string) => boolean>();
  readonly #failed: (error: unknown) => void;

  /** @param failed told of what a predicate throws. */
  constructor(failed: (error: unknown) => void) {
    this.#failed = failed;
  }

  /** Returns what lifts this protection again; others of the same tenant stay. */
  add(which: Protected): () => void {
    if (typeof which === 'function') {
      // Each call for itself, also of the same function.
      const predicate = (tenant: string): boolean => which(tenant);
      this.#predicates.add(predicate);
      return () => void this.#predicates.delete(predicate);
    }
    const names = typeof which === 'string' ? [which] : [...which];
    for (const name of names) this.#count(name, 1);
    let lifted = false;
    return () => {
      if (lifted) return;
      lifted = true;
      for (const name of names) this.#count(name, -1);
    };
  }

  covers(tenant: string): boolean {
    if (this.#names.has(tenant)) return true;
    for (const predicate of this.#predicates) {
      try {
        if (predicate(tenant)) return true;
      } catch (error) {
        // What is not known to be free to close stays.
        this.#failed(error);
        return true;
      }
    }
    return false;
  }

  #count(name: string, by: number): void {
    const count = (this.#names.get(name) ?? 0) + by;
    if (count > 0) this.#names.set(name, count);
    else this.#names.delete(name);
  }
}

/** @throws {InvalidArgumentError} for what names no tenant. */
export function checkProtected(which: unknown): asserts which is Protected {
  const names = Array.isArray(which) ? which : [which];
  if (typeof which === 'function' || names.every((name) => typeof name === 'string')) return;
  const rule = `must be a tenant's name, an array of names or a function, got ${describe(which)}`;
  throw new InvalidArgumentError('which', rule);
}
