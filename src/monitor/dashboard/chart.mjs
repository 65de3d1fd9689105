import { element } from './dom.mjs';
import { clock, duration } from './format.mjs';

/* Connections over time: those in use and idle ones as areas on each other, callers that wait as a line. */

const SVG = 'http://www.w3.org/2000/svg';
const LEFT = 30;
const TOP = 8;
const BOTTOM = 22;

/** How many samples the width stands for. */
const SPAN = 300;

function shape(name, attributes, text) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

/** A round number at or above, so that the scale does not change with every sample. */
function ceiling(value) {
  const steps = [1, 2, 4, 5, 8, 10, 15, 20, 30, 40, 50, 75, 100];
  const size = 10 ** Math.max(0, Math.floor(Math.log10(Math.max(value, 1))) - 1);
  return (steps.find((step) => step * size >= value) ?? Math.ceil(value / size)) * size;
}

/** A line where there is something, from zero to zero: a long line of nothing says nothing. */
function hills(samples, name, pointOf) {
  const isPart = (at) => [at - 1, at, at + 1].some((near) => (samples[near]?.[name] ?? 0) > 0);
  return samples
    .map((one, at) => (isPart(at) ? `${isPart(at - 1) ? 'L' : 'M'}${pointOf(one, at)}` : ''))
    .join('');
}

export class PoolChart {
  constructor(home) {
    this.home = home;
    this.tip = element('div', { className: 'tip', hidden: true });
    this.samples = [];
    this.limit = 0;
    home.addEventListener('pointermove', (event) => this.point(event));
    home.addEventListener('pointerleave', () => this.point(undefined));
    new ResizeObserver(() => this.draw()).observe(home);
  }

  show(samples, limit, interval) {
    this.samples = samples;
    this.limit = limit;
    this.span = interval * SPAN;
    this.draw();
  }

  point(event) {
    this.pointed =
      event === undefined ? undefined : event.clientX - this.home.getBoundingClientRect().left;
    this.draw();
  }

  draw() {
    const { samples, home } = this;
    const { clientWidth: width, clientHeight: height } = home;
    if (width === 0 || samples.length === 0) return;
    const highest = Math.max(...samples.map((one) => Math.max(one.active + one.idle, one.waiting)));
    // The limit is drawn where it is near: of a pool of 10,000 it would flatten all the rest.
    const nearLimit = this.limit <= highest * 4 || this.limit <= 20;
    const top = ceiling(Math.max(highest, nearLimit ? this.limit : 0, 1));
    const bottom = height - BOTTOM;
    const step = (width - LEFT) / (SPAN - 1);
    const first = SPAN - samples.length;
    const x = (at) => LEFT + (first + at) * step;
    const y = (value) => bottom - (value / top) * (bottom - TOP);
    const svg = shape('svg', { viewBox: `0 0 ${width} ${height}`, 'aria-hidden': 'true' });
    for (const share of [0, 0.5, 1]) {
      const at = y(top * share);
      svg.append(shape('line', { class: 'grid', x1: LEFT, x2: width, y1: at, y2: at }));
      const label = Number.isInteger(top * share) ? String(top * share) : '';
      svg.append(shape('text', { x: LEFT - 8, y: at + 4, 'text-anchor': 'end' }, label));
    }
    const line = (of) => samples.map((one, at) => `${x(at).toFixed(1)} ${y(of(one)).toFixed(1)}`);
    const area = (upper, lower) => {
      const back = line(lower).reverse();
      return `M${[...line(upper), ...back].join('L')}Z`;
    };
    const used = (one) => one.active;
    const all = (one) => one.active + one.idle;
    svg.append(shape('path', { class: 'idle', d: area(all, used) }));
    svg.append(shape('path', { class: 'used', d: area(used, () => 0) }));
    svg.append(shape('path', { class: 'edge', d: `M${line(used).join('L')}` }));
    if (nearLimit) {
      const at = y(this.limit);
      svg.append(shape('line', { class: 'limit', x1: LEFT, x2: width, y1: at, y2: at }));
    }
    for (const name of ['connecting', 'waiting']) {
      const path = hills(
        samples,
        name,
        (one, at) => `${x(at).toFixed(1)} ${y(one[name]).toFixed(1)}`,
      );
      if (path !== '') svg.append(shape('path', { class: name, d: path }));
    }
    svg.append(shape('text', { x: LEFT, y: height - 4 }, `${duration(this.span)} ago`));
    svg.append(shape('text', { x: width, y: height - 4, 'text-anchor': 'end' }, 'now'));
    this.mark(svg, x, { width, step, first, bottom });
    home.replaceChildren(svg, this.tip);
  }

  mark(svg, x, { width, step, first, bottom }) {
    this.tip.hidden = true;
    if (this.pointed === undefined) return;
    const at = Math.round((this.pointed - LEFT) / step - first);
    const one = this.samples[at];
    if (one === undefined) return;
    svg.append(shape('line', { class: 'cursor', x1: x(at), x2: x(at), y1: TOP, y2: bottom }));
    this.tip.textContent =
      `${clock(one.at)}\n${one.active} in use\n${one.idle} idle\n${one.waiting} waiting` +
      (one.connecting > 0 ? `\n${one.connecting} connecting` : '');
    this.tip.hidden = false;
    if (x(at) > width / 2)
      Object.assign(this.tip.style, { left: 'auto', right: `${width - x(at) + 10}px` });
    else Object.assign(this.tip.style, { left: `${x(at) + 10}px`, right: 'auto' });
  }
}
