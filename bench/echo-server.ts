/**
 * A process with a bare grpc-js server, the floor under every gRPC server in Node: mutual TLS, methods that always
 * answer the same bytes and decode nothing: `echo-server.ts <JSON of EchoOptions>`. Prints its port.
 */
import { readFileSync } from 'node:fs';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { pathOf } from './target.js';

export interface EchoOptions {
  certificatePath: string;
  keyPath: string;
  clientAuthorityPath: string;
  /** Base64 of the response message of each method. */
  responses: Readonly<Record<string, string>>;
}

function start(options: EchoOptions): void {
  const asIs = (bytes: Buffer): Buffer => bytes;
  const server = new Server();
  const serialisers = {
    requestSerialize: asIs,
    requestDeserialize: asIs,
    responseSerialize: asIs,
    responseDeserialize: asIs,
  };
  for (const [method, base64] of Object.entries(options.responses)) {
    const response = Buffer.from(base64, 'base64');
    const shape = { path: pathOf({ method }), requestStream: false, responseStream: false } as const;
    server.addService(
      { [method]: { ...shape, ...serialisers } },
      { [method]: (_call: unknown, callback: (error: null, response: Buffer) => void) => callback(null, response) },
    );
  }
  const pair = { cert_chain: readFileSync(options.certificatePath), private_key: readFileSync(options.keyPath) };
  const credentials = ServerCredentials.createSsl(readFileSync(options.clientAuthorityPath), [pair], true);
  server.bindAsync('127.0.0.1:0', credentials, (error, port) => {
    if (error !== null) throw error;
    process.stdout.write(`${port}\n`);
  });
}

start(JSON.parse(process.argv[2] ?? '') as EchoOptions);
