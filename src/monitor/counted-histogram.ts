import { Histogram as PromHistogram, type Registry } from 'prom-client';
import { BOUNDS_IN_SECONDS, type Histogram } from './histogram';

export type Labels = Readonly<Record<string, string>>;

/** A histogram that is counted elsewhere, exposed as it is at the moment. */
export class CountedHistogram extends PromHistogram {
  readonly #exposed: { readonly name: string; readonly help: string };
  readonly #read: () => readonly (readonly [Labels, Histogram])[];

  constructor(
    registry: Registry,
    name: string,
    help: string,
    read: () => readonly (readonly [Labels, Histogram])[],
  ) {
    super({ name, help, registers: [registry] });
    this.#exposed = { name, help };
    this.#read = read;
  }

  override async get(): ReturnType<PromHistogram['get']> {
    const { name, help } = this.#exposed;
    const values = this.#read().flatMap(([labels, { counts, sum }]) => {
      let below = 0;
      const buckets = [...counts].map((count, at) => {
        below += count;
        const le = BOUNDS_IN_SECONDS[at] ?? '+Inf';
        return { metricName: `${name}_bucket`, labels: { ...labels, le }, value: below };
      });
      return [
        ...buckets,
        { metricName: `${name}_sum`, labels, value: sum / 1000 },
        { metricName: `${name}_count`, labels, value: below },
      ];
    });
    // Its types ask for what no reader of it looks at.
    return { name, help, type: 'histogram', aggregator: 'sum', values } as unknown as Awaited<
      ReturnType<PromHistogram['get']>
    >;
  }

  /** What prom-client's registry asks: its own form of this would read its own buckets. */
  getForPromString(): ReturnType<PromHistogram['get']> {
    return this.get();
  }
}
