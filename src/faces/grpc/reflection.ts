import { readFileSync } from 'node:fs';
import { loadFileDescriptorSetFromBuffer, loadSync } from '@grpc/proto-loader';
import { ReflectionService } from '@grpc/reflection';
import { protoPath as healthProtoPath } from 'grpc-health-check';
import type { ServiceHost } from './open-streams.js';

/**
 * Server reflection, v1 and v1alpha, from the descriptors that `npm run generate` writes, so that `grpcurl list` and
 * `describe` need no proto files. As with health, whoever passes the listener may ask: the interface is public.
 */
export function addReflection(host: ServiceHost): void {
  const descriptors = readFileSync(new URL('./gen/descriptor.binpb', import.meta.url));
  const reflection = new ReflectionService({
    ...loadFileDescriptorSetFromBuffer(descriptors),
    ...loadSync(healthProtoPath),
  });
  reflection.addToServer(host);
}
