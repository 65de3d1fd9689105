import { bytes, duration, number } from '../units';
import type { Examination } from './examination';
import { note, ok, problem, warning, type Finding } from './finding';

/** How the database is going to be used. */
export interface Plan {
  readonly processes: number;
  /** Connections of each. */
  readonly connectionLimit: number;
  /** In ms. */
  readonly keepaliveInterval: number;
}

/** What the server allows, beside what is planned. */
export function limitChecks(seen: Examination, plan: Plan): Finding[] {
  return [
    ...fleetChecks(seen, plan),
    cutOffCheck(seen),
    restCheck(seen, plan),
    lockWaitCheck(seen),
    rollbackCheck(seen),
    packetCheck(seen),
  ];
}

/** Beyond this share nothing is left for operators, and for stopping statements. */
const TIGHT = 0.8;

function fleetChecks({ global, accountLimit, status }: Examination, plan: Plan): Finding[] {
  const most = global.number('max_connections');
  const wanted = plan.processes * plan.connectionLimit;
  const now = status.number('Threads_connected');
  const once = status.number('Max_used_connections');
  const fleet = `${number(plan.processes)} × ${number(plan.connectionLimit)} = ${number(wanted)} connections planned`;
  const found = `${fleet}, max_connections ${number(most)} (${number(now)} in use, ${number(once)} at most so far)`;
  const advice =
    'Raise max_connections, or lower connectionLimit or the number of processes: at the limit callers wait, and ' +
    'in the end fail with PoolExhaustedError. Leave a fifth for operators, and for stopping statements.';
  const findings = [
    wanted > most
      ? problem('connections', found, advice)
      : wanted > most * TIGHT || now > most * TIGHT
        ? warning('connections', found, advice)
        : ok('connections', found),
  ];
  if (accountLimit > 0 && wanted > accountLimit) {
    const limit = `${fleet}, and the account may have ${number(accountLimit)}`;
    findings.push(
      problem('user-connections', limit, 'Raise max_user_connections, or plan with fewer.'),
    );
  }
  return findings;
}

function cutOffCheck({ cutOff }: Examination): Finding {
  if (cutOff === 'stopped') {
    return ok(
      'kill',
      'a statement whose time is up is stopped on the server (KILL QUERY of its own)',
    );
  }
  const advice =
    'Its connection is closed in place of that, and the statement runs on at the server. KILL of its own sessions ' +
    'needs no privilege: look for a proxy that spreads statements over servers, or a server that is full.';
  return warning('kill', 'a statement whose time is up could not be stopped', advice);
}

function restCheck({ session }: Examination, { keepaliveInterval }: Plan): Finding {
  const rest = session.number('wait_timeout') * 1000;
  const found = `wait_timeout ${duration(rest)}, keepaliveInterval ${
    keepaliveInterval === 0 ? 'off' : duration(keepaliveInterval)
  }`;
  if (rest < 10_000) {
    const advice =
      'Idle connections have to be asked for a sign of life every few seconds: raise it to a minute or more.';
    return warning('wait-timeout', found, advice);
  }
  if (keepaliveInterval === 0 || keepaliveInterval > rest * 0.45) {
    const advice =
      'Idle connections are asked at less than half of wait_timeout, whatever keepaliveInterval says, and renewed before it: ' +
      'nothing to be done. Something else between here and there may drop them sooner.';
    return note('wait-timeout', found, advice);
  }
  return ok('wait-timeout', found);
}

function lockWaitCheck({ session }: Examination): Finding {
  const wait = session.number('innodb_lock_wait_timeout') * 1000;
  const found = `innodb_lock_wait_timeout ${duration(wait)}`;
  if (wait <= 60_000) return ok('lock-wait', found);
  const advice =
    'A statement that meets a locked row keeps its connection for so long, and a pool is soon empty: 5 to 50 s, or ' +
    'a timeout on statements.';
  return note('lock-wait', found, advice);
}

function rollbackCheck({ global }: Examination): Finding {
  if (!global.isOn('innodb_rollback_on_timeout')) {
    return ok('rollback-on-timeout', 'off: a lock wait that ends undoes its statement alone');
  }
  const advice =
    'The library finds out, and refuses further statements of that transaction: atomic() with retries runs it ' +
    'again as a whole.';
  return note('rollback-on-timeout', 'on: a lock wait that ends undoes the transaction', advice);
}

const LARGEST_VALUE = 16 * 1024 * 1024;

function packetCheck({ session }: Examination): Finding {
  const packet = session.number('max_allowed_packet');
  const found = `max_allowed_packet ${bytes(packet)}`;
  if (packet > LARGEST_VALUE) return ok('packet', found);
  const advice =
    'A value has to fit into one statement with all else of it; the library refuses larger ones in words. For values up ' +
    'to its own limit of 16 MiB set 32M or more.';
  return packet >= LARGEST_VALUE / 4
    ? note('packet', found, advice)
    : warning('packet', found, advice);
}
