import { connectionScope } from '../scope/connection-scope';
import { HashCommands } from './hash-commands';
import { pipelineOf, runsOf, type Step, type StorePipeline } from './pipeline';
import type { ExpiryOptions, NameForm, NameLike } from './store-options';

/**
 * Redis's structures on tables: strings, counters, sets, sorted sets, hashes, with replies as Redis's.
 *
 * Each command is atomic, by itself or as part of the transaction it is called in: inside `db.atomic`
 * what it writes is committed and rolled back with everything else. Keys expire by the server's clock.
 * Each has a form with an underscore that takes part in the open scope and never ends it.
 *
 * @example
 * const store = new KeyValueStore(db, { namespace: 'shop' });
 * await store.set('greeting', 'hello', { ttl: 60_000 });
 * await store.zadd('ranking', 7.5, 'Ann');
 */
export class KeyValueStore<Form extends NameForm = 'string'> extends HashCommands<Form> {
  /**
   * Collects commands, and sends them with `exec()`.
   *
   * @example
   * const [count, name] = await store.pipeline().incrBy('visits').get('name').exec();
   */
  pipeline(): StorePipeline<Form> {
    return pipelineOf<Form>((steps) => connectionScope(() => this.#send(steps)));
  }

  async #send(steps: readonly Step[]): Promise<unknown[]> {
    const replies: unknown[] = [];
    for (const run of runsOf(steps)) replies.push(...(await this.#run(run)));
    return replies;
  }

  async #run(run: readonly Step[]): Promise<unknown[]> {
    const [first] = run;
    if (first === undefined) return [];
    if (run.length === 1) return [await this.#one(first)];
    if (first.command === 'get') {
      const rows = await this._rows(run.map(({ args }) => args[0] as NameLike));
      return rows.map((row) => this.decoded(row));
    }
    const entries = run.map(({ args: [key, value, options] }) => ({
      key: key as NameLike,
      value,
      options: options as ExpiryOptions | undefined,
    }));
    await this._setAll(entries);
    return entries.map(() => undefined);
  }

  #one({ command, args }: Step): Promise<unknown> {
    type Participants = Record<string, (...given: readonly unknown[]) => Promise<unknown>>;
    const participants = this as unknown as Participants;
    return participants[`_${command}`]?.(...args) ?? Promise.resolve();
  }
}
