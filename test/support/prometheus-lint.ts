import parse from 'parse-prometheus-text-format';

/** A sample as a line says it. */
export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** What the independent parser makes of one family. (Of histograms it drops the labels.) */
export interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly samples: readonly Sample[];
}

const LINE = /^([a-z_0-9]+)(?:\{(.*)\})? ([-+.0-9a-zA-Z]+)$/;
const LABEL = /([a-z_0-9]+)="((?:[^"\\]|\\.)*)"/gi;

/** Every sample, in the order of the text. A line that is none fails. */
export function samplesOf(exposition: string): Sample[] {
  const lines = exposition.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return lines.map((line) => {
    const [, name, labels = '', value] = LINE.exec(line) ?? [];
    if (name === undefined) throw new Error(`no sample: ${line}`);
    const read = [...labels.matchAll(LABEL)].map(([, label, text]) => [label!, text!] as const);
    return { name, labels: Object.fromEntries(read), value: Number(value) };
  });
}

export function familiesOf(exposition: string): Family[] {
  const samples = samplesOf(exposition);
  const parsed = parse(exposition) as Omit<Family, 'samples'>[];
  return parsed.map(({ name, help, type }) => ({
    name,
    help,
    type,
    samples: samples.filter((one) =>
      type === 'HISTOGRAM'
        ? one.name.replace(/_(?:bucket|sum|count)$/, '') === name
        : one.name === name,
    ),
  }));
}

/** The value of one sample; fails where there is none or several. Of a histogram: how many durations. */
export function valueOf(
  exposition: string,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number {
  const found = samplesOf(exposition)
    .filter((sample) => sample.name === (name.endsWith('_seconds') ? `${name}_count` : name))
    .filter((sample) =>
      Object.entries(labels).every(([label, value]) => sample.labels[label] === value),
    );
  if (found.length !== 1) throw new Error(`${found.length} samples of ${name}`);
  return found[0]!.value;
}

const BASE_UNITS = /(?:milli|micro|nano)seconds|minutes|hours|kilobytes|megabytes|(?:^|_)ms(?:_|$)/;
const TYPE_IN_NAME = /(?:^|_)(?:gauge|counter|summary|histogram)(?:_|$)/;

type Rule = (family: Family, labels: readonly string[]) => string | undefined;

/** promtool's rules, as far as they concern text that is exposed. */
const RULES: readonly Rule[] = [
  ({ help }) => (help === '' ? 'no help text' : undefined),
  ({ type, name }) =>
    type === 'COUNTER' && !name.endsWith('_total') ? 'counters end with _total' : undefined,
  ({ type, name }) =>
    type !== 'COUNTER' && name.endsWith('_total') ? 'only counters end with _total' : undefined,
  ({ type, name }) =>
    type !== 'HISTOGRAM' && /_(?:bucket|count|sum)$/.test(name)
      ? 'ends like a histogram'
      : undefined,
  ({ name }) => (BASE_UNITS.test(name) ? 'not in a base unit' : undefined),
  ({ name }) => (TYPE_IN_NAME.test(name) ? 'has its type in its name' : undefined),
  ({ name }) => (/^[a-z][a-z0-9_]*$/.test(name) ? undefined : 'is not in snake_case'),
  (_, labels) =>
    labels.every((label) => /^[a-z_]+$/.test(label)) ? undefined : 'a label is not in snake_case',
  ({ type }, labels) =>
    type !== 'HISTOGRAM' && labels.includes('le') ? 'has a label of histograms' : undefined,
];

/** OpenTelemetry's own name, which promtool takes for a part of a histogram. */
export const OWN_NAME = /db_client_connection_count/;

/** What promtool would complain of, as `<name> <what>`. */
export function lint(exposition: string): string[] {
  const families = familiesOf(exposition);
  const problems = families.flatMap((family) => {
    const labels = [...new Set(family.samples.flatMap((one) => Object.keys(one.labels)))];
    return RULES.map((rule) => rule(family, labels))
      .filter((problem) => problem !== undefined)
      .map((problem) => `${family.name} ${problem}`);
  });
  const names = families.map(({ name }) => name);
  const twice = names.filter((name, at) => names.indexOf(name) !== at);
  return [...problems, ...twice.map((name) => `${name} is there twice`)];
}
