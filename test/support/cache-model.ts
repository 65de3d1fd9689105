import fc from 'fast-check';

export const CLIENTS = 3;
export const KEYS = ['a', 'A', 'a ', 'b'] as const;
export const TAGS = ['x', 'y'] as const;

const key = fc.constantFrom(...KEYS);
const client = fc.nat(CLIENTS - 1);
// Far from each other and from what has to pass: a history may take a while.
const ttl = fc.constantFrom(0, 200_000, 500_000);
const grace = fc.constantFrom(0, 300_000);
const tags = fc.subarray([...TAGS]);

/** `pass`: so many ms go by. `undo`: what is done inside a transaction that is rolled back. */
export type CacheStep = { readonly client: number } & (
  | { readonly do: 'get' | 'delete' | 'has'; readonly key: string }
  | { readonly do: 'getMany' }
  | {
      readonly do: 'set' | 'getOrSet' | 'setMany';
      readonly key: string;
      readonly ttl: number;
      readonly grace: number;
      readonly tags: readonly string[];
    }
  | { readonly do: 'touch'; readonly key: string; readonly ttl: number; readonly grace: number }
  | { readonly do: 'invalidateTag'; readonly tag: string }
  | { readonly do: 'clear' | 'sweep' }
  | { readonly do: 'pass'; readonly ms: number }
) & { readonly frame: 'none' | 'commit' | 'rollback' };

const frame = fc.constantFrom(
  'none' as const,
  'none' as const,
  'commit' as const,
  'rollback' as const,
);
const entry = { key, ttl, grace, tags };

export const cacheHistory = fc.array(
  fc.oneof(
    fc.record({
      do: fc.constantFrom('get' as const, 'delete' as const, 'has' as const),
      client,
      key,
      frame,
    }),
    fc.record({ do: fc.constant('getMany' as const), client, frame }),
    fc.record({
      do: fc.constantFrom(
        'set' as const,
        'getOrSet' as const,
        'getOrSet' as const,
        'setMany' as const,
      ),
      client,
      ...entry,
      frame,
    }),
    fc.record({ do: fc.constant('touch' as const), client, key, ttl, grace, frame }),
    fc.record({
      do: fc.constant('invalidateTag' as const),
      client,
      tag: fc.constantFrom(...TAGS),
      frame,
    }),
    fc.record({ do: fc.constantFrom('clear' as const, 'sweep' as const), client, frame }),
    fc.record({
      do: fc.constant('pass' as const),
      client,
      ms: fc.constantFrom(150_000, 400_000),
      frame: fc.constant('none' as const),
    }),
  ),
  { minLength: 5, maxLength: 30 },
);

interface Kept {
  readonly value: number;
  freshUntil: number;
  goneAt: number;
  readonly tags: readonly string[];
}

/** A map with a clock. */
export class CacheModel {
  #entries = new Map<string, Kept>();
  #now = 0;

  /** What a step gives: `next` is the value that would be written by it. */
  run(step: CacheStep, next: number): unknown {
    const before = new Map([...this.#entries].map(([name, kept]) => [name, { ...kept }]));
    const outcome = this.#do(step, next);
    if (step.frame === 'rollback') this.#entries = before;
    return outcome;
  }

  #do(step: CacheStep, next: number): unknown {
    switch (step.do) {
      case 'get':
        return this.#get(step.key);
      case 'has':
        return this.#get(step.key) !== undefined;
      case 'getMany':
        return KEYS.map((name) => this.#get(name));
      case 'getOrSet': {
        const found = this.#get(step.key);
        if (found !== undefined) return found;
        this.#set(step, next);
        return next;
      }
      case 'set':
      case 'setMany':
        this.#set(step, next);
        return undefined;
      case 'delete': {
        const was = this.#get(step.key) !== undefined;
        this.#entries.delete(step.key);
        return was;
      }
      case 'touch': {
        const kept = this.#entries.get(step.key);
        if (kept === undefined || this.#get(step.key) === undefined) return false;
        Object.assign(kept, this.#ends(step));
        return true;
      }
      case 'invalidateTag':
        for (const [name, kept] of this.#entries) {
          if (kept.tags.includes(step.tag)) this.#entries.delete(name);
        }
        return undefined;
      case 'clear':
        this.#entries.clear();
        return undefined;
      case 'pass':
        this.#now += step.ms;
        return undefined;
      case 'sweep':
        return undefined;
    }
  }

  #get(name: string): number | undefined {
    const kept = this.#entries.get(name);
    return kept !== undefined && kept.freshUntil > this.#now ? kept.value : undefined;
  }

  #set(
    step: { key: string; ttl: number; grace: number; tags: readonly string[] },
    value: number,
  ): void {
    this.#entries.set(step.key, { value, tags: step.tags, ...this.#ends(step) });
  }

  #ends({ ttl, grace }: { ttl: number; grace: number }) {
    const freshUntil = ttl === 0 ? Infinity : this.#now + ttl;
    return { freshUntil, goneAt: freshUntil + grace };
  }
}
