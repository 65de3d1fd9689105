import { byId, element, reconcile, setText, setTone } from './dom.mjs';
import { bytes, clock, count, duration, plural, sentence, words } from './format.mjs';

/* What stands below the chart. */

/** From how long on a connection is out for long, and for very long, in ms. */
const LONG = 5000;
const VERY_LONG = 30_000;

function toneOfHold(heldFor) {
  if (heldFor === null || heldFor >= VERY_LONG) return 'bad';
  return heldFor >= LONG ? 'warn' : undefined;
}

function row() {
  return element(
    'li',
    {},
    element('span', { className: 'title' }),
    element('span', { className: 'value' }),
    element('p', { className: 'meta' }),
  );
}

const part = (parent, name) => parent.querySelector(`.${name}`);

/** Below this, in ms, a connection is at work like all others: one line for all of them. */
const BRIEF = 100;

export function showHolders({ holders, totals }) {
  const many = totals.databases > 1;
  const shown = holders.filter(({ heldFor }) => heldFor === null || heldFor >= BRIEF);
  const brief = totals.active - shown.length;
  setText(byId('out-side'), `${count(totals.active)} of ${count(totals.limit)}`);
  byId('holders-empty').hidden = totals.active > 0;
  byId('holders-more').hidden = brief === 0;
  setText(
    byId('holders-more'),
    `${count(brief)}${shown.length > 0 ? ' more' : ''} at work, each for less than ${duration(BRIEF)}`,
  );
  const update = (item, { database, threadId, label, heldFor, stack }) => {
    setText(part(item, 'title'), label ?? 'No label');
    part(item, 'title').classList.toggle('none', label === null);
    setText(part(item, 'value'), heldFor === null ? 'from before' : duration(heldFor));
    setTone(part(item, 'value'), toneOfHold(heldFor));
    const session = many ? `${database}, session ${threadId}` : `Session ${threadId}`;
    const where = heldFor === null ? `${session}, taken before this monitor began` : session;
    part(item, 'meta').hidden = stack !== null;
    setText(part(item, 'meta'), where);
    showMore(item, `${where}: where it was taken`, stack);
  };
  const keyOf = ({ database, threadId }) => `${database} ${threadId}`;
  reconcile(byId('holders'), shown, keyOf, row, update);
}

/** What is unfolded below a row; `null`: nothing. */
function showMore(item, summary, text) {
  let details = item.querySelector('details');
  if (text === null) {
    details?.remove();
    return;
  }
  if (details === null) {
    details = element('details', {}, element('summary'), element('pre'));
    item.append(details);
  }
  setText(details.querySelector('summary'), summary);
  setText(details.querySelector('pre'), text);
}

/** A statement of more characters may be cut off after some lines. */
const CUT_OFF_FROM = 80;

export function showSlow({ slow: { threshold, noted, statements } }) {
  const rule = threshold === 0 ? 'not listed' : `from ${duration(threshold)} on`;
  setText(byId('slow-side'), noted === 0 ? rule : `${count(noted)}, ${rule}`);
  byId('statements-empty').hidden = statements.length > 0;
  const make = () => {
    const made = row();
    part(made, 'title').classList.add('statement');
    const worst = element('span', { className: 'worst' });
    part(made, 'value').append(worst, element('small', { textContent: 'at worst' }));
    return made;
  };
  const update = (item, { text, count: times, total, worst, failed, lastAt }) => {
    setText(part(item, 'title'), text);
    setText(part(item, 'worst'), duration(worst));
    const often =
      times === 1 ? 'once' : `${plural(times, 'time')}, ${duration(total / times)} on average`;
    const failures = failed === 0 ? '' : `, ${count(failed)} failed`;
    setText(part(item, 'meta'), `${sentence(often)}${failures}, last at ${clock(lastAt)}`);
    showMore(item, 'The whole statement', text.length < CUT_OFF_FROM ? null : text);
  };
  reconcile(byId('statements'), statements, ({ text }) => text, make, update);
}

/** Numbers that say more as a share of another. */
function withShares(values) {
  const { hits, misses } = values;
  if (hits === undefined || misses === undefined || hits + misses === 0)
    return Object.entries(values);
  const rate = `${((hits / (hits + misses)) * 100).toFixed(1)} %`;
  return [['hitRate', rate], ...Object.entries(values)];
}

