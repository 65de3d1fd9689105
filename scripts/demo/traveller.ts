import {
  lostCommitLeavesDoubt,
  lostStatementLeavesDoubt,
  writeOnce,
  type CarefulWrite,
} from './careful-write';
import type { City } from './city-data';
import type { CityRepository } from './city-repository';
import type { JournalRepository } from './journal-repository';
import type { Ledger } from './ledger';
import { Random } from './random';
import type { Tally } from './tally';

/** What all travellers share. */
export interface World {
  readonly places: readonly City[];
  readonly cities: CityRepository;
  readonly journal: JournalRepository;
  readonly ledger: Ledger;
  readonly tally: Tally;
}

/**
 * One of the callers: reads about cities and leaves traces in them, call after call, about 70 % reads.
 * What it does is decided by its number alone and is the same in every run.
 */
export class Traveller {
  readonly #id: number;
  readonly #world: World;
  readonly #random: Random;
  #operations = 0;
  #steps = 0;

  constructor(id: number, world: World) {
    this.#id = id;
    this.#world = world;
    this.#random = new Random(id + 1);
  }

  /** Travels until told to stop. Never rejects: what goes wrong is in the tally. */
  async roam(until: AbortSignal): Promise<void> {
    while (!until.aborted) await this.#nextCall(this.#random.pick(this.#world.places));
  }

  #nextCall(city: City): Promise<void> {
    const { cities, tally } = this.#world;
    const die = this.#random.next();
    if (die < 0.35) return tally.measure('read', () => cities.find(city.id));
    if (die < 0.6) return tally.measure('read', () => cities.findByName(city.name));
    if (die < 0.7) return tally.measure('read', () => cities.neighbours(city.id));
    if (die < 0.74) return tally.measure('idempotent write', () => this.#moveTo(city));
    if (die < 0.8) return tally.measure('idempotent write', () => this.#sendPostcard(city));
    if (die < 0.89) return tally.measure('transaction', () => this.#visit(city));
    return tally.measure('single insert', () => this.#signGuestbook(city));
  }

  async #moveTo(city: City): Promise<void> {
    const { journal, ledger } = this.#world;
    const step = ++this.#steps;
    await journal.moveTo(this.#id, city.id, step);
    ledger.steps.set(this.#id, step);
  }

  async #sendPostcard(city: City): Promise<void> {
    const { journal, ledger } = this.#world;
    const operation = this.#nextOperation();
    const text = `Привет из ${city.name} 🪃 お元気で`;
    await ledger.write('postcard', operation, () => journal.sendPostcard(operation, text));
    ledger.postcards.set(operation, text);
  }

  #visit(city: City): Promise<void> {
    const { journal } = this.#world;
    const operation = this.#nextOperation();
    return this.#writeCarefully('visit', operation, {
      write: () => journal.visit(operation, city.id),
      isWritten: () => journal.isWritten('visit', operation),
      leavesDoubt: lostCommitLeavesDoubt,
    });
  }

  #signGuestbook(city: City): Promise<void> {
    const { journal } = this.#world;
    const operation = this.#nextOperation();
    return this.#writeCarefully('guestbook', operation, {
      write: () => journal.signGuestbook(operation, `${city.name} ❤️`),
      isWritten: () => journal.isWritten('guestbook', operation),
      leavesDoubt: lostStatementLeavesDoubt,
    });
  }

  #writeCarefully(
    table: 'visit' | 'guestbook',
    operation: string,
    task: CarefulWrite,
  ): Promise<void> {
    const { ledger, tally } = this.#world;
    return ledger.write(table, operation, () => writeOnce(task, tally));
  }

  /** Unique among all callers, and made by the caller: what was lost on the way can be looked up by it. */
  #nextOperation(): string {
    return `traveller-${this.#id}-${++this.#operations}`;
  }
}
