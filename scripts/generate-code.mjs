#!/usr/bin/env node
/**
 * The last part of `npm run generate`: code that follows from the protos and from AWS's published model, and need not
 * be written again for each operation.
 *
 * - `src/faces/grpc/gen/codecs.ts`: for each rpc, the conversion of its messages to requests and responses of the
 *   domain.
 * - `src/api/gen/request-shapes.ts`: for each operation of AWS's model that the protos have, the limits of its
 *   request's fields.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { codecsFile } from './generate/codecs.mjs';
import { readServices } from './generate/descriptors.mjs';
import { requestShapesFile } from './generate/request-shapes.mjs';
import { root } from './setup.mjs';

const services = readServices(join(root, 'src/faces/grpc/gen/descriptor.binpb'));
const model = JSON.parse(readFileSync(join(root, 'proto/aws/kms-model.json'), 'utf8'));

mkdirSync(join(root, 'src/api/gen'), { recursive: true });
writeFileSync(join(root, 'src/faces/grpc/gen/codecs.ts'), codecsFile(services));
writeFileSync(join(root, 'src/api/gen/request-shapes.ts'), requestShapesFile(services, model));
