/**
 * What succeeds on a SoftHSM token that was prepared without some attributes: measured, then read. With none left out,
 * nothing succeeds. "recovered": the key's bytes came out and were proved; "misused": a key did what it must not.
 */

/** One preparation. Attacks that are not named fail. */
export interface Preparation {
  without: readonly string[];
  succeed: Readonly<Record<string, string>>;
}

/** Each attribute alone, then those behind which another one holds too. */
export const softHsmOutcomes: readonly Preparation[] = [
  {
    without: [],
    succeed: {},
  },
  {
    without: ['key.CKA_PRIVATE'],
    succeed: {
      'use-without-pin': 'nobody misused AES, generic secret, private',
    },
  },
  {
    without: ['key.CKA_SENSITIVE'],
    succeed: {
      'read-key': 'user recovered AES, generic secret',
      'plant-namesake': 'user recovered AES',
    },
  },
  {
    without: ['key.CKA_WRAP_WITH_TRUSTED'],
    succeed: {
      'wrap-under-own-aes': 'user recovered AES, generic secret, private',
      'wrap-under-own-rsa': 'user recovered AES, generic secret',
      'wrap-under-own-unwrapped': 'user recovered AES, generic secret, private',
    },
  },
  {
    without: ['key.CKA_WRAP'],
    succeed: {},
  },
  {
    without: ['key.CKA_SIGN'],
    succeed: {},
  },
  {
    without: ['key.CKA_DERIVE'],
    succeed: {},
  },
  {
    without: ['key.CKA_ALLOWED_MECHANISMS'],
    succeed: {},
  },
  {
    without: ['key.CKA_COPYABLE'],
    succeed: {},
  },
  {
    without: ['key.CKA_MODIFIABLE'],
    succeed: {
      'set-derive': 'user misused AES, generic secret, private',
      'set-extractable': 'user misused AES, generic secret, private',
    },
  },
  {
    without: ['wrapping.CKA_SENSITIVE'],
    succeed: {},
  },
  {
    without: ['wrapping.CKA_EXTRACTABLE'],
    succeed: {
      'wrap-wrapping-key-under-own':
        'nobody recovered AES, generic secret, private; user recovered AES, generic secret, private',
      'wrap-wrapping-key-under-itself': 'user recovered AES',
    },
  },
  {
    without: ['wrapping.CKA_ENCRYPT'],
    succeed: {},
  },
  {
    without: ['wrapping.CKA_DECRYPT'],
    succeed: {},
  },
  {
    without: ['wrapping.CKA_SIGN'],
    succeed: {},
  },
  {
    without: ['wrapping.CKA_DERIVE'],
    succeed: {},
  },
  {
    without: ['wrapping.CKA_COPYABLE'],
    succeed: {},
  },
  {
    without: ['wrapping.CKA_MODIFIABLE'],
    succeed: {},
  },
  {
    without: ['wrapping.CKA_ALLOWED_MECHANISMS'],
    succeed: {
      'wrap-by-cbc': 'user misused AES, generic secret',
      'wrap-by-key-wrap': 'user misused AES, generic secret',
    },
  },
  {
    without: ['wrapping.CKA_WRAP_TEMPLATE'],
    succeed: {
      'wrap-under-other-kind': 'user misused AES, generic secret, private',
    },
  },
  {
    without: ['wrapping.CKA_UNWRAP_TEMPLATE'],
    succeed: {
      'unwrap-readable': 'nobody recovered AES, generic secret; user recovered AES, generic secret',
      'unwrap-wrappable': 'nobody recovered AES, generic secret, private; user recovered AES, generic secret, private',
      'unwrap-public': 'nobody misused AES, generic secret, private; user misused AES, generic secret, private',
      'unwrap-as-readable-secret':
        'nobody recovered AES, generic secret, private; user recovered AES, generic secret, private',
      'unwrap-as-signing-secret': 'nobody misused AES, private; user misused AES, private',
      'unwrap-as-des3': 'nobody misused AES, generic secret; user misused AES, generic secret',
      'unwrap-as-des': 'nobody misused AES, generic secret; user misused AES, generic secret',
      'unwrap-as-aes': 'nobody misused generic secret; user misused generic secret',
      'unwrap-to-wrap': 'nobody misused AES, generic secret; user misused AES, generic secret',
      'unwrap-to-unwrap': 'nobody misused AES, generic secret, private; user misused AES, generic secret, private',
      'derive-from-replica': 'nobody misused AES; user misused AES',
    },
  },
  {
    without: ['unwrap.CKA_CLASS'],
    succeed: {
      'unwrap-as-signing-secret': 'user misused private',
    },
  },
  {
    without: ['unwrap.CKA_KEY_TYPE'],
    succeed: {
      'unwrap-as-signing-secret': 'user misused AES',
      'unwrap-as-des3': 'user misused AES, generic secret',
      'unwrap-as-des': 'user misused AES, generic secret',
      'unwrap-as-aes': 'user misused generic secret',
    },
  },
  {
    without: ['unwrap.CKA_PRIVATE'],
    succeed: {
      'unwrap-public': 'nobody misused AES, generic secret, private; user misused AES, generic secret, private',
    },
  },
  {
    without: ['unwrap.CKA_SENSITIVE'],
    succeed: {
      'unwrap-readable': 'user recovered AES, generic secret',
      'unwrap-as-readable-secret': 'user recovered generic secret',
    },
  },
  {
    without: ['unwrap.CKA_WRAP_WITH_TRUSTED'],
    succeed: {
      'unwrap-wrappable': 'user recovered AES, generic secret, private',
    },
  },
  {
    without: ['unwrap.CKA_WRAP'],
    succeed: {
      'unwrap-to-wrap': 'user misused AES, generic secret',
    },
  },
  {
    without: ['unwrap.CKA_UNWRAP'],
    succeed: {
      'unwrap-to-unwrap': 'user misused AES, generic secret, private',
    },
  },
  {
    without: ['unwrap.CKA_DERIVE'],
    succeed: {
      'derive-from-replica': 'user misused AES',
    },
  },
  {
    without: ['carry.CKA_TOKEN'],
    succeed: {
      'unwrap-carried': 'nobody recovered AES, generic secret, private; user recovered AES, generic secret, private',
    },
  },
  {
    without: ['carry.CKA_DECRYPT'],
    succeed: {},
  },
  {
    without: ['key.CKA_WRAP_WITH_TRUSTED', 'key.CKA_ALLOWED_MECHANISMS'],
    succeed: {
      'wrap-under-own-aes': 'user recovered AES, generic secret, private',
      'wrap-under-own-rsa': 'user recovered AES, generic secret',
      'wrap-under-own-unwrapped': 'user recovered AES, generic secret, private',
    },
  },
  {
    without: ['key.CKA_WRAP', 'key.CKA_WRAP_WITH_TRUSTED', 'key.CKA_ALLOWED_MECHANISMS'],
    succeed: {
      'wrap-under-own-aes': 'user recovered AES, generic secret, private',
      'wrap-under-own-rsa': 'user recovered AES, generic secret',
      'wrap-under-own-unwrapped': 'user recovered AES, generic secret, private',
      'wrap-and-decrypt': 'user recovered AES',
    },
  },
  {
    without: ['key.CKA_SIGN', 'key.CKA_ALLOWED_MECHANISMS'],
    succeed: {
      'sign-with-key': 'user misused AES',
    },
  },
  {
    without: ['key.CKA_DERIVE', 'key.CKA_ALLOWED_MECHANISMS'],
    succeed: {
      'derive-by-ecb': 'user misused AES',
      'derive-by-cbc': 'user misused AES',
    },
  },
  {
    without: ['key.CKA_COPYABLE', 'key.CKA_MODIFIABLE'],
    succeed: {
      'set-derive': 'user misused AES, generic secret, private',
      'set-extractable': 'user misused AES, generic secret, private',
      'copy-with-derive': 'user misused AES, generic secret, private',
    },
  },
  {
    without: ['wrapping.CKA_SENSITIVE', 'wrapping.CKA_EXTRACTABLE'],
    succeed: {
      'read-wrapping-key': 'nobody recovered AES, generic secret, private; user recovered AES, generic secret, private',
      'wrap-wrapping-key-under-own':
        'nobody recovered AES, generic secret, private; user recovered AES, generic secret, private',
      'wrap-wrapping-key-under-itself': 'user recovered AES',
    },
  },
  {
    without: ['wrapping.CKA_ENCRYPT', 'wrapping.CKA_ALLOWED_MECHANISMS'],
    succeed: {
      'wrap-by-cbc': 'user misused AES, generic secret',
      'wrap-by-key-wrap': 'user misused AES, generic secret',
      'encrypt-by-ecb': 'user misused AES',
    },
  },
  {
    without: ['wrapping.CKA_DECRYPT', 'wrapping.CKA_ALLOWED_MECHANISMS'],
    succeed: {
      'decrypt-by-ecb': 'nobody recovered AES, generic secret, private; user recovered AES, generic secret, private',
      'wrap-by-cbc': 'user misused AES, generic secret',
      'wrap-by-key-wrap': 'user misused AES, generic secret',
    },
  },
  {
    without: ['wrapping.CKA_SIGN', 'wrapping.CKA_ALLOWED_MECHANISMS'],
    succeed: {
      'sign-with-wrapping-key': 'nobody misused AES; user misused AES',
      'wrap-by-cbc': 'user misused AES, generic secret',
      'wrap-by-key-wrap': 'user misused AES, generic secret',
    },
  },
  {
    without: ['wrapping.CKA_DERIVE', 'wrapping.CKA_ALLOWED_MECHANISMS'],
    succeed: {
      'wrap-by-cbc': 'user misused AES, generic secret',
      'wrap-by-key-wrap': 'user misused AES, generic secret',
      'derive-from-wrapping-key-by-ecb': 'user misused AES',
      'derive-from-wrapping-key-by-cbc': 'user misused AES',
    },
  },
  {
    without: ['wrapping.CKA_MODIFIABLE', 'wrapping.CKA_ALLOWED_MECHANISMS'],
    succeed: {
      'set-wrapping-decrypt':
        'nobody recovered AES, generic secret, private; user recovered AES, generic secret, private',
      'wrap-by-cbc': 'user misused AES, generic secret',
      'wrap-by-key-wrap': 'user misused AES, generic secret',
    },
  },
  {
    without: ['wrapping.CKA_COPYABLE', 'wrapping.CKA_MODIFIABLE', 'wrapping.CKA_ALLOWED_MECHANISMS'],
    succeed: {
      'set-wrapping-decrypt':
        'nobody recovered AES, generic secret, private; user recovered AES, generic secret, private',
      'copy-wrapping-with-decrypt':
        'nobody recovered AES, generic secret, private; user recovered AES, generic secret, private',
      'wrap-by-cbc': 'user misused AES, generic secret',
      'wrap-by-key-wrap': 'user misused AES, generic secret',
    },
  },
  {
    without: ['carry.CKA_TOKEN', 'carry.CKA_DECRYPT'],
    succeed: {
      'unwrap-carried': 'nobody recovered AES, generic secret, private; user recovered AES, generic secret, private',
      'decrypt-carried': 'nobody recovered AES, generic secret, private; user recovered AES, generic secret, private',
    },
  },
];

