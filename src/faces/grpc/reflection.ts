import { readFileSync } from 'node:fs';
import { BinaryReader } from '@bufbuild/protobuf/wire';
import type { PackageDefinition } from '@grpc/proto-loader';
import { ReflectionService } from '@grpc/reflection';
import type { ServiceHost } from './open-streams.js';

/**
 * Server reflection, v1 and v1alpha, from the descriptors that `npm run generate` writes: `grpcurl list` and `describe`
 * need no proto files. As with health, every peer that a listener lets in may ask: the interface is public.
 */
export function addReflection(host: ServiceHost): void {
  const descriptorSet = readFileSync(new URL('./gen/descriptor.binpb', import.meta.url));
  // grpc-js reads only the files of a package definition. They are buf's own: those that proto-loader makes from a
  // descriptor set lack imports and map entry names, and grpcurl refuses them.
  const files = { fileDescriptorProtos: filesOf(descriptorSet) };
  new ReflectionService({ files } as unknown as PackageDefinition).addToServer(host);
}

/** The files of a google.protobuf.FileDescriptorSet, which consists of one repeated field. */
function filesOf(descriptorSet: Buffer): Buffer[] {
  const files: Buffer[] = [];
  const reader = new BinaryReader(descriptorSet);
  while (reader.pos < reader.len) {
    reader.tag();
    files.push(Buffer.from(reader.bytes()));
  }
  return files;
}
