import fc from 'fast-check';

/** How something ended, as far as the model tells errors apart. */
export type End = 'done' | 'thrown' | 'duplicate' | 'doomed';

/** What a block may do. `caught`: its error goes no further than here. */
export type Step =
  | { readonly do: 'insert' | 'delete'; readonly id: number; readonly caught: boolean }
  | { readonly do: 'throw' }
  | Block
  | { readonly do: 'parallel'; readonly blocks: readonly Block[] };

export interface Block {
  readonly do: 'block';
  readonly savepoint: boolean;
  readonly caught: boolean;
  readonly body: readonly Step[];
}

const statement: fc.Arbitrary<Step> = fc.record({
  do: fc.constantFrom('insert', 'insert', 'insert', 'delete'),
  id: fc.integer({ min: 1, max: 6 }),
  caught: fc.boolean(),
});

const { block } = fc.letrec<{ step: Step; block: Block }>((tie) => ({
  step: fc.oneof(
    { depthSize: 'medium', withCrossShrink: true },
    { weight: 6, arbitrary: statement },
    { weight: 1, arbitrary: fc.constant<Step>({ do: 'throw' }) },
    { weight: 4, arbitrary: tie('block') },
    {
      weight: 1,
      arbitrary: fc
        .array(tie('block'), { minLength: 2, maxLength: 3, depthIdentifier: 'tree' })
        .map((blocks): Step => ({ do: 'parallel', blocks })),
    },
  ),
  block: fc.record({
    do: fc.constant('block' as const),
    savepoint: fc.boolean(),
    caught: fc.boolean(),
    body: fc.array(tie('step'), { maxLength: 5, depthIdentifier: 'tree' }),
  }),
}));

/** What is done to a database: transactions, and statements outside of them. */
export const history: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.oneof({ weight: 1, arbitrary: statement }, { weight: 4, arbitrary: block }),
  { minLength: 1, maxLength: 4 },
);

/** One level of an open transaction. */
class Level {
  spoilt = false;
  readonly onCommit: string[] = [];
  readonly onRollback: string[] = [];
}

class Failed extends Error {
  constructor(readonly end: End) {
    super(end);
  }
}

/** What the table, the hooks and every block's end have to be, without any database. */
export class BlockModel {
  rows = new Set<number>();
  /** The hooks that ran. */
  readonly hooks: string[] = [];
  /** How each block ended, in the order of their beginnings. */
  readonly ends: End[] = [];
  #blocks = 0;

  run(steps: readonly Step[]): void {
    for (const step of steps) this.#caught(true, () => this.#step(step, undefined));
  }

  #step(step: Step, level: Level | undefined): void {
    switch (step.do) {
      case 'throw':
        throw new Failed('thrown');
      case 'block':
        this.#caught(step.caught, () => this.#block(step, level, level?.spoilt === true));
        return;
      case 'parallel':
        // Asked for at once, they have their turns in that order.
        {
          const refused = level?.spoilt === true;
          for (const one of step.blocks) this.#caught(true, () => this.#block(one, level, refused));
        }
        return;
      default:
        this.#caught(step.caught, () => {
          if (level?.spoilt === true) throw new Failed('doomed');
          if (step.do === 'delete') this.rows.delete(step.id);
          else if (this.rows.has(step.id)) throw new Failed('duplicate');
          else this.rows.add(step.id);
        });
    }
  }

  #caught(caught: boolean, work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!caught) throw error;
    }
  }

  #block({ savepoint, body }: Block, outer: Level | undefined, refused: boolean): void {
    if (refused) throw new Failed('doomed');
    const joins = outer !== undefined && !savepoint;
    const before = new Set(this.rows);
    const level = new Level();
    // It waited while the block around it was spoilt: it runs, and none of its statements is sent.
    level.spoilt = outer?.spoilt === true;
    const number = this.#blocks++;
    level.onCommit.push(`${number} committed`);
    level.onRollback.push(`${number} rolled back`);
    try {
      for (const step of body) this.#step(step, level);
      if (level.spoilt) throw new Failed('doomed');
      this.ends[number] = 'done';
    } catch (error) {
      this.ends[number] = (error as Failed).end;
      if (joins) {
        outer.spoilt = true;
        outer.onCommit.push(...level.onCommit);
        outer.onRollback.push(...level.onRollback);
      } else {
        this.rows = before;
        this.hooks.push(...level.onRollback);
      }
      throw error;
    }
    if (outer === undefined) this.hooks.push(...level.onCommit);
    outer?.onCommit.push(...level.onCommit);
    outer?.onRollback.push(...level.onRollback);
  }
}
