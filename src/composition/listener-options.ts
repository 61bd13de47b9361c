import { readFile } from 'node:fs/promises';
import type { ListenerConfiguration, TlsListener } from '../config/configuration.js';
import type { PrincipalDirectory } from '../config/principals.js';
import type { GrpcListenerOptions } from '../faces/grpc/server.js';
import type { TlsMaterial } from '../faces/grpc/tls-listener.js';
import { requirePrincipal } from './principals.js';

/** A listener as the gRPC face wants it. Rejects when a certificate's file cannot be read. */
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

/** What the files of a TLS listener hold now. */
export async function readTlsMaterial(listener: TlsListener): Promise<TlsMaterial> {
  const { certificateRevocationList } = listener;
  return {
    certificate: await readFile(listener.certificate),
    key: await readFile(listener.key),
    clientCertificateAuthority: await readFile(listener.clientCertificateAuthority),
    certificateRevocationList:
      certificateRevocationList === null ? undefined : await readFile(certificateRevocationList),
  };
}
