// Prints what an ES module sees of the package, and which names are not the very same as for `require`.
import { createRequire } from 'node:module';
import * as imported from 'mysql-boomerang';
import { RetryingPooledDatabase, auditReleases, connectionScope } from 'mysql-boomerang';
import { mysql2Pool } from 'mysql-boomerang/mysql2';

const require = createRequire(import.meta.url);
const required = require('mysql-boomerang');
const pool = mysql2Pool(new RetryingPooledDatabase('mysql://nobody@127.0.0.1:1/none'));

class Repository {
  async find() {}
  async _find() {}
}

const seen = {
  names: Object.keys(imported).sort(),
  unreleased: auditReleases(Repository),
  scope: await connectionScope(async () => 42),
  pool: [typeof pool.getConnection, typeof pool.promise().query],
  oneCopy: require('mysql-boomerang/mysql2').mysql2Pool === mysql2Pool,
  different: Object.keys(imported).filter((name) => imported[name] !== required[name]),
};
console.log(JSON.stringify(seen));
