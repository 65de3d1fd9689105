import { dirname, sep } from 'node:path';
import type { Clock } from '../clock';
import type { Observation } from '../metrics/observation';
import type { Owner } from './entry';

/** Ours stand before the caller's, and would take the place of most of these. */
const FRAMES = 30;

/** Where this library's own frames lie: of its sources, or of its bundle. */
const OWN = dirname(dirname(__filename)) + sep;

function isTheirs(line: string): boolean {
  return !line.includes(OWN) && !line.includes('node:internal');
}

/** The same owner with where it took the connection. The stack becomes text when somebody reads it. */
function witnessed(owner: Owner): Owner {
  const usual = Error.stackTraceLimit;
  Error.stackTraceLimit = FRAMES;
  const here = new Error('taken here');
  Error.stackTraceLimit = usual;
  return {
    label: owner.label,
    get stack() {
      const [head, ...frames] = (owner.stack ?? here.stack ?? '').split('\n');
      return [head, ...frames.filter(isTheirs)].join('\n');
    },
  };
}

/** Who asks, with where that was if somebody wants to know. Call in the asker's own turn. */
export function askerOf(
  owner: Owner | undefined,
  observation: Observation,
  clock: Clock,
): Owner | undefined {
  return owner !== undefined && observation.wantsStack(clock) ? witnessed(owner) : owner;
}
