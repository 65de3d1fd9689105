import { RetryingPooledDatabase } from '../../src/index';
import { fingerprintOf, readCities, type City } from './city-data';
import { CityRepository } from './city-repository';
import { LiveLine } from './live-line';
import type { Report } from './report';
import { address, type DemoServer } from './server';

/** Names that only survive if every character set on the way is right. */
const TELLING_NAMES = ['Октябрьский', 'Łódź', 'Reykjavík', 'São Paulo', 'Zürich'];

/** Loads the data set through the decorated repository and holds what was stored against it. */
export async function loadCities(server: DemoServer, report: Report): Promise<readonly City[]> {
  const all = readCities();
  await using db = new RetryingPooledDatabase(address(server));
  const repository = new CityRepository(db);
  await repository.create();
  const begun = performance.now();
  await showProgress(repository, all);
  const seconds = (performance.now() - begun) / 1000;

  const expected = fingerprintOf(all);
  const stored = await repository.fingerprint();
  const names = await Promise.all(TELLING_NAMES.map((name) => repository.findByName(name)));
  const intact =
    JSON.stringify(stored) === JSON.stringify(expected) && names.every(({ length }) => length > 0);
  report.say(
    `${stored.cities.toLocaleString('en')} cities with ${stored.population.toLocaleString('en')} ` +
      `inhabitants in ${seconds.toFixed(1)} s, fingerprint ${stored.digest}; ` +
      `found again by name: ${TELLING_NAMES.join(', ')}.`,
  );
  report.promise('the data set is stored as it is: rows, sum and names', intact, stored.digest);
  return all;
}

async function showProgress(repository: CityRepository, all: readonly City[]): Promise<void> {
  const line = new LiveLine('  {bar} {percentage} % | {value} of {total} cities', all.length);
  try {
    for await (const stored of repository.importAll(all)) line.update(stored);
  } finally {
    line.stop();
  }
}
