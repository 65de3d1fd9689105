/** What a value did. */
export type Crossing = 'crossed' | 'recovered';

/**
 * A threshold that is crossed once: not again before the value has come well below it. A value that
 * swings about the threshold is told once, and not at every look.
 */
export class Threshold {
  readonly #warnAt: number;
  readonly #recoverBelow: number;
  #above = false;

  /**
   * @param warnAt 0: never.
   * @param hysteresis by which share below it a value counts as recovered.
   */
  constructor(warnAt: number, hysteresis: number) {
    this.#warnAt = warnAt;
    this.#recoverBelow = warnAt * (1 - hysteresis);
  }

  /** What is not known changes nothing. */
  note(value: number | undefined): Crossing | undefined {
    if (value === undefined || this.#warnAt === 0) return undefined;
    if (!this.#above && value >= this.#warnAt) {
      this.#above = true;
      return 'crossed';
    }
    if (this.#above && value < this.#recoverBelow) {
      this.#above = false;
      return 'recovered';
    }
    return undefined;
  }
}
