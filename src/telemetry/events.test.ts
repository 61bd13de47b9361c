import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import type { IncomingCall } from '../dispatch/dispatcher.js';
import { HoldfastError } from '../errors.js';
import { requestEvent } from './events.js';

const call = { requestId: 'r', method: 'Encrypt', principal: undefined, sourceAddress: 'unix' } as IncomingCall;

function levelOf(error: HoldfastError): string {
  const lines: string[] = [];
  const logger = pino(
    { level: 'debug', formatters: { level: (label) => ({ level: label }) } },
    { write: (line: string) => void lines.push(line) },
  );
  requestEvent({ logger, metrics: undefined })(call, error, 1);
  return (JSON.parse(lines[0] ?? '{}') as { level: string }).level;
}

describe('requestEvent', () => {
  it('tells operators what they must look into, whatever code the caller got', () => {
    const unreachable = new HoldfastError('KEY_UNAVAILABLE', 'no member takes work');
    expect(levelOf(unreachable)).toBe('error');
    expect(levelOf(new HoldfastError('KMS_INVALID_STATE', 'm', { cause: unreachable }))).toBe('error');
    expect(levelOf(new HoldfastError('KMS_INTERNAL', 'm'))).toBe('error');
  });

  it('leaves what callers did wrong for debugging', () => {
    expect(levelOf(new HoldfastError('KMS_INVALID_STATE', 'the key is pending deletion'))).toBe('debug');
    expect(levelOf(new HoldfastError('INVALID_CIPHERTEXT', 'm', { cause: new Error('0x5') }))).toBe('debug');
  });
});
