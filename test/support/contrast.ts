/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
import type { Page } from 'playwright-core';

/** A text that is shown, with the colours it is shown in, as the browser computes them. */
export interface ShownText {
  readonly text: string;
  readonly size: number;
  readonly bold: boolean;
  /** How much the two differ, 1 to 21, as WCAG 2 reckons it. */
  readonly contrast: number;
}

/** Every text that is shown on the page. */
export function shownTexts(page: Page): Promise<ShownText[]> {
  return page.evaluate(() => {
    const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true })!;
    type Colour = readonly [number, number, number, number];
    const read = (colour: string): Colour => {
      canvas.clearRect(0, 0, 1, 1);
      canvas.fillStyle = colour;
      canvas.fillRect(0, 0, 1, 1);
      const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data as unknown as number[];
      return [r!, g!, b!, a! / 255];
    };
    const over = (top: Colour, below: Colour): Colour => {
      const mix = (at: 0 | 1 | 2): number => top[at] * top[3] + below[at] * (1 - top[3]);
      return [mix(0), mix(1), mix(2), 1];
    };
    const light = ([r, g, b]: Colour): number => {
      const [x, y, z] = [r, g, b].map((value) => {
        const share = value / 255;
        return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
      });
      return 0.2126 * x! + 0.7152 * y! + 0.0722 * z!;
    };
    const groundOf = (start: Element): Colour => {
      const layers: Colour[] = [];
      for (let each: Element | null = start; each !== null; each = each.parentElement) {
        layers.push(read(getComputedStyle(each).backgroundColor));
        if (layers.at(-1)![3] === 1) break;
      }
      const paper: Colour = [255, 255, 255, 1];
      return layers.reduceRight((below, top) => over(top, below), paper);
    };
    const found = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node !== null; node = walker.nextNode()) {
      const text = node.textContent!.trim();
      const parent = node.parentElement!;
      if (text === '' || !parent.checkVisibility() || ['STYLE', 'SCRIPT'].includes(parent.tagName))
        continue;
      const { color, fill, fontSize, fontWeight } = getComputedStyle(parent);
      const ground = groundOf(parent);
      const ink = over(read(parent instanceof SVGElement ? fill : color), ground);
      const [bright, dim] = [light(ink), light(ground)].sort((a, b) => b - a);
      found.push({
        text: text.slice(0, 60),
        size: parseFloat(fontSize),
        bold: Number(fontWeight) >= 700,
        contrast: (bright! + 0.05) / (dim! + 0.05),
      });
    }
    return found;
  });
}

/** Those below WCAG's level AA: 4.5, for large text 3. */
export function tooFaint(texts: readonly ShownText[]): ShownText[] {
  return texts.filter(({ size, bold, contrast }) => {
    const large = size >= 24 || (bold && size >= 18.66);
    return contrast < (large ? 3 : 4.5);
  });
}
