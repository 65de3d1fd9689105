import fc from 'fast-check';
import { TransactionDoomedError, type RetryingPooledDatabase } from '../../src/index';
import { BlockModel, history, type Block, type End, type Step } from '../support/block-model';
import { longForm } from '../support/long-form';
import { notesIn, onEachServer } from '../support/servers';

const PROPERTY = longForm<{ numRuns: number; seed?: number }>('BOOMERANG_BLOCKS', { numRuns: 60 });

class Thrown extends Error {}

function endOf(error: unknown): End {
  if (error instanceof Thrown) return 'thrown';
  if (error instanceof TransactionDoomedError) return 'doomed';
  if ((error as { errno?: number }).errno === 1062) return 'duplicate';
  throw error;
}

/** Does to a database what the model does to a set. */
class Trial {
  readonly hooks: string[] = [];
  readonly ends: End[] = [];
  #blocks = 0;

  constructor(readonly db: RetryingPooledDatabase) {}

  async run(steps: readonly Step[]): Promise<void> {
    for (const step of steps) await this.#step(step).catch(endOf);
  }

  async #step(step: Step): Promise<void> {
    switch (step.do) {
      case 'throw':
        throw new Thrown();
      case 'block':
        await this.#caught(step.caught, this.#block(step));
        return;
      case 'parallel':
        await Promise.all(step.blocks.map((block) => this.#caught(true, this.#block(block))));
        return;
      case 'insert':
        await this.#caught(
          step.caught,
          this.db.query('INSERT INTO notes VALUES (?, NULL)', [step.id]),
        );
        return;
      case 'delete':
        await this.#caught(
          step.caught,
          this.db.execute('DELETE FROM notes WHERE id = ?', [step.id]),
        );
    }
  }

  async #caught(caught: boolean, work: Promise<unknown>): Promise<void> {
    try {
      await work;
    } catch (error) {
      // Whatever the model knows nothing of fails the test.
      endOf(error);
      if (!caught) throw error;
    }
  }

  async #block({ savepoint, body }: Block): Promise<void> {
    let number: number | undefined;
    try {
      await this.db.atomic(
        async (tx) => {
          const own = (number = this.#blocks++);
          tx.afterCommit(() => this.hooks.push(`${own} committed`));
          tx.afterRollback(() => this.hooks.push(`${own} rolled back`));
          for (const step of body) await this.#step(step);
        },
        { savepoint },
      );
      if (number !== undefined) this.ends[number] = 'done';
    } catch (error) {
      if (number !== undefined) this.ends[number] = endOf(error);
      throw error;
    }
  }
}

onEachServer((bench) => {
  it('whatever is nested, thrown and caught in whatever order: table, hooks and every block’s end are the model’s', async () => {
    // A connection that answers late is no reason for another.
    const db = bench.open({ connectionLimit: 2, validateAfter: 0 });
    await fc.assert(
      fc.asyncProperty(history, async (steps) => {
        await bench.sql(`DELETE FROM ${bench.schema}.notes`);
        const model = new BlockModel();
        model.run(steps);
        const trial = new Trial(db);
        await trial.run(steps);
        expect({
          rows: await notesIn(bench),
          hooks: trial.hooks.sort(),
          ends: trial.ends,
          active: db.stats().active,
        }).toEqual({
          rows: [...model.rows].sort((a, b) => a - b),
          hooks: model.hooks.sort(),
          ends: model.ends,
          active: 0,
        });
      }),
      PROPERTY,
    );
    // One connection did it all: no error of a statement costs one, and none was left unsound.
    expect(db.stats()).toMatchObject({ created: 1, destroyed: 0, retries: 0 });
  }, 3_600_000);
});
