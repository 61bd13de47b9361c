import { readFileSync } from 'node:fs';
import { fromBinary } from '@bufbuild/protobuf';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';

/**
 * Our services, and the messages and enums that they use.
 * @param {string} path of a google.protobuf.FileDescriptorSet
 */
export function readServices(path) {
  const files = fromBinary(FileDescriptorSetSchema, readFileSync(path)).file.filter(({ package: name }) =>
    name.startsWith('holdfast.'),
  );
  const byName = (list) =>
    new Map(files.flatMap((file) => file[list].map((one) => [`.${file.package}.${one.name}`, { file, ...one }])));
  return {
    messages: byName('messageType'),
    enums: byName('enumType'),
    rpcs: files.flatMap((file) =>
      file.service.flatMap((service) => service.method.map((method) => ({ ...method, package: file.package }))),
    ),
  };
}
