/** The service of the measured methods. */
export const service = 'holdfast.kms.v1.CryptographyService';

/** A gRPC server under load, the request, and the client of the load. */
export interface Target {
  port: number;
  pid: number;
  /** A method of `CryptographyService`, e.g. `Encrypt`. */
  method: string;
  authorityPath: string;
  clientCertificatePath: string;
  clientKeyPath: string;
  /** A file with the request message, in the protobuf encoding. */
  messagePath: string;
  /** A file with the request message in a gRPC frame. */
  framePath: string;
}

/** The `:path` of a target's requests. */
export function pathOf({ method }: Pick<Target, 'method'>): string {
  return `/${service}/${method}`;
}

/** A length-prefixed message (gRPC over HTTP/2, "Length-Prefixed-Message"): not compressed, u32 length, the message. */
export function grpcFrame(message: Uint8Array): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.byteLength, 1);
  return Buffer.concat([prefix, message]);
}
