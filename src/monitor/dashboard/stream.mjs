/*
 * Server-sent events by fetch: the browser's EventSource can send no token, and one in the URL would stand
 * in logs, one in a cookie would be sent along with requests of other pages.
 */

/** How long until it is tried again, in ms: at first, and at most. */
const FIRST_PAUSE = 1000;
const LONGEST_PAUSE = 10_000;

/** How long it may be silent, in ms, and in the intervals in which it speaks. */
const SILENCE = 10_000;
const SILENT_INTERVALS = 4;

export class EventFeed {
  /** @param hooks `state(data)`, `refused()`, `lost()` */
  constructor(hooks) {
    this.hooks = hooks;
    this.pause = FIRST_PAUSE;
    this.silence = SILENCE;
  }

  open(token) {
    this.close();
    const controller = new AbortController();
    this.controller = controller;
    void this.follow(token, controller);
  }

  close() {
    const { controller } = this;
    this.controller = undefined;
    controller?.abort();
    clearTimeout(this.again);
  }

  async follow(token, controller) {
    try {
      const headers = token === null ? {} : { Authorization: `Bearer ${token}` };
      const { signal } = controller;
      const response = await fetch('api/events', { headers, signal, cache: 'no-store' });
      if (response.status === 401) {
        this.hooks.refused();
        return;
      }
      if (!response.ok) throw new Error(String(response.status));
      await this.read(response.body, controller);
    } catch {
      // Lost, for whatever reason: tried again below.
    }
    // Closed meanwhile, or opened anew.
    if (controller !== this.controller) return;
    this.hooks.lost();
    this.again = setTimeout(() => this.open(token), this.pause);
    this.pause = Math.min(this.pause * 2, LONGEST_PAUSE);
  }

  async read(body, controller) {
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = '';
    for (;;) {
      // A laptop that slept finds a stream that says nothing and does not end.
      const silent = setTimeout(() => controller.abort(), this.silence);
      const { done, value } = await reader.read().finally(() => clearTimeout(silent));
      if (done) return;
      const parts = (rest + value).split('\n\n');
      rest = parts.pop();
      for (const part of parts) this.take(part);
    }
  }

  take(text) {
    const data = text
      .split('\n')
      .filter((line) => line.startsWith('data: '))
      .map((line) => line.slice(6))
      .join('\n');
    if (data === '') return;
    this.pause = FIRST_PAUSE;
    const state = JSON.parse(data);
    this.silence = Math.max(SILENCE, state.interval * SILENT_INTERVALS);
    this.hooks.state(state);
  }
}
