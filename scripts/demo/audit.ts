import type { CityRepository } from './city-repository';
import type { Journal, JournalRepository } from './journal-repository';
import type { Ledger } from './ledger';

/** The difference between what callers were told and what the tables hold. */
export interface Audit {
  /** Acknowledged operations that were held against the tables. */
  readonly checked: number;
  /** Acknowledged, and not there. */
  readonly lost: number;
  /** There more than once. */
  readonly twice: number;
  /** There, and nobody was told so. */
  readonly stray: number;
  /** Visits in the counters minus visits in the journal: not 0 if a transaction was torn. */
  readonly torn: number;
  /** Postcards whose text is not what was sent. */
  readonly garbled: number;
  /** Travellers who are not where they were told to be. */
  readonly misplaced: number;
}

const JOURNALS: readonly Journal[] = ['visit', 'guestbook', 'postcard'];

/** Holds the ledger against the tables, once all callers are done. */
export async function audit(
  ledger: Ledger,
  cities: CityRepository,
  journal: JournalRepository,
): Promise<Audit> {
  const found = { checked: 0, lost: 0, twice: 0, stray: 0 };
  let visits = 0;
  for (const name of JOURNALS) {
    const written = await journal.countByOperation(name);
    const acknowledged = ledger.acknowledged(name);
    found.checked += acknowledged.size;
    found.lost += count(acknowledged, (operation) => !written.has(operation));
    found.twice += count(written.values(), (times) => times > 1);
    const known = (operation: string) => acknowledged.has(operation) || ledger.hasFailed(operation);
    found.stray += count(written.keys(), (operation) => !known(operation));
    if (name === 'visit') for (const times of written.values()) visits += times;
  }
  const texts = await journal.postcards();
  const steps = await journal.stepsByTraveller();
  return {
    ...found,
    torn: (await cities.sumOfVisits()) - visits,
    garbled: count(ledger.postcards, ([operation, text]) => texts.get(operation) !== text),
    misplaced: count(ledger.steps, ([traveller, step]) => steps.get(traveller) !== step),
  };
}

function count<T>(items: Iterable<T>, fits: (item: T) => boolean): number {
  let number = 0;
  for (const item of items) if (fits(item)) number++;
  return number;
}
