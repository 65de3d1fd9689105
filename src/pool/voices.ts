import type { Clock } from '../clock';
import type { Logger } from '../logger';
import type { Observation } from '../metrics/observation';
import type { PoolTracker } from '../metrics/tracker';

/** Whom the parts of a pool tell what happens, and the clock they go by. */
export interface Voices {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly tracker: PoolTracker;
  readonly observation: Observation;
}
