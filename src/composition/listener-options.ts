import type { ListenerConfiguration, TlsListener } from '../config/configuration.js';
import { exposureOf } from '../config/file-exposure.js';
import type { PrincipalDirectory } from '../callers/principal-directory.js';
import type { GrpcListenerOptions } from '../faces/grpc/server.js';
import type { TlsMaterial } from '../faces/grpc/tls-listener.js';
import { readRegularFile } from '../regular-file.js';
import { requirePrincipal } from '../callers/found-principal.js';

/** The maximum size of a certificate or key, in bytes. A bundle of every public authority is a quarter of that. */
const maximumPemBytes = 1_048_576;
/** The maximum size of a file of revocation lists: millions of revoked certificates. */
const maximumRevocationListBytes = 268_435_456;

/** A listener's options for the gRPC face. Rejects if a certificate's file cannot be read. */
export async function listenerOptions(
  listener: ListenerConfiguration,
  principals: PrincipalDirectory,
): Promise<GrpcListenerOptions> {
  if (listener.kind === 'tls') {
    const { kind, address, port } = listener;
    return { kind, address, port, ...(await readTlsMaterial(listener)) };
  }
  return { ...listener, principal: requirePrincipal(principals, listener.principal) };
}

/** The present contents of a TLS listener's files. @throws UnreadableFileError */
export async function readTlsMaterial(listener: TlsListener): Promise<TlsMaterial> {
  return {
    certificate: await readCertificates(listener.certificate),
    key: await readTlsKey(listener.key),
    clientCertificateAuthority: await readCertificates(listener.clientCertificateAuthority),
    certificateRevocationList: await readRevocationLists(listener.certificateRevocationList),
  };
}

/** A PEM file of certificates, unparsed. @throws UnreadableFileError */
export function readCertificates(path: string): Promise<Buffer> {
  return readRegularFile(path, { maximumBytes: maximumPemBytes });
}

/** A private key, by the rule for all secrets: few may read it. @throws UnreadableFileError */
export function readTlsKey(path: string): Promise<Buffer> {
  return readRegularFile(path, {
    maximumBytes: maximumPemBytes,
    refuse: (found) => exposureOf(found, process.getuid?.()),
  });
}

/** A PEM file of revocation lists, unparsed; undefined if none is configured. @throws UnreadableFileError */
export async function readRevocationLists(path: string | null): Promise<Buffer | undefined> {
  return path === null ? undefined : readRegularFile(path, { maximumBytes: maximumRevocationListBytes });
}
