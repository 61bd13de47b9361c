import { constants, X509Certificate } from 'node:crypto';
import type { Socket } from 'node:net';
import tls from 'node:tls';
import { pemRevocationLists } from '../../certificates/pem.js';
import type { Principal } from '../../policy/authorizer.js';
import { type DescriptorBounds, guardAccepts } from './accept-guard.js';
import { type Connection, sourceAddressOf } from './connections.js';
import { type BoundAddress, boundTcp, type Listener, listening } from './listener.js';
import { type RefusalReporter, reportDrops } from './refusals.js';
import { UnfinishedHandshakes } from './unfinished-handshakes.js';

/** PEM. `clientCertificateAuthority` may hold several certificates, `certificateRevocationList` several lists. */
export interface TlsMaterial {
  certificate: Buffer;
  key: Buffer;
  clientCertificateAuthority: Buffer;
  certificateRevocationList?: Buffer | undefined;
}

/** One TLS listener with the certificates that it begins with; `replaceMaterial` changes them. */
export interface TlsListenerOptions extends TlsMaterial {
  kind: 'tls';
  address: string;
  /** 0 takes any free port. */
  port: number;
}

/** What the face gives a TLS listener: who callers are, where connections go, and its bounds. */
export interface TlsListenerDependencies {
  /** Whom the configuration knows by a verified certificate. */
  principalOf(certificate: X509Certificate): Principal | undefined;
  /** Takes over a connection whose certificate was verified. */
  accept(socket: Socket, connection: Connection): void;
  refusals: RefusalReporter;
  /** TCP connections at a time; more are closed at once. */
  maximumConnections: number;
  /** Undefined: as many file descriptors as there are. */
  descriptors: DescriptorBounds | undefined;
  /** How many of them may be in their TLS handshake; beyond that the oldest of these is closed. */
  maximumHandshakes: number;
  /** For the TLS handshake: whoever is slower is disconnected. */
  handshakeTimeoutMs: number;
}

/**
 * TLS 1.3 only, with a client certificate of the configured authority (RFC 8446, RFC 7540 §9.2). Ours and not grpc-js's,
 * which takes TLS 1.2, has no revocation lists and would parse the peer's certificate for each request; here it is parsed
 * once a connection. A certificate that nobody is configured by is let in without a principal, so that the attempt is
 * denied and audited by the dispatcher.
 */
export class TlsListener implements Listener {
  readonly bound: BoundAddress;
  readonly #server: tls.Server;

  static async start(options: TlsListenerOptions, dependencies: TlsListenerDependencies): Promise<TlsListener> {
    const server = tls.createServer({
      ...secureContextOptions(options),
      requestCert: true,
      rejectUnauthorized: true,
      ALPNProtocols: ['h2'],
      handshakeTimeout: dependencies.handshakeTimeoutMs,
    });
    guardAccepts(server, dependencies.maximumConnections, dependencies.descriptors);
    const handshakes = new UnfinishedHandshakes(dependencies.maximumHandshakes, dependencies.refusals);
    // A socket that was asked for its peer's address, as here, still knows it when it is closed.
    server.on('connection', (socket: Socket) => handshakes.begin(socket));
    server.on('secureConnection', (socket) => {
      handshakes.finish(socket);
      acceptSecure(socket, dependencies);
    });
    reportDrops(server, dependencies.refusals);
    server.on('tlsClientError', (error, socket) => reportRefusal(error, socket, dependencies.refusals));
    await listening(server, () => server.listen({ host: options.address, port: options.port }));
    return new TlsListener(server);
  }

  private constructor(server: tls.Server) {
    this.#server = server;
    this.bound = boundTcp('tls', server);
  }

  /** Uses other certificates and lists for connections from now on. Throws, and changes nothing, when they are broken. */
  replaceMaterial(material: TlsMaterial): void {
    this.#server.setSecureContext(secureContextOptions(material));
  }

  stop(): void {
    this.#server.close();
  }
}

function secureContextOptions(material: TlsMaterial): tls.SecureContextOptions {
  return {
    cert: material.certificate,
    key: material.key,
    ca: material.clientCertificateAuthority,
    minVersion: 'TLSv1.3',
    // A resumed session would skip the check of the certificate's dates and of a newer revocation list.
    secureOptions: constants.SSL_OP_NO_TICKET,
    ...(material.certificateRevocationList === undefined ? {} : { crl: listsOf(material.certificateRevocationList) }),
  };
}

/** Node reads only the first list of a buffer, and with an empty list of lists it would not check for revocation at all. */
function listsOf(file: Buffer): Buffer[] {
  const lists = pemRevocationLists(file);
  if (lists.length === 0) throw new Error('The file of revocation lists holds none (PEM, X509 CRL).');
  return lists;
}

function reportRefusal(error: NodeJS.ErrnoException, socket: tls.TLSSocket, refusals: RefusalReporter): void {
  // Where the certificate is not accepted Node has closed the socket by now, and the error is a plain reset: the reason
  // is in the socket, the address in the TCP socket below it (not documented; `unknown` should it go away).
  const verification = socket.authorizationError as unknown;
  const reason = typeof verification === 'string' ? verification : (error.code ?? error.message);
  const { _parent: below } = socket as { _parent?: Socket };
  refusals.refused(sourceAddressOf(below ?? socket), reason);
  socket.destroy();
}

/**
 * The verified client certificate. Parsed from its DER: Node's `getPeerX509Certificate` loses some kilobytes of native
 * memory with every call on a server's socket.
 */
function peerCertificate(socket: tls.TLSSocket): X509Certificate | undefined {
  // Without a certificate Node returns an empty object, which its types do not say.
  const { raw } = socket.getPeerCertificate(true) as { raw?: Buffer };
  return raw === undefined ? undefined : new X509Certificate(raw);
}

function acceptSecure(socket: tls.TLSSocket, dependencies: TlsListenerDependencies): void {
  const certificate = peerCertificate(socket);
  if (certificate === undefined || socket.alpnProtocol !== 'h2') {
    const reason = certificate === undefined ? 'no client certificate' : 'the client does not speak HTTP/2 (ALPN)';
    dependencies.refusals.refused(sourceAddressOf(socket), reason);
    socket.destroy();
    return;
  }
  const principal = dependencies.principalOf(certificate);
  dependencies.accept(socket, { principal, sourceAddress: sourceAddressOf(socket) });
}
