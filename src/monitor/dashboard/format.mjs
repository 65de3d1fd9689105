/* Numbers and times as people read them. */

const whole = new Intl.NumberFormat('en');

export function count(value) {
  return value >= 100_000
    ? new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 }).format(value)
    : whole.format(Math.round(value));
}

/** Two digits where there are few, as `[figure, unit]`. */
export function durationParts(ms) {
  if (ms === null || ms === undefined) return ['–', ''];
  if (ms < 10) return [ms.toFixed(1), 'ms'];
  if (ms < 1000) return [String(Math.round(ms)), 'ms'];
  if (ms < 10_000) return [(ms / 1000).toFixed(1), 's'];
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return [String(seconds), 's'];
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return [`${minutes}:${String(seconds % 60).padStart(2, '0')}`, 'min'];
  const hours = Math.floor(minutes / 60);
  return hours < 48
    ? [`${hours}:${String(minutes % 60).padStart(2, '0')}`, 'h']
    : [String(Math.floor(hours / 24)), 'days'];
}

export function duration(ms) {
  return durationParts(ms).join(' ').trim();
}

export function bytes(value) {
  const names = ['bytes', 'kB', 'MB', 'GB', 'TB'];
  const size = value < 1 ? 0 : Math.min(names.length - 1, Math.floor(Math.log10(value) / 3));
  return `${size === 0 ? value : (value / 1000 ** size).toFixed(1)} ${names[size]}`;
}

export function clock(at) {
  return new Date(at).toLocaleTimeString([], { hour12: false });
}

export function plural(number, one, many = `${one}s`) {
  return `${count(number)} ${number === 1 ? one : many}`;
}

/** `expiresIn` as `expires in`. */
export function words(name) {
  return name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`).replaceAll('_', ' ');
}

export function sentence(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
