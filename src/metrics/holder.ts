/** Who has a connection right now. */
export interface LeaseHolder {
  readonly threadId: number;
  /** The label of the decorated method or scope that has it. */
  readonly label: string | undefined;
  /** Where it was taken, where that was captured. */
  readonly stack: string | undefined;
  /** How long it is out, in ms; `undefined` where nobody looked at the clock when it was taken. */
  readonly heldFor: number | undefined;
}
