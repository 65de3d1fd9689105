import fc from 'fast-check';

export const MAX_ATTEMPTS = 2;

const DOES = [
  'produce',
  'produceInVain',
  'consume',
  'ack',
  'ackInVain',
  'nack',
  'requeue',
  'redrive',
  'expire',
] as const;

/** `…InVain`: in a transaction that rolls back. `expire`: the server takes every claim for ended. */
export interface QueueStep {
  readonly do: (typeof DOES)[number];
  /** How many, or which of the messages that were ever claimed. */
  readonly n: number;
}

export const queueHistory = fc.array(
  fc.record<QueueStep>({
    do: fc.constantFrom(...DOES, 'produce', 'consume', 'consume', 'ack'),
    n: fc.nat(3),
  }),
  { minLength: 5, maxLength: 30 },
);

/** One that comes to every end that matters; the random ones need not. */
export const tellingHistory: QueueStep[] = [
  { do: 'produce', n: 3 },
  { do: 'consume', n: 3 },
  { do: 'requeue', n: 0 },
  { do: 'ack', n: 0 },
  { do: 'ack', n: 1 },
  { do: 'nack', n: 2 },
  { do: 'consume', n: 3 },
  { do: 'expire', n: 0 },
  { do: 'redrive', n: 0 },
];

interface Delivery {
  state: 'ready' | 'claimed' | 'dead' | 'acknowledged';
  attempt: number;
  /** Which claim has it. */
  claim: number;
}

/** A message as a consumer has it in hand. */
interface Hand {
  readonly body: number;
  readonly claim: number;
  over: 'no' | 'settled' | 'lost';
}

export type QueueEnd = string;

/** One group, as a list of messages. */
export class QueueModel {
  /** By body, which counts up with production. */
  readonly #all = new Map<number, Delivery>();
  readonly #hands: Hand[] = [];
  #claims = 0;
  #bodies = 0;

  get produced(): number {
    return this.#bodies;
  }

  count(state: Delivery['state']): number {
    return [...this.#all.values()].filter((one) => one.state === state).length;
  }

  run(step: QueueStep): QueueEnd {
    switch (step.do) {
      case 'produceInVain':
        return 'done';
      case 'produce':
        for (let made = 0; made <= step.n; made++) {
          this.#all.set(this.#bodies++, { state: 'ready', attempt: 0, claim: 0 });
        }
        return 'done';
      case 'consume':
        return this.#consume(step.n + 1);
      case 'redrive':
        return this.#each('dead', (one) => {
          one.state = 'ready';
          one.attempt = 0;
        });
      case 'expire':
        return this.#each('claimed', (one) => {
          one.state = one.attempt >= MAX_ATTEMPTS ? 'dead' : 'ready';
        });
      default:
        return this.#withHand(step);
    }
  }

  #consume(most: number): QueueEnd {
    const claim = ++this.#claims;
    const got: string[] = [];
    for (const [body, one] of this.#all) {
      if (one.state !== 'ready' || got.length === most) continue;
      Object.assign(one, { state: 'claimed', claim, attempt: one.attempt + 1 });
      this.#hands.push({ body, claim, over: 'no' });
      got.push(`${body}/${one.attempt}`);
    }
    return got.join(' ');
  }

  #withHand({ do: what, n }: QueueStep): QueueEnd {
    const hand = this.#hands.at(-1 - n);
    if (hand === undefined) return 'nothing';
    const one = this.#all.get(hand.body)!;
    if (what === 'requeue') {
      if (one.state !== 'claimed') return 'false';
      one.state = 'ready';
      return 'true';
    }
    if (hand.over === 'settled') return 'done';
    if (hand.over === 'lost' || one.state !== 'claimed' || one.claim !== hand.claim) {
      hand.over = 'lost';
      return 'lost';
    }
    if (what === 'ackInVain') return 'done';
    hand.over = 'settled';
    if (what === 'ack') one.state = 'acknowledged';
    else one.state = one.attempt >= MAX_ATTEMPTS ? 'dead' : 'ready';
    return 'done';
  }

  #each(state: Delivery['state'], change: (one: Delivery) => void): QueueEnd {
    const those = [...this.#all.values()].filter((one) => one.state === state);
    those.forEach(change);
    return String(those.length);
  }
}
