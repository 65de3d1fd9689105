/** What of the library's inside is measured by itself; bundled by {@link loadInside}. */
export { systemClock } from '../../src/clock';
export { Mysql2Driver } from '../../src/driver/mysql2-driver';
export { createLogger } from '../../src/logger';
export { resolveOptions } from '../../src/options';
export { Observation } from '../../src/metrics/observation';
export { Recorder } from '../../src/monitor/recorder';
export { SlowStatements } from '../../src/monitor/slow-statements';
export { Pool } from '../../src/pool/pool';
