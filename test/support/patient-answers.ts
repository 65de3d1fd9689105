import { systemClock } from '../../src/clock';

/** What the library itself allows a server in ms: to confirm a KILL, to stop a stream, to give a sign of life. */
const SHORT = [500, 1000, 5000];
const LONG = 20_000;

/**
 * For tests of what a stopped statement leaves behind: a server that is slow to confirm the KILL costs
 * the connection, which is not what they are about. In this suite it has all the time it needs.
 */
export function patientWithAnswers(): void {
  const patient = (ms: number): number => (SHORT.includes(ms) ? LONG : ms);
  beforeEach(() => {
    const { setDeadline, setTimer } = systemClock;
    jest
      .spyOn(systemClock, 'setDeadline')
      .mockImplementation((callback, ms) => setDeadline(callback, patient(ms)));
    jest
      .spyOn(systemClock, 'setTimer')
      .mockImplementation((callback, ms) => setTimer(callback, patient(ms)));
  });
  afterEach(() => jest.restoreAllMocks());
}
