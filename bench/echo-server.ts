/**
 * A process with a bare grpc-js server, the floor under every gRPC server in Node: mutual TLS, one method, which always
 * answers the same bytes and decodes nothing: `echo-server.ts <JSON of EchoOptions>`. Prints its port.
 */
import { readFileSync } from 'node:fs';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { method } from './target.js';

export interface EchoOptions {
  certificatePath: string;
  keyPath: string;
  clientAuthorityPath: string;
  /** Base64 of the response message. */
  response: string;
}

function start(options: EchoOptions): void {
  const response = Buffer.from(options.response, 'base64');
  const asIs = (bytes: Buffer): Buffer => bytes;
  const server = new Server();
  const shape = { path: method.path, requestStream: false, responseStream: false } as const;
  const serialisers = {
    requestSerialize: asIs,
    requestDeserialize: asIs,
    responseSerialize: asIs,
    responseDeserialize: asIs,
  };
  server.addService(
    { [method.name]: { ...shape, ...serialisers } },
    { [method.name]: (_call: unknown, callback: (error: null, response: Buffer) => void) => callback(null, response) },
  );
  const pair = { cert_chain: readFileSync(options.certificatePath), private_key: readFileSync(options.keyPath) };
  const credentials = ServerCredentials.createSsl(readFileSync(options.clientAuthorityPath), [pair], true);
  server.bindAsync('127.0.0.1:0', credentials, (error, port) => {
    if (error !== null) throw error;
    process.stdout.write(`${port}\n`);
  });
}

start(JSON.parse(process.argv[2] ?? '') as EchoOptions);
