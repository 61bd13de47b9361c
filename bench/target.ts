/** The method that both servers serve. */
export const method = {
  service: 'holdfast.kms.v1.CryptographyService',
  name: 'Encrypt',
  path: '/holdfast.kms.v1.CryptographyService/Encrypt',
};

/** A gRPC server under load, and the client of the load. */
export interface Target {
  port: number;
  pid: number;
  authorityPath: string;
  clientCertificatePath: string;
  clientKeyPath: string;
  /** A file with the request message, in the protobuf encoding. */
  messagePath: string;
  /** A file with the request message in a gRPC frame. */
  framePath: string;
}

/** A length-prefixed message (gRPC over HTTP/2, "Length-Prefixed-Message"): not compressed, u32 length, the message. */
export function grpcFrame(message: Uint8Array): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.byteLength, 1);
  return Buffer.concat([prefix, message]);
}