/** Attacks that SoftHSM 2.6.1 refuses on every preparation here. Some succeed on other modules (`modules.test.ts`). */
export const nowhereOnSoftHsm: readonly string[] = [
  'digest-key',
  'read-operation-state',
  'set-sensitive',
  'set-wrap-with-trusted',
  'set-unwrap-template',
  'copy-readable',
  'copy-wrappable',
  'copy-public',
  'copy-wrapping-without-template',
  'wrap-by-cbc-pad',
  'wrap-by-ecb',
  'wrap-by-gcm',
  'trust-by-create',
  'trust-by-generate',
  'trust-by-unwrap',
  'trust-by-set',
  'trust-by-copy',
  'trust-by-rsa',
  'unwrap-then-set',
  'unwrap-then-copy',
  'unwrap-trusted',
  'unwrap-without-pin',
  'unwrap-truncated',
  'decrypt-by-key-wrap',
  'derive-by-xor',
  'derive-by-concatenation',
  'derive-by-extraction',
  'padding-oracle',
];

/** What succeeds on NSS softokn 3.87.1 with the whole ceremony. Without a login it shows no object. */
export const nssOutcomes: Readonly<Record<string, string>> = {
  'copy-wrappable': 'user recovered AES, generic secret, private',
  'copy-public': 'user misused AES, generic secret, private',
  'copy-with-derive': 'user misused AES, generic secret, private',
  'copy-wrapping-with-decrypt': 'user recovered AES, generic secret, private',
  'copy-wrapping-without-template': 'user recovered AES, generic secret',
  'wrap-under-own-aes': 'user recovered AES, generic secret, private',
  'wrap-under-own-rsa': 'user recovered AES, generic secret',
  'wrap-under-own-unwrapped': 'user recovered AES, generic secret, private',
  'wrap-wrapping-key-under-own': 'user recovered AES, generic secret, private',
  'wrap-wrapping-key-under-itself': 'user recovered AES, generic secret',
  'wrap-by-cbc': 'user misused AES, generic secret',
  'wrap-by-cbc-pad': 'user misused AES, generic secret, private',
  'wrap-by-ecb': 'user misused AES, generic secret',
  'wrap-by-key-wrap': 'user misused AES, generic secret',
  'wrap-under-other-kind': 'user misused AES, generic secret, private',
  'trust-by-create': 'user recovered AES, generic secret, private',
  'trust-by-generate': 'user recovered AES, generic secret, private',
  'trust-by-unwrap': 'user recovered AES, generic secret, private',
  'trust-by-copy': 'user recovered AES, generic secret, private',
  'trust-by-rsa': 'user recovered AES',
  'unwrap-readable': 'user recovered AES, generic secret',
  'unwrap-wrappable': 'user recovered AES, generic secret',
  'unwrap-then-set': 'user recovered AES, generic secret',
  'unwrap-trusted': 'user recovered AES',
  'unwrap-public': 'user misused AES, generic secret',
  'unwrap-as-readable-secret': 'user recovered AES, generic secret, private',
  'unwrap-as-signing-secret': 'user misused AES, private',
  'unwrap-as-aes': 'user misused generic secret',
  'unwrap-to-wrap': 'user misused AES, generic secret',
  'unwrap-to-unwrap': 'user misused AES, generic secret',
  'unwrap-truncated': 'user recovered AES, generic secret',
  'derive-from-wrapping-key-by-ecb': 'user misused AES',
  'derive-from-wrapping-key-by-cbc': 'user misused AES',
  'derive-by-ecb': 'user misused AES',
  'derive-by-cbc': 'user misused AES',
  'derive-from-replica': 'user misused AES',
  'padding-oracle': 'user recovered AES',
};

