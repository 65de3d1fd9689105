import { once } from 'node:events';
import { request, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import {
  monitor,
  type Monitor,
  type MonitorOptions,
  type MonitorState,
  type MonitoredDatabase,
  type MonitoredDatabases,
} from '../../src/monitor/index';

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface Asking {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Asks, and resolves when the answer has begun. */
export async function begun(url: string, { method = 'GET', headers = {} }: Asking = {}) {
  const asked = request(url, { method, headers, agent: false });
  asked.end();
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  return response;
}

export async function ask(url: string, asking: Asking = {}): Promise<Answer> {
  const response = await begun(url, asking);
  const body = await text(response);
  return { status: response.statusCode ?? 0, headers: response.headers, body };
}

export const bearer = (token: string): Asking => ({
  headers: { authorization: `Bearer ${token}` },
});

export async function stateOf({ url }: Monitor): Promise<MonitorState> {
  return JSON.parse((await ask(`${url}/api/state`)).body) as MonitorState;
}

/** Monitors of one suite; what a test has opened is closed after it. */
export class MonitorBench {
  readonly #open: Monitor[] = [];

  constructor() {
    afterEach(() => Promise.all(this.#open.splice(0).map((each) => each.close())));
  }

  async open(
    source: MonitoredDatabase | MonitoredDatabases,
    options: MonitorOptions = {},
  ): Promise<Monitor> {
    const opened = await monitor(source, options);
    this.#open.push(opened);
    return opened;
  }
}
