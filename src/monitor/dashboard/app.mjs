import { PoolChart } from './chart.mjs';
import { byId, element, reconcile, setText, setTone } from './dom.mjs';
import { count, duration, plural } from './format.mjs';
import { showDatabases, showHolders, showInstruments, showSlow } from './panels.mjs';
import { EventFeed } from './stream.mjs';
import { showTiles } from './tiles.mjs';

/* Puts it together: the token, the feed, and what is shown of each state. */

const TOKEN = 'mysql-boomerang-token';
const THEME = 'mysql-boomerang-theme';
const SAMPLES = 300;

const chart = new PoolChart(byId('chart'));
let samples = [];
let announced = '';

function readToken() {
  return sessionStorage.getItem(TOKEN);
}

/** Read out, and only when it changes: numbers that move each second are not. */
function announce(text) {
  if (text === announced) return;
  announced = text;
  setText(byId('announcement'), text);
}

function showStatus(tone, text) {
  setTone(byId('status'), tone);
  setText(byId('status'), text);
}

function showHealth({ health }) {
  const reasons = health?.reasons ?? [];
  const notice = byId('reasons');
  notice.hidden = reasons.length === 0;
  setTone(notice, health?.ready === false ? 'bad' : 'warn');
  setText(notice, reasons.join('; '));
  const [tone, text] =
    health?.ready === false
      ? ['bad', 'Not ready']
      : reasons.length > 0
        ? ['warn', 'Degraded']
        : ['good', 'Ready'];
  showStatus(tone, text);
  announce(reasons.length > 0 ? `${text}: ${reasons.join('; ')}` : text);
}

function showPool({ totals, interval }) {
  chart.show(samples, totals.limit, interval);
  const { active, idle, waiting, connecting, limit } = totals;
  const parts = [
    ['used', 'in use', active],
    ['idle', 'idle', idle],
    ['waiting', 'waiting', waiting],
    ['connecting', 'connecting', connecting],
  ];
  reconcile(
    byId('legend'),
    parts,
    ([of]) => of,
    ([of, name]) =>
      element('li', {}, element('span', { className: 'swatch', of }), element('b'), ` ${name}`),
    (item, [, , value]) => setText(item.querySelector('b'), count(value)),
  );
  setText(byId('span'), `at most ${plural(limit, 'connection')}, every ${duration(interval)}`);
  byId('chart').setAttribute(
    'aria-label',
    `Connections over the last minutes; now ${active} in use, ${idle} idle, ${waiting} waiting, ` +
      `${connecting} connecting, of at most ${limit}`,
  );
}

function show(state) {
  samples = state.samples.length > 1 ? state.samples : [...samples, ...state.samples];
  samples = samples.slice(-SAMPLES);
  byId('login').hidden = true;
  byId('board').hidden = false;
  byId('leave').hidden = readToken() === null;
  const { pid, node, uptime } = state.process;
  setText(byId('process'), `process ${pid}, Node ${node}, up ${duration(uptime * 1000)}`);
  showHealth(state);
  showTiles(state, Math.max(...samples.map(({ rate }) => rate)));
  showPool(state);
  showHolders(state);
  showSlow(state);
  showInstruments(state);
  showDatabases(state);
}

function askForToken() {
  const tried = readToken() !== null;
  sessionStorage.removeItem(TOKEN);
  samples = [];
  byId('board').hidden = true;
  byId('leave').hidden = true;
  byId('login').hidden = false;
  setText(byId('process'), '');
  setText(byId('refused'), tried ? 'This token was not accepted.' : '');
  showStatus('idle', 'Locked');
  byId('token').value = '';
  byId('token').focus();
}

const feed = new EventFeed({
  state: show,
  refused: askForToken,
  lost() {
    showStatus('bad', 'Connection lost');
    announce('Connection lost; it is tried again.');
  },
});

byId('login').addEventListener('submit', (event) => {
  event.preventDefault();
  sessionStorage.setItem(TOKEN, byId('token').value.trim());
  feed.open(readToken());
});

byId('leave').addEventListener('click', () => {
  feed.close();
  sessionStorage.removeItem(TOKEN);
  askForToken();
});

const dark = matchMedia('(prefers-color-scheme: dark)');

function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen === undefined ? dark.matches : chosen === 'dark';
}

function nameTheme() {
  setText(byId('theme-name'), isDark() ? 'Light theme' : 'Dark theme');
}

function restoreTheme() {
  const kept = localStorage.getItem(THEME);
  if (kept === 'dark' || kept === 'light') document.documentElement.dataset.theme = kept;
  nameTheme();
}

byId('theme').addEventListener('click', () => {
  const theme = isDark() ? 'light' : 'dark';
  document.documentElement.dataset.theme = theme;
  localStorage.setItem(THEME, theme);
  nameTheme();
});

dark.addEventListener('change', nameTheme);
restoreTheme();
feed.open(readToken());
