import type { OperationName } from '../../operations/registry.js';
import { generatedCodecs } from './gen/codecs.js';
import type { MethodCodec } from './method-codec.js';

/**
 * Converts each method's messages to requests and responses of the domain. A method without an rpc does not compile.
 */
export const codecs: Readonly<Record<OperationName, MethodCodec>> = generatedCodecs;
