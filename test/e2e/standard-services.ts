/** Clients of the standard services: health and reflection, from their published proto files. */
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import * as grpc from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { protoPath as healthProtoPath } from 'grpc-health-check';

export interface HealthClient extends grpc.Client {
  check(request: object, callback: (error: grpc.ServiceError | null, answer?: { status: string }) => void): void;
  watch(request: object): AsyncIterable<{ status: string }>;
}

interface ReflectionClient extends grpc.Client {
  ServerReflectionInfo(): AsyncIterable<{ list_services_response: { service: { name: string }[] } }> & {
    write(request: object): void;
    end(): void;
  };
}

function dynamicClient(
  protoFile: string,
  names: string[],
  target: string,
  credentials: grpc.ChannelCredentials,
): grpc.Client {
  const options = { keepCase: true, enums: String, defaults: true };
  let found: unknown = grpc.loadPackageDefinition(loadSync(protoFile, options));
  for (const name of names) found = (found as Record<string, unknown>)[name];
  return new (found as typeof grpc.Client)(target, credentials);
}

export function healthClient(target: string, credentials: grpc.ChannelCredentials): HealthClient {
  return dynamicClient(healthProtoPath, ['grpc', 'health', 'v1', 'Health'], target, credentials) as HealthClient;
}

/** The health of the server as a whole. */
export async function health(target: string, credentials: grpc.ChannelCredentials): Promise<string | undefined> {
  const client = healthClient(target, credentials);
  try {
    return await new Promise((resolve, reject) =>
      client.check({ service: '' }, (error, answer) => (error === null ? resolve(answer?.status) : reject(error))),
    );
  } finally {
    client.close();
  }
}

/** The full names of the services that server reflection lists. */
export async function reflectedServices(target: string, credentials: grpc.ChannelCredentials): Promise<string[]> {
  const folder = dirname(createRequire(import.meta.url).resolve('@grpc/reflection/package.json'));
  const file = join(folder, 'build/proto/grpc/reflection/v1/reflection.proto');
  const names = ['grpc', 'reflection', 'v1', 'ServerReflection'];
  const client = dynamicClient(file, names, target, credentials) as ReflectionClient;
  try {
    const stream = client.ServerReflectionInfo();
    stream.write({ list_services: '' });
    stream.end();
    const services: string[] = [];
    for await (const answer of stream) {
      services.push(...answer.list_services_response.service.map(({ name }) => name));
    }
    return services;
  } finally {
    client.close();
  }
}
