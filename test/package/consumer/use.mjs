// Prints what an ES module sees of the package, and which names are not the very same as for `require`.
import { createRequire } from 'node:module';
import * as imported from 'mysql-boomerang';
import { auditReleases, connectionScope } from 'mysql-boomerang';

const required = createRequire(import.meta.url)('mysql-boomerang');

class Repository {
  async find() {}
  async _find() {}
}

const seen = {
  names: Object.keys(imported).sort(),
  unreleased: auditReleases(Repository),
  scope: await connectionScope(async () => 42),
  different: Object.keys(imported).filter((name) => imported[name] !== required[name]),
};
console.log(JSON.stringify(seen));
