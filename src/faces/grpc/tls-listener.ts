import { constants, X509Certificate } from 'node:crypto';
import type { Socket } from 'node:net';
import tls from 'node:tls';
import { pemRevocationLists } from '../../certificates/pem.js';
import { certificateIdentity } from '../../certificates/certificate-identity.js';
import type { Principal } from '../../calls/principal.js';
import { type DescriptorBounds, guardAccepts } from './accept-guard.js';
import { BoundedSockets } from './bounded-sockets.js';
import { type Connection, sourceAddressOf } from './connections.js';
import { type BoundAddress, boundTcp, type Listener, listening } from './listener.js';
import { ownReasons } from './refusal-reason.js';
import { type RefusalReporter, reportDrops } from './refusals.js';

/** PEM. `clientCertificateAuthority` may contain several certificates, `certificateRevocationList` several lists. */
export interface TlsMaterial {
  certificate: Buffer;
  key: Buffer;
  clientCertificateAuthority: Buffer;
  certificateRevocationList?: Buffer | undefined;
}

/** One TLS listener with its first certificates; `replaceMaterial` changes them. */
export interface TlsListenerOptions extends TlsMaterial {
  kind: 'tls';
  address: string;
  /** 0 means any free port. */
  port: number;
}

/** The face's part of a TLS listener: the principals, the receiver of connections, and the bounds. */
export interface TlsListenerDependencies {
  /** The principal a verified certificate maps to. */
  principalOf(certificate: X509Certificate): Principal | undefined;
  /** Takes over a connection whose certificate was verified. */
  accept(socket: Socket, connection: Connection): void;
  refusals: RefusalReporter;
  /** Concurrent TCP connections; further ones are closed at once. */
  maximumConnections: number;
  /** Undefined: file descriptors are not bounded. */
  descriptors: DescriptorBounds | undefined;
  /** Maximum connections in their TLS handshake; beyond that the oldest of these is closed. */
  maximumHandshakes: number;
  /** Maximum connections of callers without a principal; beyond that the oldest of these is closed. */
  maximumStrangers: number;
  /** The bound of a TLS handshake: slower peers are disconnected. */
  handshakeTimeoutMs: number;
}

/**
 * TLS 1.3 only, with a client certificate of the configured authority (RFC 8446, RFC 7540 §9.2). It replaces the
 * listener of grpc-js, which accepts TLS 1.2, has no revocation lists and would parse the peer's certificate for each
 * request; here it is parsed once per connection. A caller whose certificate maps to no principal is let in without
 * one: the dispatcher then denies and audits the attempt.
 */
export class TlsListener implements Listener {
  readonly bound: BoundAddress;
  readonly #server: tls.Server;

  static async start(options: TlsListenerOptions, dependencies: TlsListenerDependencies): Promise<TlsListener> {
    const server = tls.createServer({
      ...secureContextOptions(options),
      requestCert: true,
      // Node would close the connection before the refused certificate and the reason could be read. `acceptSecure`
      // refuses every connection that is not `authorized`; nothing is sent to the client before.
      rejectUnauthorized: false,
      ALPNProtocols: ['h2'],
      handshakeTimeout: dependencies.handshakeTimeoutMs,
    });
    guardAccepts(server, dependencies.maximumConnections, dependencies.descriptors);
    const { maximumHandshakes, maximumStrangers, refusals } = dependencies;
    const handshakes = new BoundedSockets(maximumHandshakes, ownReasons.tooManyHandshakes, refusals);
    const strangers = new BoundedSockets(maximumStrangers, ownReasons.tooManyStrangers, refusals);
    // A socket that was asked for its peer's address, as here, still has it after closing.
    server.on('connection', (socket: Socket) => handshakes.begin(socket));
    server.on('secureConnection', (socket) => {
      handshakes.end(socket);
      acceptSecure(socket, dependencies, strangers);
    });
    reportDrops(server, refusals);
    server.on('tlsClientError', (error, socket) => reportRefusal(error, socket, refusals));
    await listening(server, () => server.listen({ host: options.address, port: options.port }));
    return new TlsListener(server);
  }

