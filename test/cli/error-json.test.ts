import { createServer, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import * as grpc from '@grpc/grpc-js';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { HoldfastError } from '../../src/errors.js';
import { detailsHeader, toCallError } from '../../src/faces/grpc/errors.js';
import { ErrorInfo, RetryInfo } from '../../src/faces/grpc/gen/google/rpc/error_details.js';
import { Status } from '../../src/faces/grpc/gen/google/rpc/status.js';
import { KeyServiceService } from '../../src/faces/grpc/gen/holdfast/kms/v1/key_service.js';
import { holdfast } from './session.js';

let server: grpc.Server;
let port = 0;
let answer: ReturnType<typeof toCallError>;

beforeAll(async () => {
  server = new grpc.Server();
  server.addService(
    { listKeys: KeyServiceService.listKeys },
    {
      listKeys: (_call: unknown, callback: grpc.sendUnaryData<unknown>) => callback(answer),
    },
  );
  port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, bound) => {
      if (error === null) resolve(bound);
      else reject(error);
    });
  });
});

afterAll(() => server.forceShutdown());

async function errorOf(error: ReturnType<typeof toCallError>): Promise<unknown> {
  answer = error;
  const argv = ['key', 'list', '--server', `127.0.0.1:${port}`, '--without-tls', '--output', 'json'];
  const { exitCode, stderr } = await holdfast(argv);
  expect(exitCode).toBe(1);
  return (JSON.parse(stderr) as { error: unknown }).error;
}

/** Whole objects are compared: unknown values are absent. */
const errors: Record<string, { error: HoldfastError; outlook: Record<string, unknown> }> = {
  'for good': { error: new HoldfastError('NOT_FOUND', 'no'), outlook: { retryable: false } },
  'for the moment, with the time to wait': {
    error: new HoldfastError('THROTTLING', 'no', { retryAfterMs: 1_250 }),
    outlook: { retryable: true, retry_delay_ms: 1_250 },
  },
  'for the moment, who knows how long': {
    error: new HoldfastError('KEY_UNAVAILABLE', 'no', { retryable: true }),
    outlook: { retryable: true },
  },
  'the state of a key': {
    error: new HoldfastError('DISABLED', 'no', { keyState: 'Disabled' }),
    outlook: { retryable: false, key_state: 'KEY_STATE_DISABLED' },
  },
  'the deadline of the caller': {
    error: new HoldfastError('DEPENDENCY_TIMEOUT', 'no', { callerDeadline: true }),
    outlook: { retryable: true, caller_deadline: true },
  },
  'an HSM that was late': {
    error: new HoldfastError('DEPENDENCY_TIMEOUT', 'no', { callerDeadline: false }),
    outlook: { retryable: true, caller_deadline: false },
  },
};

test.each(Object.entries(errors))('the server’s advice on a retry is in the JSON: %s', async (_name, tried) => {
  const { error, outlook } = tried;
  const { hint, ...rest } = (await errorOf(toCallError(error, 'request-1'))) as Record<string, unknown>;
  expect(['string', 'undefined']).toContain(typeof hint);
  expect(rest).toEqual({ code: error.code, message: 'no', request_id: 'request-1', ...outlook });
});

test('unknown details are left out', async () => {
  const info = new Map([
    ['retryable', 'perhaps'],
    ['caller_deadline', ''],
  ]);
  const details = [
    ['ErrorInfo', ErrorInfo.encode({ reason: 'THROTTLING', domain: 'holdfast.kms', metadata: info }).finish()],
    ['RetryInfo', RetryInfo.encode({ retryDelay: undefined }).finish()],
  ] as const;
  const status = Status.encode({
    code: grpc.status.RESOURCE_EXHAUSTED,
    message: 'no',
    details: details.map(([name, value]) => ({
      typeUrl: `type.googleapis.com/google.rpc.${name}`,
      value: Buffer.from(value),
    })),
  }).finish();
  const metadata = new grpc.Metadata();
  metadata.set(detailsHeader, Buffer.from(status));
  expect(await errorOf({ code: grpc.status.RESOURCE_EXHAUSTED, details: 'no', metadata })).toEqual({
    code: 'THROTTLING',
    message: 'no',
  });
});

test('an undefined gRPC status is UNKNOWN', async () => {
  const error = toCallError(new HoldfastError('NOT_FOUND', 'no'), undefined);
  Object.assign(error, { code: 99, metadata: new grpc.Metadata() });
  expect(await errorOf(error)).toEqual({ code: 'UNKNOWN', message: 'no' });
});

test('a forbidden header is not printed', async () => {
  const { code, details, metadata } = toCallError(new HoldfastError('NOT_FOUND', 'no'), undefined);
  const printed = vi.spyOn(console, 'error');
  const raw = createServer();
  raw.on('stream', (stream: ServerHttp2Stream) => {
    stream.respond(
      {
        ':status': 200,
        'content-type': 'application/grpc',
        'grpc-status': code,
        'grpc-message': details,
        'x-evil': 'a\u009b31m',
        ...metadata.toHttp2Headers(),
      },
      { endStream: true },
    );
  });
  await new Promise<void>((resolve) => raw.listen(0, '127.0.0.1', resolve));
  const { port: rawPort } = raw.address() as AddressInfo;
  const argv = ['key', 'list', '--server', `127.0.0.1:${rawPort}`, '--without-tls', '--output', 'json'];
  const { stderr } = await holdfast(argv);
  raw.close();
  expect(JSON.parse(stderr)).toMatchObject({ error: { code: 'NOT_FOUND' } });
  expect(printed).not.toHaveBeenCalled();
});
