import fc from 'fast-check';

export const CLIENTS = 3;
export const NAMES = ['a', 'A'] as const;

const DOES = [
  'tryAcquire',
  'acquire',
  'extend',
  'release',
  'forceRelease',
  'expire',
  'assertHeld',
] as const;

/** `expire`: the server takes the lock for ended, and its holder, as one that was paused, does not know. */
export interface LockStep {
  readonly do: (typeof DOES)[number];
  readonly client: number;
  readonly name: (typeof NAMES)[number];
}

export const lockHistory = fc.array(
  fc.record<LockStep>({
    do: fc.constantFrom(...DOES, 'tryAcquire', 'assertHeld'),
    client: fc.nat(CLIENTS - 1),
    name: fc.constantFrom(...NAMES),
  }),
  { minLength: 5, maxLength: 25 },
);

/** How a step ends: an acquisition's token is not the model's to know, only that it grows. */
export type LockEnd = 'done' | 'got' | 'refused' | 'lost' | 'nothing';

interface Row {
  /** Which acquisition has it. */
  owner: number | undefined;
  expired: boolean;
}

interface Lease {
  readonly acquisition: number;
  state: 'held' | 'over';
}

/** A mutex by name, as the server sees it, and what each client believes. */
export class LockModel {
  readonly #rows = new Map<string, Row>(
    NAMES.map((name) => [name, { owner: undefined, expired: true }]),
  );
  readonly #leases = new Map<string, Lease>();
  #acquisitions = 0;
  /** What was written under assertHeld(). */
  writes = 0;

  run(step: LockStep): LockEnd {
    const row = this.#rows.get(step.name)!;
    const key = `${step.client} ${step.name}`;
    const lease = this.#leases.get(key);
    switch (step.do) {
      case 'acquire':
      case 'tryAcquire':
        if (lease?.state === 'held' || this.isLocked(step.name)) return 'refused';
        row.owner = this.#acquisitions++;
        row.expired = false;
        this.#leases.set(key, { acquisition: row.owner, state: 'held' });
        return 'got';
      case 'extend':
        return this.#use(lease, row, !row.expired);
      case 'assertHeld': {
        const end = this.#use(lease, row, true);
        if (end === 'done') {
          this.writes++;
          row.expired = false;
        }
        return end;
      }
      case 'release':
        if (lease === undefined) return 'nothing';
        if (lease.state === 'held' && row.owner === lease.acquisition) row.owner = undefined;
        lease.state = 'over';
        return 'done';
      case 'forceRelease':
        if (!this.isLocked(step.name)) return 'refused';
        row.owner = undefined;
        return 'done';
      case 'expire':
        row.expired = true;
        return 'done';
    }
  }

  isLocked(name: string): boolean {
    const { owner, expired } = this.#rows.get(name)!;
    return owner !== undefined && !expired;
  }

  #use(lease: Lease | undefined, { owner }: Row, inTime: boolean): LockEnd {
    if (lease === undefined) return 'nothing';
    if (lease.state === 'held' && owner === lease.acquisition && inTime) return 'done';
    lease.state = 'over';
    return 'lost';
  }
}
