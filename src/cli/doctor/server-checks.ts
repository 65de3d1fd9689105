import type { Examination } from './examination';
import { note, ok, problem, warning, type Finding } from './finding';

/** Which server it is, and what stands behind it. */
export function serverChecks(seen: Examination): Finding[] {
  return [versionCheck(seen), ...topologyChecks(seen), readOnlyCheck(seen), skipLocked(seen)];
}

const TESTED = 'MariaDB 10.11 and 11.8, MySQL 9.7';

/** What it calls itself. */
export function serverName({ global }: Pick<Examination, 'global'>): string {
  const version = global.text('version');
  const [plain = version] = /^\d+\.\d+\.\d+/.exec(version) ?? [];
  if (/tidb/i.test(version)) return `TiDB (as MySQL ${plain})`;
  return `${/mariadb/i.test(version) ? 'MariaDB' : 'MySQL'} ${plain}`;
}

function versionCheck(seen: Examination): Finding {
  const name = serverName(seen);
  const [major = 0, minor = 0] = (/\d+\.\d+/.exec(name)?.[0] ?? '').split('.').map(Number);
  if (name.startsWith('TiDB')) {
    const advice = `This engine was not tested (tested are ${TESTED}): try your own use of it first.`;
    return warning('server', name, advice);
  }
  const isOld = name.startsWith('MariaDB') ? major < 10 || (major === 10 && minor < 6) : major < 8;
  if (!isOld) return ok('server', name);
  const advice = `Older than what the library was made for (MariaDB 10.6, MySQL 8.0; tested are ${TESTED}): bring it up to date.`;
  return warning('server', name, advice);
}

/** What a node is to be called that refuses statements: it answers some of them, or none. */
export function outOfCluster(found = 'a node of a Galera cluster'): Finding {
  const advice =
    'This node takes no statements: it has lost the majority, or is not in step yet. Look at the network ' +
    'between the nodes, and connect to one that is.';
  return problem('topology', `${found}: out of order`, advice);
}

function topologyChecks({ global, status }: Examination): Finding[] {
  if (global.isOn('wsrep_on')) {
    const size = status.text('wsrep_cluster_size');
    const state = status.text('wsrep_local_state_comment');
    const found = `a node of a Galera cluster of ${size || '?'}, ${state || 'state not known'}`;
    if (!status.isOn('wsrep_ready') || status.text('wsrep_cluster_status') !== 'Primary') {
      return [outOfCluster(found)];
    }
    const advice =
      'A COMMIT that loses against another node is refused with 1213: give atomic() its retries. One writing ' +
      'node per queue deadlocks least; SessionLock is refused, DistributedLocks work. The clocks of the nodes ' +
      'have to be in step (NTP): whichever node is asked decides whether a lock has ended.';
    return [note('topology', found, advice)];
  }
  if (global.has('group_replication_group_name')) {
    const advice =
      'With one primary, connect to it; with several, a COMMIT that loses is refused: give atomic() its ' +
      'retries. SessionLock is refused. Not tested by the library.';
    return [note('topology', 'a member of a replication group', advice)];
  }
  return [ok('topology', 'a server by itself, or of plain replication')];
}

function readOnlyCheck({ global }: Examination): Finding {
  const names = ['read_only', 'super_read_only', 'innodb_read_only'];
  const on = names.filter((name) => global.isOn(name));
  if (on.length === 0) return ok('read-only', 'takes writes');
  const advice =
    'A replica, or a primary that is being taken out of service: locks, store, cache and queue need the ' +
    'primary. Connect there, or SET GLOBAL read_only = 0 if this is it.';
  return problem('read-only', `takes no writes (${on.join(', ')})`, advice);
}

function skipLocked({ skipLocked: taken }: Examination): Finding {
  if (taken)
    return ok(
      'skip-locked',
      'FOR UPDATE SKIP LOCKED is there: consumers of a queue do not wait for each other',
    );
  const advice =
    'The queue does without it, more slowly: its consumers may wait for each other, and for transactions ' +
    'that acknowledge and stay open. MariaDB from 10.6 and MySQL from 8.0.1 on have it.';
  return warning('skip-locked', 'no FOR UPDATE SKIP LOCKED', advice);
}
