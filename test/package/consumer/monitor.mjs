// The same for an ES module: both ways lead to the very same functions.
import { createRequire } from 'node:module';
import * as imported from 'mysql-boomerang/monitor';

const required = createRequire(import.meta.url)('mysql-boomerang/monitor');
const names = Object.keys(imported).sort();
console.log(
  JSON.stringify({ names, different: names.filter((name) => imported[name] !== required[name]) }),
);
