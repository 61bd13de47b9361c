import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { create, createFileRegistry, fromBinary } from '@bufbuild/protobuf';
import { type FileDescriptorProto, FileDescriptorProtoSchema, FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { type Client, loadPackageDefinition, type ServiceError } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { protoPath } from 'grpc-health-check';
import { expect, test } from 'vitest';
import { FaceUnderTest, ready } from '../../../test/grpc-face.js';
import { operationNames } from '../../operations/registry.js';

/** The parts of a client made from proto files at run time, as other tool-chains make them. */
interface DynamicClient extends Client {
  check(request: object, callback: (error: ServiceError | null, answer: { status: string }) => void): void;
  watch(request: object): AsyncIterable<{ status: string }>;
  ServerReflectionInfo(): AsyncIterable<ReflectionAnswer> & { write(request: object): void; end(): void };
}

interface ReflectionAnswer {
  list_services_response?: { service: { name: string }[] };
  file_descriptor_response?: { file_descriptor_proto: Buffer[] };
}

type ClientType =
  ConstructorParameters<typeof Client> extends infer P extends unknown[] ? new (...p: P) => DynamicClient : never;

const loading = { keepCase: true, enums: String, defaults: true, oneofs: true };

function dynamicType(file: string, ...path: string[]): ClientType {
  let found: unknown = loadPackageDefinition(loadSync(file, loading));
  for (const name of path) found = (found as Record<string, unknown>)[name];
  return found as ClientType;
}

/** Each file after those that it imports, as a registry wants them. */
function importsFirst(files: readonly FileDescriptorProto[]): FileDescriptorProto[] {
  const sorted: FileDescriptorProto[] = [];
  const add = (file: FileDescriptorProto): void => {
    if (sorted.includes(file)) return;
    for (const each of files) if (file.dependency.includes(each.name)) add(each);
    sorted.push(file);
  };
  files.forEach(add);
  return sorted;
}

const Health = dynamicType(protoPath, 'grpc', 'health', 'v1', 'Health');
const kmsServices = ['CryptographyService', 'KeyService', 'KeyStoreService'].map((name) => `holdfast.kms.v1.${name}`);
const services = [...kmsServices, 'holdfast.admin.v1.AdminService'];

function check(client: DynamicClient, service: string): Promise<string> {
  return new Promise((resolve) =>
    client.check({ service }, (error, answer) => resolve(error?.details ?? answer.status)),
  );
}

test('health answers for the server and each service, and Watch sees NOT_SERVING before a drain ends it', async () => {
  await using face = await FaceUnderTest.start();
  const client = face.open(Health);
  const live = ['holdfast.process', 'holdfast.live'];
  for (const service of ['', ...services, ...live]) expect(await check(client, service)).toBe('SERVING');
  expect(await check(client, 'holdfast.kms.v1.Nothing')).toMatch(/unknown/);
  face.face.setReadiness({ control: false, cryptography: false, keyStores: new Map() });
  for (const service of ['', ...services]) expect(await check(client, service)).toBe('NOT_SERVING');
  for (const service of live) expect(await check(client, service)).toBe('SERVING');
  face.face.setReadiness(ready);

  const seen: string[] = [];
  for await (const { status } of client.watch({ service: '' })) {
    seen.push(status);
    if (seen.length === 1) void face.face.drain(30_000);
  }
  expect(seen).toEqual(['SERVING', 'NOT_SERVING']);
});

test('while no key store serves, only services that need an HSM are NOT_SERVING; each key store has a name', async () => {
  await using face = await FaceUnderTest.start();
  const client = face.open(Health);
  const keyStores = new Map([
    ['default', false],
    ['cks-1', true],
  ]);
  face.face.setReadiness({ control: true, cryptography: false, keyStores });
  const needsHsm = ['', 'holdfast.kms.v1.CryptographyService', 'holdfast.key-store.default'];
  for (const service of needsHsm) expect([service, await check(client, service)]).toEqual([service, 'NOT_SERVING']);
  const others = services.filter((service) => !needsHsm.includes(service));
  for (const service of [...others, 'holdfast.key-store.cks-1', 'holdfast.live']) {
    expect([service, await check(client, service)]).toEqual([service, 'SERVING']);
  }
  face.face.setReadiness({ control: true, cryptography: false, keyStores: new Map([['default', false]]) });
  expect(await check(client, 'holdfast.key-store.cks-1')).toBe('SERVICE_UNKNOWN');
  const drained = face.face.drain(30_000);
  face.face.setReadiness(ready);
  expect(await check(client, '')).not.toBe('SERVING');
  client.close();
  await drained;
});

test.each(['v1', 'v1alpha'])('reflection %s lists every service and describes every method', async (version) => {
  await using face = await FaceUnderTest.start();
  const folder = dirname(createRequire(import.meta.url).resolve('@grpc/reflection/package.json'));
  const file = join(folder, 'build/proto/grpc/reflection', version, 'reflection.proto');
  const client = face.open(dynamicType(file, 'grpc', 'reflection', version, 'ServerReflection'));
  const stream = client.ServerReflectionInfo();
  stream.write({ list_services: '' });
  for (const service of services) stream.write({ file_containing_symbol: service });
  stream.end();
  const answers: ReflectionAnswer[] = [];
  for await (const answer of stream) answers.push(answer);
  const names = answers[0]?.list_services_response?.service.map(({ name }) => name);
  expect(names).toEqual(expect.arrayContaining([...services, 'grpc.health.v1.Health']));
  for (const [index, answer] of answers.slice(1).entries()) {
    const files = answer.file_descriptor_response?.file_descriptor_proto ?? [];
    const file = files.map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes));
    // Throws for a missing import or type, as grpcurl does.
    const registry = createFileRegistry(create(FileDescriptorSetSchema, { file: importsFirst(file) }));
    const service = registry.getService(services[index] ?? '');
    expect(service?.methods.length).toBeGreaterThan(0);
    for (const method of service?.methods ?? []) expect(operationNames).toContain(method.name);
  }
  expect(answers).toHaveLength(1 + services.length);
});
