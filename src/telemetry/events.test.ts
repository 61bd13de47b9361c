import { pino } from 'pino';
import { describe, expect, it, test, vi } from 'vitest';
import { ManualClock } from '../../test/manual-clock.js';
import type { IncomingCall } from '../api/dispatcher.js';
import { HoldfastError } from '../errors.js';
import { type EventSink, hsmEvents, requestEvent } from './events.js';
import { Metrics } from './metrics.js';

const call = { requestId: 'r', method: 'Encrypt', principal: undefined, sourceAddress: 'unix' } as IncomingCall;

const place = { clusterId: 'cluster-1', memberName: 'a' };

interface Line {
  level: string;
  msg: string;
  unreported?: number;
}

/** The lines that `work` logs. */
function logged(work: (sink: EventSink) => void): Line[] {
  const lines: Line[] = [];
  const logger = pino(
    { level: 'debug', formatters: { level: (label) => ({ level: label }) } },
    { write: (line: string) => void lines.push(JSON.parse(line) as Line) },
  );
  work({ logger, metrics: undefined });
  return lines;
}

function levelOf(error: HoldfastError): string | undefined {
  return logged((sink) => requestEvent(sink, new ManualClock())(call, error, 1))[0]?.level;
}

describe('requestEvent', () => {
  it('logs errors for operators, whatever code the caller got', () => {
    const unreachable = new HoldfastError('KEY_UNAVAILABLE', 'no member takes work', { retryable: true });
    expect(levelOf(unreachable)).toBe('error');
    expect(levelOf(new HoldfastError('KMS_INVALID_STATE', 'm', { cause: unreachable, retryable: true }))).toBe('error');
    expect(levelOf(new HoldfastError('KMS_INTERNAL', 'm', { retryable: true }))).toBe('error');
  });

  it('logs mistakes of callers for debugging only', () => {
    expect(levelOf(new HoldfastError('KMS_INVALID_STATE', 'the key is pending deletion', { retryable: false }))).toBe(
      'debug',
    );
    expect(levelOf(new HoldfastError('INVALID_CIPHERTEXT', 'm', { cause: new Error('0x5') }))).toBe('debug');
  });

  it('does not blame the HSM when a caller allowed too little time', () => {
    const error = new HoldfastError('DEPENDENCY_TIMEOUT', 'm', { callerDeadline: true });
    expect(levelOf(error)).toBe('info');
    expect(levelOf(new HoldfastError('DEPENDENCY_TIMEOUT', 'm'))).toBe('error');
    const codes: unknown[] = [];
    const metrics = new Metrics([]);
    vi.spyOn(metrics.counters.rpcRequests, 'inc').mockImplementation((labels: unknown) => void codes.push(labels));
    logged((sink) => requestEvent({ ...sink, metrics }, new ManualClock())(call, error, 1));
    expect(codes).toEqual([{ face: call.face, method: call.method, code: 'CALLER_DEADLINE' }]);
  });

  it('does not flood the log: of a thousand failures in a second it writes twenty, and the number of the others', () => {
    const clock = new ManualClock();
    const lines = logged((sink) => {
      const onCompleted = requestEvent(sink, clock);
      const fail = (code: 'KEY_UNAVAILABLE' | 'KMS_INTERNAL') =>
        onCompleted(call, new HoldfastError(code, 'm', { retryable: true }), 1);
      for (let request = 0; request < 1_000; request += 1) fail('KEY_UNAVAILABLE');
      fail('KMS_INTERNAL');
      clock.advance(1_000);
      fail('KEY_UNAVAILABLE');
    });
    expect(lines).toHaveLength(22);
    expect(lines.at(-1)).toMatchObject({ msg: 'request failed', unreported: 980 });
  });
});

test('alerts about key material, one per request, do not flood the log', () => {
  const clock = new ManualClock();
  const lines = logged((sink) => {
    const events = hsmEvents(sink, clock);
    for (let request = 0; request < 1_000; request += 1) events.materialAlert(place, 'id', 'canary-failed');
    events.materialAlert(place, 'id', 'material-missing');
  });
  expect(lines).toHaveLength(21);
});
