import { BOUNDS_IN_SECONDS, type Histogram } from './histogram';

export type Labels = Readonly<Record<string, string>>;

const ESCAPES: Readonly<Record<string, string>> = { '\\': '\\\\', '"': '\\"', '\n': '\\n' };

function escaped(value: string): string {
  return value.replace(/[\\"\n]/g, (character) => ESCAPES[character] ?? character);
}

/**
 * Histograms that were counted elsewhere, in Prometheus' text format. prom-client can only expose what it
 * has counted itself, and takes several times as long over the thousands of lines of many tenants.
 */
export function histogramText(
  name: string,
  help: string,
  histograms: readonly (readonly [Labels, Histogram])[],
): string {
  const lines = [`# HELP ${name} ${help}`, `# TYPE ${name} histogram`];
  for (const [labels, { counts, sum }] of histograms) {
    const own = Object.entries(labels)
      .map(([label, value]) => `${label}="${escaped(value)}"`)
      .join(',');
    const prefix = own === '' ? `${name}_bucket{le="` : `${name}_bucket{${own},le="`;
    const braced = own === '' ? '' : `{${own}}`;
    let below = 0;
    for (const [at, count] of counts.entries()) {
      below += count;
      lines.push(`${prefix}${BOUNDS_IN_SECONDS[at] ?? '+Inf'}"} ${below}`);
    }
    lines.push(`${name}_sum${braced} ${sum / 1000}`, `${name}_count${braced} ${below}`);
  }
  return lines.join('\n');
}
