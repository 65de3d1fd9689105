// Prints what a CommonJS program sees of the package.
const boomerang = require('mysql-boomerang');

class Repository {
  async find() {}
  async _find() {}
}

async function main() {
  return {
    names: Object.keys(boomerang).sort(),
    unreleased: boomerang.auditReleases(Repository),
    scope: await boomerang.connectionScope(async () => 42),
  };
}

main().then((seen) => console.log(JSON.stringify(seen)));
