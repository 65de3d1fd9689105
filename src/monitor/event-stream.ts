import type { ServerResponse } from 'node:http';

/** Streams at a time: each is somebody's open page. */
const MOST = 32;

/** What a reader may leave unread in bytes before it misses events. */
const UNREAD = 1 << 20;

/** The pages that follow along, by server-sent events. */
export class EventStreams {
  readonly #open = new Set<ServerResponse>();

  get size(): number {
    return this.#open.size;
  }

  get full(): boolean {
    return this.#open.size >= MOST;
  }

  /** Sends events from now on, until the reader leaves or {@link close}. */
  add(response: ServerResponse): void {
    this.#open.add(response);
    response.on('close', () => this.#open.delete(response));
    response.writeHead(200, { 'Content-Type': 'text/event-stream; charset=utf-8' });
    response.flushHeaders();
  }

  /** To one of them. */
  send(response: ServerResponse, name: string, data: object): void {
    // Of what a slow reader does not keep up with it misses some: the next event tells all anew.
    if (response.writableLength < UNREAD) {
      response.write(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`);
    }
  }

  sendAll(name: string, data: object): void {
    for (const response of this.#open) this.send(response, name, data);
  }

  close(): void {
    for (const response of this.#open) response.end();
  }
}