  private constructor(server: tls.Server) {
    this.#server = server;
    this.bound = boundTcp('tls', server);
  }

  /** Uses other certificates and lists for connections from now on. Throws, and changes nothing, if they are broken. */
  replaceMaterial(material: TlsMaterial): void {
    this.#server.setSecureContext(secureContextOptions(material));
  }

  stop(): void {
    this.#server.close();
  }
}

/**
 * SSL_OP_CLEANSE_PLAINTEXT of OpenSSL 3: data that was read is zeroed in OpenSSL's buffer. Node does not export the
 * constant.
 */
const cleansePlaintext = 0x2;

function secureContextOptions(material: TlsMaterial): tls.SecureContextOptions {
  return {
    cert: material.certificate,
    key: material.key,
    ca: material.clientCertificateAuthority,
    minVersion: 'TLSv1.3',
    // A resumed session would skip the check of the certificate's dates and of a newer revocation list.
    secureOptions: constants.SSL_OP_NO_TICKET | cleansePlaintext,
    ...(material.certificateRevocationList === undefined ? {} : { crl: listsOf(material.certificateRevocationList) }),
  };
}

/**
 * Node reads only the first list of a buffer, and with an empty list of lists it would not check for revocation at all.
 */
function listsOf(file: Buffer): Buffer[] {
  const lists = pemRevocationLists(file);
  if (lists.length === 0) throw new Error('The file of revocation lists holds none (PEM, X509 CRL).');
  return lists;
}

function reportRefusal(error: NodeJS.ErrnoException, socket: tls.TLSSocket, refusals: RefusalReporter): void {
  // Node has closed the socket by now. The address is in the TCP socket below it (undocumented; `unknown` should it go
  // away), and so is whether anything was received at all.
  const { _parent: below } = socket as { _parent?: Socket };
  refusals.refused(sourceAddressOf(below ?? socket), error.code ?? error.message, { isSilent: below?.bytesRead === 0 });
  socket.destroy();
}

/**
 * The verified client certificate. Parsed from its DER: Node's `getPeerX509Certificate` leaks some kilobytes of native
 * memory with every call on a server's socket.
 */
function peerCertificate(socket: tls.TLSSocket): X509Certificate | undefined {
  // Without a certificate Node returns an empty object, contrary to its types.
  const { raw } = socket.getPeerCertificate(true) as { raw?: Buffer };
  return raw === undefined ? undefined : new X509Certificate(raw);
}

/** The one gate: only connections whose certificate OpenSSL has verified pass. */
function acceptSecure(socket: tls.TLSSocket, dependencies: TlsListenerDependencies, strangers: BoundedSockets): void {
  const certificate = peerCertificate(socket);
  const refusal = refusalOf(socket, certificate);
  if (certificate === undefined || refusal !== undefined) {
    const identity = certificate === undefined ? undefined : certificateIdentity(certificate);
    dependencies.refusals.refused(sourceAddressOf(socket), refusal ?? noCertificate, { certificate: identity });
    socket.destroy();
    return;
  }
  const principal = dependencies.principalOf(certificate);
  if (principal === undefined) strangers.begin(socket);
  const identity = principal === undefined ? { certificate: certificateIdentity(certificate) } : {};
  dependencies.accept(socket, { principal, sourceAddress: sourceAddressOf(socket), ...identity });
}

/** OpenSSL's own name for a missing certificate. */
const noCertificate = 'PEER_DID_NOT_RETURN_A_CERTIFICATE';

function refusalOf(socket: tls.TLSSocket, certificate: X509Certificate | undefined): string | undefined {
  if (certificate === undefined) return noCertificate;
  if (!socket.authorized) {
    const code = socket.authorizationError as unknown;
    return typeof code === 'string' ? code : 'CERT_NOT_VERIFIED';
  }
  return socket.alpnProtocol === 'h2' ? undefined : ownReasons.notHttp2;
}
