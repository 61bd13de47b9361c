import { readFileSync } from 'node:fs';
import { connect, type ClientHttp2Session, type IncomingHttpHeaders } from 'node:http2';
import type { TLSSocket } from 'node:tls';
import { pathOf, type Target } from './target.js';

/**
 * Sends one request, byte for byte the one that h2load repeats, and resolves with the response message. Rejects if the
 * answer is not `grpc-status: 0` or the connection not TLS 1.3: h2load counts every HTTP 200 as a success.
 */
export async function preflight(target: Target): Promise<Buffer> {
  const session = connect(`https://localhost:${target.port}`, {
    ca: readFileSync(target.authorityPath),
    cert: readFileSync(target.clientCertificatePath),
    key: readFileSync(target.clientKeyPath),
  });
  try {
    const { trailers, body } = await post(session, pathOf(target), readFileSync(target.framePath));
    const protocol = (session.socket as TLSSocket).getProtocol();
    if (protocol !== 'TLSv1.3') throw new Error(`The server speaks ${protocol}, not TLSv1.3.`);
    if (trailers['grpc-status'] !== '0') throw new Error(`The server answered ${JSON.stringify(trailers)}.`);
    return body.subarray(5);
  } finally {
    session.close();
  }
}

function post(
  session: ClientHttp2Session,
  path: string,
  frame: Buffer,
): Promise<{ trailers: IncomingHttpHeaders; body: Buffer }> {
  return new Promise((resolve, reject) => {
    session.on('error', reject);
    const request = session.request({
      ':method': 'POST',
      ':path': path,
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    let trailers: IncomingHttpHeaders = {};
    const chunks: Buffer[] = [];
    // A refusal without a message consists of headers only.
    request.on('response', (headers) => (trailers = headers));
    request.on('trailers', (received: IncomingHttpHeaders) => (trailers = received));
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('error', reject);
    request.on('close', () => {
      resolve({ trailers, body: Buffer.concat(chunks) });
    });
    request.end(frame);
  });
}
