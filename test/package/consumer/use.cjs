// Prints what a CommonJS program sees of the package.
const boomerang = require('mysql-boomerang');
const { mysql2Pool } = require('mysql-boomerang/mysql2');

class Repository {
  async find() {}
  async _find() {}
}

/** What a subpath throws is of the main entry's class: there is one copy. */
function refusalOf(fn) {
  try {
    fn();
  } catch (error) {
    return error.constructor === boomerang.InvalidArgumentError;
  }
}

async function main() {
  const pool = mysql2Pool(new boomerang.RetryingPooledDatabase('mysql://nobody@127.0.0.1:1/none'));
  return {
    names: Object.keys(boomerang).sort(),
    unreleased: boomerang.auditReleases(Repository),
    scope: await boomerang.connectionScope(async () => 42),
    pool: [typeof pool.getConnection, typeof pool.promise().query],
    oneCopy: refusalOf(() => mysql2Pool({})),
  };
}

main().then((seen) => console.log(JSON.stringify(seen)));
