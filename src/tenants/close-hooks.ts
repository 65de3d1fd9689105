import { settledWithin, type Clock } from '../clock';
import type { CloseHook } from './registry-options';
import type { Closing } from './tenant';

/** How long a hook is waited for, in ms. */
const PATIENCE = 10_000;

/**
 * Runs what is to be done after a tenant was closed: each hook in a try of its own, at the same time,
 * once for each closing. One that throws, or does not settle, is reported and keeps nobody waiting.
 */
export class CloseHooks {
  readonly #hooks: readonly CloseHook[];
  readonly #clock: Clock;
  readonly #failed: (error: unknown, tenant: string) => void;
  readonly #begun = new WeakSet<Closing>();
  readonly #running = new Set<Promise<void>>();

  constructor(
    hooks: readonly CloseHook[],
    clock: Clock,
    failed: (error: unknown, tenant: string) => void,
  ) {
    this.#hooks = hooks;
    this.#clock = clock;
    this.#failed = failed;
  }

  /** Begins the hooks of this closing, unless they were begun. */
  begin(tenant: string, closing: Closing): void {
    if (this.#hooks.length === 0 || this.#begun.has(closing)) return;
    this.#begun.add(closing);
    for (const hook of this.#hooks) {
      const running = this.#run(hook, tenant, closing).finally(() => this.#running.delete(running));
      this.#running.add(running);
    }
  }

  /** Resolves when all that were begun have settled or are given up. */
  async settled(): Promise<void> {
    await Promise.all(this.#running);
  }

  async #run(hook: CloseHook, tenant: string, { reason }: Closing): Promise<void> {
    let over = false;
    const run = async (): Promise<void> => {
      try {
        await hook(tenant, reason);
      } catch (error) {
        this.#failed(error, tenant);
      } finally {
        over = true;
      }
    };
    await settledWithin(this.#clock, PATIENCE, run());
    if (!over) this.#failed(new Error(`an onClose hook took more than ${PATIENCE} ms`), tenant);
  }
}
