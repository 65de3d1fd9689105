/* The page's elements. Text is only ever set as text: what comes from the program is never markup. */

export const byId = (id) => document.getElementById(id);

export function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key === 'tone' || key === 'of') made.dataset[key] = value;
    else made[key] = value;
  }
  made.append(...children);
  return made;
}

/** Only where it differs: what has not changed keeps its selection and is not read out again. */
export function setText(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

export function setTone(target, tone) {
  if (tone === undefined) delete target.dataset.tone;
  else target.dataset.tone = tone;
}

/**
 * Brings the children of `parent` to `items`: those of a key that stays keep their element, and with it
 * focus and what is unfolded. Of several with the same key each is the one of its place among them.
 */
export function reconcile(parent, items, keyOf, make, update) {
  const before = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  const met = new Map();
  let previous = null;
  for (const item of items) {
    const name = String(keyOf(item));
    const place = met.get(name) ?? 0;
    met.set(name, place + 1);
    const key = place === 0 ? name : `${name} #${place}`;
    const child = before.get(key) ?? make(item);
    before.delete(key);
    child.dataset.key = key;
    update(child, item);
    const next = previous === null ? parent.firstElementChild : previous.nextElementSibling;
    if (next !== child) parent.insertBefore(child, next);
    previous = child;
  }
  for (const child of before.values()) child.remove();
}
