import type { Command } from './command';
import { cacheClear, cacheStats, cacheSweep } from './commands/cache';
import { doctor } from './commands/doctor';
import { install } from './commands/install';
import { killIdle } from './commands/kill-idle';
import { locksLs, locksRelease } from './commands/locks';
import { queueLs, queuePeek, queueRedrive, queueTrim } from './commands/queue';
import { status } from './commands/status';

/** Every command, in the order of the help. */
export const COMMANDS: readonly Command[] = [
  doctor,
  install,
  status,
  locksLs,
  locksRelease,
  queueLs,
  queuePeek,
  queueRedrive,
  queueTrim,
  cacheStats,
  cacheSweep,
  cacheClear,
  killIdle,
];
