import type { MethodName } from '../../operations/methods.js';
import { adminCodecs } from './admin-messages.js';
import { cryptographyCodecs } from './cryptography-messages.js';
import { keyCodecs } from './key-messages.js';
import { keyStoreCodecs } from './key-store-messages.js';
import type { MethodCodec } from './method-codec.js';

/** How each method's messages become requests and responses of the domain. A method without a codec does not compile. */
export const codecs: Readonly<Record<MethodName, MethodCodec>> = {
  ...keyStoreCodecs,
  ...keyCodecs,
  ...cryptographyCodecs,
  ...adminCodecs,
};
