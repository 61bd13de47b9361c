import { mkdtempSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ChannelCredentials, Client, credentials, type Metadata, type ServiceError } from '@grpc/grpc-js';
import { systemClock } from '../src/clock-system.js';
import type { Dispatcher, IncomingCall } from '../src/api/dispatcher.js';
import type { ConnectionRefusal } from '../src/faces/grpc/refusals.js';
import { type GrpcFace, type GrpcFaceOptions, startGrpcFace } from '../src/faces/grpc/server.js';
import { randomIdentifiers } from '../src/ids.js';
import type { Principal } from '../src/calls/principal.js';
import { CertificateAuthority, type IssuedCertificate, issueServerCertificate } from './certificates.js';

/** A readiness in which every part can do its work. */
export const ready = { control: true, cryptography: true, keyStores: new Map<string, boolean>() };

export const alice: Principal = {
  arn: 'arn:aws:iam::123456789012:user/alice',
  name: 'alice',
  account: '123456789012',
  region: 'eu-central-1',
};

/** Answers with the result of `answer`, after decoding; keeps the calls. */
class StubDispatcher implements Dispatcher {
  readonly calls: IncomingCall[] = [];
  readonly requests: Record<string, unknown>[] = [];
  readonly responses: Uint8Array[] = [];
  answer: (request: Record<string, unknown>, call: IncomingCall) => object | Promise<object> = () => ({});

  async dispatch(call: IncomingCall): Promise<Uint8Array> {
    this.calls.push(call);
    const request = call.decode() as Record<string, unknown>;
    this.requests.push(request);
    const response = call.encode(await this.answer(request, call));
    this.responses.push(response);
    return response;
  }
}

type FaceChanges = Omit<Partial<GrpcFaceOptions>, 'limits'> & { limits?: Partial<GrpcFaceOptions['limits']> };

/** A face over real TLS on a free port, with an authority of its own and a client that the configuration knows. */
export class FaceUnderTest {
  readonly authority = new CertificateAuthority();
  readonly server: IssuedCertificate = issueServerCertificate(this.authority);
  readonly client: IssuedCertificate = this.authority.issue({ commonName: 'alice', usage: 'client' });
  readonly dispatcher = new StubDispatcher();
  readonly refusals: ConnectionRefusal[] = [];
  readonly #clients: Client[] = [];
  face!: GrpcFace;

  static async start(
    { limits, ...change }: FaceChanges = {},
    moreListeners: GrpcFaceOptions['listeners'] = [],
  ): Promise<FaceUnderTest> {
    const test = new FaceUnderTest();
    test.face = await startGrpcFace({
      dispatcher: test.dispatcher,
      clock: systemClock,
      identifiers: randomIdentifiers,
      listeners: [test.tlsListener(), ...moreListeners],
      principalOf: (certificate) => (certificate.subject === 'CN=alice' ? alice : undefined),
      onConnectionRefused: (refusal) => test.refusals.push(refusal),
      requestTimeoutMs: 10_000,
      limits: { maximumMessageBytes: 1024 * 1024, maximumConnections: 1_000, ...limits },
      ...change,
    });
    test.face.setReadiness(ready);
    return test;
  }

  tlsListener(): GrpcFaceOptions['listeners'][number] {
    const { certificate, key } = this.server;
    const clientCertificateAuthority = this.authority.certificate;
    return { kind: 'tls', address: '127.0.0.1', port: 0, certificate, key, clientCertificateAuthority };
  }

  get port(): number {
    const [bound] = this.face.bound;
    if (bound === undefined || bound.kind === 'unix') throw new Error('The first listener is not on TCP.');
    return bound.port;
  }

  get target(): string {
    return `127.0.0.1:${this.port}`;
  }

  credentials(certificate: IssuedCertificate | null = this.client): ChannelCredentials {
    return credentials.createSsl(
      this.authority.certificate,
      certificate?.key ?? null,
      certificate?.certificate ?? null,
    );
  }

  /** A client on a connection of its own (by default grpc-js shares connections between equal clients). */
  open<Opened extends Client>(
    type: new (target: string, credentials: ChannelCredentials, options: object) => Opened,
    target = this.target,
    channelCredentials = this.credentials(),
  ): Opened {
    const client = new type(target, channelCredentials, {
      'grpc.use_local_subchannel_pool': 1,
      'grpc.enable_retries': 0,
      'grpc.ssl_target_name_override': 'localhost',
    });
    this.#clients.push(client);
    return client;
  }

  /** Sends bytes as the request of a method. */
  send(method: string, bytes: Uint8Array, client = this.open(Client)): Promise<RawAnswer> {
    return rawCall(client, `/holdfast.kms.v1.${method}`, bytes);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) client.close();
    await this.face.drain(1_000);
    this.authority[Symbol.dispose]();
  }
}

export interface RawAnswer {
  error: ServiceError | null;
  response: Buffer | undefined;
  headers: Metadata | undefined;
}

export function rawCall(client: Client, path: string, bytes: Uint8Array, deadlineMs = 10_000): Promise<RawAnswer> {
  return new Promise((resolve) => {
    let headers: Metadata | undefined;
    const serialize = (value: Uint8Array): Buffer => Buffer.from(value);
    const deserialize = (value: Buffer): Buffer => Buffer.from(value);
    const deadline = new Date(systemClock.now().getTime() + deadlineMs);
    client
      .makeUnaryRequest(path, serialize, deserialize, bytes, { deadline }, (error, response) => {
        resolve({ error, response, headers });
      })
      .on('metadata', (metadata: Metadata) => {
        headers = metadata;
      });
  });
}

/** The outcome of a call of a generated client. */
export function outcome<Response>(
  call: (callback: (error: ServiceError | null, response: Response) => void) => unknown,
): Promise<{ error: ServiceError | null; response: Response }> {
  return new Promise((resolve) => call((error, response) => resolve({ error, response })));
}

export function temporarySocketPath(): string {
  return join(mkdtempSync(join(tmpdir(), 'holdfast-socket-')), 'holdfast.sock');
}

/** Whether a TCP connection is accepted there. */
export function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket: Socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
