// Prints what a CommonJS program sees of the monitor, and that it is of one piece with the main entry.
const loadedByMain = (require('mysql-boomerang'), Object.keys(require.cache));
const boomerang = require('mysql-boomerang');
const { monitor, openTelemetry } = require('mysql-boomerang/monitor');

async function main() {
  const db = new boomerang.RetryingPooledDatabase('mysql://root@127.0.0.1:1/nowhere');
  const running = await monitor(db);
  const [page, metrics] = await Promise.all(
    ['/', '/metrics'].map(async (path) => (await fetch(running.url + path)).text()),
  );
  const refused = await monitor(db, { host: '0.0.0.0' }).catch((error) => error);
  const missing = await openTelemetry().catch((error) => error);
  await running.close();
  return {
    page: page.includes('</script>') && page.includes('Connections out'),
    metrics: metrics.includes('db_client_connection_count{state="idle"} 0'),
    sameClasses: [refused, missing].map((error) => error instanceof boomerang.ConfigurationError),
    sameCopy: refused.constructor === boomerang.ConfigurationError,
    mainLoadsPrometheus: loadedByMain.some((file) => file.includes('prom-client')),
  };
}

main().then((seen) => console.log(JSON.stringify(seen)));
