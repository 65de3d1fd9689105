export type Tone = 'good' | 'note' | 'warning' | 'bad' | 'faint' | 'strong';

const CODES: Readonly<Record<Tone, number>> = {
  good: 32,
  note: 36,
  warning: 33,
  bad: 31,
  faint: 2,
  strong: 1,
};

/** Where a command's words go. */
export interface Terminal {
  /** How many characters a line has; what is longer is wrapped where it can be. */
  readonly width: number;
  /** Whether somebody looks at it, and not a file or another program. */
  readonly isLive: boolean;
  readonly out: (text: string) => void;
  readonly error: (text: string) => void;
  /** Coloured where colours are wanted. */
  readonly paint: (text: string, tone: Tone) => string;
}

/** A line that nobody wraps is read badly beyond this. */
const WIDEST = 110;

/** The process's own: coloured on a terminal that can show it, unless `NO_COLOR` is set. */
export function processTerminal({ stdout, stderr, env }: NodeJS.Process): Terminal {
  const isLive = stdout.isTTY;
  const colours = isLive && (env['NO_COLOR'] ?? '') === '' && stdout.hasColors();
  return {
    isLive,
    width: isLive ? Math.max(40, Math.min(stdout.columns, WIDEST)) : WIDEST,
    out: (text) => void stdout.write(text),
    error: (text) => void stderr.write(text),
    paint: (text, tone) => (colours && text !== '' ? `\x1b[${CODES[tone]}m${text}\x1b[0m` : text),
  };
}
