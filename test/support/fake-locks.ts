import { LockLease, type LeaseKeeper } from '../../src/lock/lock-lease';
import type { Claim, HolderRow, LockTable } from '../../src/lock/lock-table';
import { Renewal } from '../../src/lock/renewal';
import { ManualClock } from './manual-clock';
import { RecordingLogger } from './recording-logger';

/** What a test wants of the table, as far as it is called. */
export type TableAnswers = Partial<
  Pick<
    LockTable,
    'hasToWait' | 'acquire' | 'remaining' | 'holder' | 'renew' | 'holding' | 'withdraw'
  >
>;

/** A table that a test answers for. What it has no answer to must not be called. */
export function fakeTable(answers: TableAnswers): LockTable {
  return { hasToWait: false, ...answers } as unknown as LockTable;
}

export function claimOf(name: string): Claim {
  return { name: Buffer.from(name), owner: Buffer.from(name.padEnd(16)), token: 7 };
}

export function holderRow(owner: Buffer): HolderRow {
  const rest = { token: 9, heldFor: 1, expiresIn: 500, meta: null };
  return { name: Buffer.from('a'), owner, ...rest };
}

/** Leases over a fake table and the manual clock, and the renewal that keeps them. */
export class FakeLocks implements LeaseKeeper {
  readonly clock = new ManualClock();
  readonly logger = new RecordingLogger();
  readonly renewal: Renewal;
  /** Names of leases that were lost, and when. */
  readonly ends: { readonly name: string; readonly at: number }[] = [];

  constructor(answers: TableAnswers) {
    this.renewal = new Renewal(fakeTable(answers), this.clock, this.logger);
  }

  /** A lease that was taken just now. */
  lease(name: string, ttl: number): LockLease {
    const lease = new LockLease(this, name, claimOf(name), ttl, this.clock.now());
    this.renewal.add(lease);
    return lease;
  }

  openFrame(): undefined {
    return undefined;
  }

  assertHeld(): Promise<boolean> {
    return Promise.resolve(true);
  }

  renew(lease: LockLease, ttl: number): Promise<boolean> {
    return this.renewal.now(lease, ttl);
  }

  hurry(lease: LockLease): void {
    this.renewal.hurry(lease);
  }

  release(lease: LockLease): Promise<void> {
    this.renewal.remove(lease);
    return Promise.resolve();
  }

  lost(lease: LockLease): void {
    this.renewal.remove(lease);
    this.ends.push({ name: lease.name, at: this.clock.now() });
  }
}
