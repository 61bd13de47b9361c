import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  type IncomingHttpHeaders,
  type Settings,
} from 'node:http2';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Client, status } from '@grpc/grpc-js';
import { expect, test } from 'vitest';
import type { IssuedCertificate } from '../../../test/certificates.js';
import { FaceUnderTest, rawCall } from '../../../test/grpc-face.js';

const encrypt = '/holdfast.kms.v1.CryptographyService/Encrypt';
const mebibyte = 1024 * 1024;

/** A message of 1 MiB whose last bytes are withheld. */
function unfinished(sentBytes: number): Buffer {
  const frame = Buffer.alloc(sentBytes);
  frame.writeUInt32BE(mebibyte, 1);
  return frame;
}

interface Ended {
  grpcStatus: string | undefined;
  resetCode: number | undefined;
}

/** A client that sends arbitrary bytes; grpc-js always finishes its requests. */
class RawClient {
  readonly #session: ClientHttp2Session;
  readonly streams: { stream: ClientHttp2Stream; ended: Promise<Ended> }[] = [];

  constructor(face: FaceUnderTest, { certificate: cert, key }: IssuedCertificate = face.client) {
    this.#session = connect(`https://localhost:${face.port}`, {
      ca: face.authority.certificate,
      cert,
      key,
      maxSessionMemory: 1_000,
    });
  }

  begin(bytes: Buffer, path = encrypt): Promise<Ended> {
    const headers = { ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers' };
    const stream = this.#session.request(headers, { endStream: false });
    stream.on('error', () => undefined);
    stream.write(bytes);
    let answer: IncomingHttpHeaders = {};
    for (const event of ['response', 'trailers']) {
      stream.on(event, (received: IncomingHttpHeaders) => (answer = { ...answer, ...received }));
    }
    stream.resume();
    const ended = new Promise<Ended>((resolve) => {
      const report = (): void => {
        resolve({ grpcStatus: answer['grpc-status'] as string | undefined, resetCode: stream.rstCode });
      };
      // Node's client keeps waiting for its own side if a stream is reset without an error.
      stream.once('end', () => setImmediate(report)).once('close', report);
    });
    this.streams.push({ stream, ended });
    return ended;
  }

  get maximumStreams(): Promise<number | undefined> {
    return new Promise((resolve) => {
      this.#session.once('remoteSettings', (settings: Settings) => resolve(settings.maxConcurrentStreams));
    });
  }

  [Symbol.dispose](): void {
    this.#session.destroy();
  }
}

function arrayBufferBytes(): number {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  return process.memoryUsage().arrayBuffers;
}

test('a connection has at most 100 concurrent calls', async () => {
  await using face = await FaceUnderTest.start();
  using client = new RawClient(face);
  expect(await client.maximumStreams).toBe(100);
});

test.each([
  ['nothing of its message', 0],
  ['a part of its message', 1_000],
])('a call that has sent %s is ended and its stream reset', async (_name, sentBytes) => {
  await using face = await FaceUnderTest.start({ limits: { messageTimeoutMs: 200 } });
  using client = new RawClient(face);
  const ended = await client.begin(unfinished(mebibyte).subarray(0, sentBytes));
  expect(ended).toEqual({ grpcStatus: String(status.DEADLINE_EXCEEDED), resetCode: 0 });
  expect(face.dispatcher.calls).toHaveLength(0);
  expect(face.refusals).toMatchObject([{ sourceAddress: '127.0.0.1', reason: 'The request did not arrive in time.' }]);
});

test('a whole message without the end of its stream is ended too; other calls of the connection go on', async () => {
  await using face = await FaceUnderTest.start({ limits: { messageTimeoutMs: 300 } });
  using client = new RawClient(face);
  const whole = Buffer.alloc(5);
  const kept = client.begin(whole);
  void client.begin(whole);
  client.streams[1]?.stream.end();
  expect((await client.streams[1]?.ended)?.grpcStatus).toBe('0');
  expect((await kept).grpcStatus).toBe(String(status.DEADLINE_EXCEEDED));
  expect(face.dispatcher.calls).toHaveLength(1);
});

test('a stranger’s unfinished megabytes are ended long before the deadline, and their memory is freed', async () => {
  await using face = await FaceUnderTest.start();
  using client = new RawClient(face, face.authority.issue({ commonName: 'mallory', usage: 'client' }));
  const message = unfinished(mebibyte - 1);
  const beforeBytes = arrayBufferBytes();
  for (let round = 0; round < 3; round += 1) {
    const calls = Array.from({ length: 90 }, () => client.begin(message));
    // The last few may stay below the connection's allowance and wait for the deadline.
    const first = await Promise.race(calls);
    expect(first.grpcStatus).toBe(String(status.RESOURCE_EXHAUSTED));
    await expect
      .poll(() => client.streams.filter(({ stream }) => stream.closed).length)
      .toBeGreaterThan(80 * (round + 1));
    // Polled: newer engines sweep array buffers in the background. Memory that is still referenced would stay until the
    // deadline.
    await expect.poll(() => arrayBufferBytes() - beforeBytes, { timeout: 3_000 }).toBeLessThan(32 * mebibyte);
  }
  expect(face.dispatcher.calls).toHaveLength(0);
});

test('of all unfinished requests, those of the connection with the most are ended', async () => {
  await using face = await FaceUnderTest.start({ limits: { maximumReceptionBytes: 2 * mebibyte } });
  using small = new RawClient(face);
  using large = new RawClient(face);
  let smallEnded = false;
  void small.begin(unfinished(300_000)).then(() => (smallEnded = true));
  const ended = await Promise.all([1, 2, 3].map(() => large.begin(unfinished(900_000))));
  expect(ended.some(({ grpcStatus }) => grpcStatus === String(status.RESOURCE_EXHAUSTED))).toBe(true);
  expect(smallEnded).toBe(false);
  expect((await rawCall(face.open(Client), encrypt, new Uint8Array(500_000))).error?.details).toMatch(/EncryptRequest/);
});