/** What succeeds on kryoptic 1.5.4 whatever the ceremony does. */
export const kryopticAlways: Readonly<Record<string, string>> = {
  'trust-by-generate': 'user recovered AES, generic secret, private',
  'trust-by-unwrap': 'user recovered AES, generic secret, private',
  'trust-by-copy': 'user recovered AES, generic secret, private',
  'trust-by-rsa': 'user recovered AES',
};

/** What succeeds on kryoptic besides that. */
export const kryopticOutcomes: readonly Preparation[] = [
  { without: [], succeed: {} },
  {
    without: ['wrapping.CKA_DECRYPT'],
    succeed: {
      'decrypt-by-key-wrap': 'user recovered AES, generic secret, private',
    },
  },
  {
    without: ['wrapping.CKA_ALLOWED_MECHANISMS'],
    succeed: {
      'wrap-by-cbc': 'user misused AES, generic secret',
      'wrap-by-cbc-pad': 'user misused AES, generic secret, private',
      'wrap-by-ecb': 'user misused AES, generic secret',
      'wrap-by-key-wrap': 'user misused AES, generic secret',
      'wrap-by-gcm': 'user misused AES, generic secret, private',
    },
  },
  {
    without: ['wrapping.CKA_MODIFIABLE'],
    succeed: {
      'set-wrapping-decrypt': 'user recovered AES, generic secret, private',
      'set-unwrap-template': 'user recovered AES, generic secret',
      'wrap-by-ecb': 'user misused AES, generic secret',
      'unwrap-readable': 'user recovered AES, generic secret',
      'unwrap-wrappable': 'user recovered AES, generic secret, private',
      'unwrap-trusted': 'user recovered AES',
      'unwrap-public': 'user misused AES, generic secret, private',
      'unwrap-as-readable-secret': 'user recovered AES, generic secret, private',
      'unwrap-as-signing-secret': 'user misused AES, private',
      'unwrap-as-aes': 'user misused generic secret',
      'unwrap-to-wrap': 'user misused AES, generic secret',
      'unwrap-to-unwrap': 'user misused AES, generic secret, private',
      'derive-from-replica': 'user misused AES',
    },
  },
  {
    without: ['wrapping.CKA_COPYABLE'],
    succeed: {
      'copy-wrapping-without-template': 'user recovered AES, generic secret',
    },
  },
  {
    without: ['key.CKA_COPYABLE'],
    succeed: {
      'copy-public': 'user misused AES, generic secret, private',
      'copy-with-derive': 'user misused AES, generic secret, private',
    },
  },
];

/** Attacks that all three modules refuse on every preparation, or that have nothing to gain by nature (`digest-key`). */
export const nowhere: readonly string[] = [
  'digest-key',
  'read-operation-state',
  'set-sensitive',
  'set-wrap-with-trusted',
  'copy-readable',
  'trust-by-set',
  'unwrap-then-copy',
  'unwrap-without-pin',
  'derive-by-xor',
  'derive-by-concatenation',
  'derive-by-extraction',
];
