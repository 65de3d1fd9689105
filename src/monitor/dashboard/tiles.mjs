import { byId, element, reconcile, setText, setTone } from './dom.mjs';
import { count, durationParts, plural } from './format.mjs';

/* The figures at the top. */

function tilesOf({ totals, pace, outcomes }, peak) {
  const { active, limit, idle, waiting, connecting, retries, timeouts } = totals;
  const [p95, p95Unit] = durationParts(pace.p95);
  const [median, medianUnit] = durationParts(pace.median);
  const { committed, rolledBack, inDoubt } = outcomes;
  return [
    {
      name: 'In use',
      figure: count(active),
      unit: `of ${count(limit)}`,
      note:
        connecting > 0
          ? `${count(idle)} idle, ${count(connecting)} connecting`
          : `${count(idle)} idle`,
      tone: active >= limit ? 'warn' : undefined,
    },
    {
      name: 'Waiting',
      figure: count(waiting),
      note: timeouts > 0 ? plural(timeouts, 'timeout') : 'no timeouts',
      tone: waiting > 0 ? 'bad' : undefined,
    },
    { name: 'Statements', figure: count(pace.rate), unit: '/s', note: `peak ${count(peak)}` },
    {
      name: 'p95 latency',
      figure: p95,
      unit: p95Unit,
      note: median === '–' ? 'nothing ran lately' : `median ${median} ${medianUnit}`,
    },
    {
      name: 'Committed',
      figure: count(committed),
      note: inDoubt > 0 ? `${count(inDoubt)} in doubt` : `${count(rolledBack)} rolled back`,
      tone: inDoubt > 0 ? 'bad' : undefined,
    },
    { name: 'Repeated', figure: count(retries), note: 'by themselves' },
  ];
}

/** @param peak the most statements a second, of the samples that are kept. */
export function showTiles(state, peak) {
  const make = () =>
    element(
      'div',
      { className: 'tile' },
      element('dt'),
      element(
        'dd',
        {},
        element('span', { className: 'figure' }),
        element('span', { className: 'unit' }),
        element('p', { className: 'note' }),
      ),
    );
  const update = (tile, { name, figure, unit = '', note, tone }) => {
    setText(tile.querySelector('dt'), name);
    setText(tile.querySelector('.figure'), figure);
    setText(tile.querySelector('.unit'), unit);
    setText(tile.querySelector('.note'), note);
    setTone(tile, tone);
  };
  reconcile(byId('tiles'), tilesOf(state, peak), ({ name }) => name, make, update);
}
