// What whoever operates it writes. Compiled only.
import { RetryingPooledDatabase, type Observer } from 'mysql-boomerang';
import { monitor, openTelemetry, type Monitor, type MonitorState } from 'mysql-boomerang/monitor';

export async function watched(db: RetryingPooledDatabase): Promise<Monitor> {
  const observer: Observer = { acquired: (waited) => console.log(waited) };
  db.observe(observer)();
  await openTelemetry({ text: true });
  return monitor(new Map([['tenant', db]]), { port: 0, token: 'a token', databaseLabel: true });
}

export const waiting = ({ totals }: MonitorState): number => totals.waiting;