function figureOf(key, value) {
  if (typeof value !== 'number') return value;
  return /bytes$/i.test(key) ? bytes(value) : count(value);
}

export function showInstruments({ instruments, totals }) {
  byId('instruments-empty').hidden = instruments.length > 0;
  const make = () =>
    element(
      'article',
      { className: 'card' },
      element(
        'div',
        { className: 'head' },
        element('h3', {}, element('b'), element('span')),
        element('p', { className: 'side' }),
      ),
      element('dl', { className: 'numbers' }),
      element('div', { className: 'table' }),
    );
  const update = (card, instrument) => {
    const { kind, name, database, values, error } = instrument;
    setText(card.querySelector('h3 b'), sentence(kind));
    setText(card.querySelector('h3 span'), name);
    const of = totals.databases > 1 ? database : '';
    setText(part(card, 'side'), error === undefined ? of : `${of} not read: ${error}`.trim());
    reconcile(
      part(card, 'numbers'),
      withShares(values),
      ([key]) => key,
      () => element('div', {}, element('dt'), element('dd')),
      (item, [key, value]) => {
        setText(item.querySelector('dt'), sentence(words(key)));
        setText(item.querySelector('dd'), figureOf(key, value));
      },
    );
    showTable(part(card, 'table'), instrument);
  };
  const keyOf = ({ database, kind, name }) => `${database} ${kind} ${name}`;
  reconcile(byId('instruments'), instruments, keyOf, make, update);
}

function showTable(home, { kind, columns = {}, rows = [] }) {
  const names = Object.keys(columns);
  if (rows.length === 0) {
    home.replaceChildren();
    return;
  }
  let table = home.querySelector('table');
  if (table === null) {
    const heads = names.map((name) =>
      element('th', {
        scope: 'col',
        role: 'columnheader',
        textContent: sentence(words(name)),
        className: columns[name] === 'text' ? '' : 'figure',
      }),
    );
    const caption = element('caption', {
      className: 'unseen',
      textContent: `${sentence(kind)}: rows`,
    });
    table = element('table', { role: 'table' }, caption);
    table.append(element('thead', {}, element('tr', { role: 'row' }, ...heads)), element('tbody'));
    home.replaceChildren(table);
  }
  const firsts = names.filter((name) => columns[name] === 'text');
  reconcile(
    table.tBodies[0],
    rows,
    (item) => firsts.map((name) => item[name]).join(' '),
    () => element('tr', { role: 'row' }),
    (line, item) => {
      reconcile(
        line,
        names,
        (name) => name,
        (name) => cellOf(name, columns[name]),
        (cell, name) => setText(cell, cellText(item[name], columns[name])),
      );
    },
  );
}

/** Its name is shown where there is no room for the line of heads. */
function cellOf(name, kind) {
  const cell = element('td', { role: 'cell', className: kind === 'text' ? '' : 'figure' });
  cell.dataset.name = words(name);
  return cell;
}

function cellText(value, kind) {
  if (value === null || value === undefined) return '–';
  if (kind === 'duration') return duration(value);
  return kind === 'number' && value >= 100_000 ? count(value) : String(value);
}

export function showDatabases({ databases, totals }) {
  byId('tenants-card').hidden = totals.databases < 2;
  const shown = databases.length < totals.databases ? `, the busiest ${databases.length}` : '';
  setText(byId('tenants-side'), `${plural(totals.databases, 'database')} open${shown}`);
  const make = () => {
    const made = row();
    made.append(element('div', { className: 'meter' }, element('i')));
    return made;
  };
  const update = (item, { name, active, idle, waiting, limit, acquired, timeouts }) => {
    setText(part(item, 'title'), name);
    setText(part(item, 'value'), `${count(active)} of ${count(limit)}`);
    setTone(part(item, 'value'), waiting > 0 ? 'warn' : undefined);
    const facts = [`${count(idle)} idle`, `${count(acquired)} taken so far`];
    if (waiting > 0) facts.unshift(`${count(waiting)} waiting`);
    if (timeouts > 0) facts.push(plural(timeouts, 'timeout'));
    setText(part(item, 'meta'), facts.join(', '));
    item.querySelector('i').style.width = `${Math.min(100, (active / limit) * 100)}%`;
    setTone(part(item, 'meter'), active >= limit ? 'bad' : undefined);
  };
  reconcile(byId('databases'), databases, ({ name }) => name, make, update);
}
