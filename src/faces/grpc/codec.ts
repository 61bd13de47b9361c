import type { MethodName } from '../../operations/methods.js';
import { generatedCodecs } from './gen/codecs.js';
import type { MethodCodec } from './method-codec.js';

/** How each method's messages become requests and responses of the domain. A method without an rpc does not compile. */
export const codecs: Readonly<Record<MethodName, MethodCodec>> = generatedCodecs;
