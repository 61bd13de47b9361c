/** Calls that no gRPC client would make, over HTTP/2 by hand. */
import { once } from 'node:events';
import { type ClientHttp2Session, connect, type IncomingHttpHeaders } from 'node:http2';
import { ErrorInfo } from '../src/faces/grpc/gen/google/rpc/error_details.js';
import { Status } from '../src/faces/grpc/gen/google/rpc/status.js';
import type { FaceUnderTest } from './grpc-face.js';

/** One message in a gRPC frame; `length` if the frame should lie about it. */
export function frame(bytes: Uint8Array, flags = 0, length = bytes.length): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt8(flags, 0);
  head.writeUInt32BE(length, 1);
  return Buffer.concat([head, bytes]);
}

export interface RawCall {
  path: string;
  body?: Buffer;
  /** Whether the client ends its side of the stream. */
  ends?: boolean;
  headers?: Record<string, string>;
}

/** An answer, with or without a message. */
export interface RawAnswer {
  code: number;
  /** The message of `google.rpc.Status` in the details. */
  message: string;
  info: ErrorInfo | undefined;
  /** The bytes that came before the status. */
  data: Buffer;
}

export function openSession(face: FaceUnderTest, certificate = face.client): ClientHttp2Session {
  const { certificate: cert, key } = certificate;
  const session = connect(`https://localhost:${face.port}`, { ca: face.authority.certificate, cert, key });
  session.on('error', () => undefined);
  return session;
}

export async function answerTo(
  session: ClientHttp2Session,
  { path, body = frame(Buffer.alloc(0)), ends = true, headers = {} }: RawCall,
): Promise<RawAnswer> {
  const stream = session.request(
    { ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers', ...headers },
    { endStream: false },
  );
  let answer: IncomingHttpHeaders = {};
  for (const event of ['response', 'trailers'])
    stream.on(event, (received: IncomingHttpHeaders) => (answer = { ...answer, ...received }));
  stream.on('error', () => undefined);
  const pieces: Buffer[] = [];
  stream.on('data', (piece: Buffer) => pieces.push(piece));
  if (ends) stream.end(body);
  else stream.write(body);
  await once(stream, 'end');
  await new Promise(setImmediate);
  const details = Status.decode(Buffer.from(String(answer['grpc-status-details-bin'] ?? ''), 'base64'));
  const [info] = details.details.map(({ value }) => ErrorInfo.decode(value));
  return { code: Number(answer['grpc-status']), message: details.message, info, data: Buffer.concat(pieces) };
}
