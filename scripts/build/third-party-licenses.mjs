import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** What a package says of itself, with the text of the licence it ships. */
export function describePackage(folder) {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const file = readdirSync(folder).find((each) => /^licen[cs]e(\.|$)/i.test(each));
  // without its licence a package's code must not be passed on
  if (file === undefined) throw new Error(`${name} is inlined but ships no licence file`);
  return { name, version, license, text: readFileSync(join(folder, file), 'utf8').trim() };
}

/** Notices for all packages whose code is part of the bundle. */
export function thirdPartyLicenses(packages) {
  const notices = packages
    .toSorted((one, other) => one.name.localeCompare(other.name))
    .map(({ name, version, license, text }) => `${name} ${version} (${license})\n\n${text}\n`);
  const rule = `\n${'-'.repeat(80)}\n\n`;
  return ['This package contains code of the following packages.\n', ...notices].join(rule);
}
