import type { ErrorCode } from './errors.js';

/** The explanation of a code for callers and operators; `docs/errors.md` is generated from it. */
export interface ErrorExplanation {
  /** Why the server answers with this code. */
  cause: string;
  /** The remedy, and who applies it. */
  remedy: string;
}

/** Every code of the closed list. A code without its explanation does not compile. */
export const errorGuide = {
  ACCESS_DENIED: {
    cause:
      'No client certificate, one that no principal matches, or a principal that may not do this. The audit log names the caller.',
    remedy:
      'The operator adds the caller to `principals` with the access that it needs. A key that does not exist gets the same answer.',
  },
  ALREADY_EXISTS: {
    cause: 'An alias of this name exists in the account and region.',
    remedy: 'Choose another name, or point the alias elsewhere with UpdateAlias.',
  },
  CANCELLED: {
    cause:
      'The client cancelled the call, or its connection closed, before the answer. An operation that waited for an HSM was dropped; the result of a running one is discarded.',
    remedy:
      'The client no longer waits, so only the audit log shows this code. Send the call again if its answer is needed after all.',
  },
  CLOUD_HSM_CLUSTER_IN_USE: {
    cause: 'Another custom key store, or the default key store, has the cluster.',
    remedy: 'Use a cluster of its own for each key store.',
  },
  CLOUD_HSM_CLUSTER_INVALID_CONFIGURATION: {
    cause:
      'The configuration of the cluster, or the tokens of its members, cannot carry a key store; or a new key would be on too few members.',
    remedy:
      'If it is retryable, wait for the members that are away. Otherwise the operator runs `holdfast doctor`, which names the member and what is missing.',
  },
  CLOUD_HSM_CLUSTER_NOT_FOUND: {
    cause: 'The configuration has no cluster of this id.',
    remedy: '`clusters` in `holdfast.yaml` lists the ids; a new cluster needs a restart.',
  },
  CLOUD_HSM_CLUSTER_NOT_RELATED: {
    cause: 'UpdateCustomKeyStore names a cluster that does not hold the same keys as the one before.',
    remedy: 'Name a cluster that was made from the old one, or create another key store.',
  },
  CUSTOM_KEY_STORE_HAS_CMKS: {
    cause: 'DeleteCustomKeyStore of a store that still has KMS keys, including those pending deletion.',
    remedy: 'Schedule the deletion of its keys and wait until they are gone, or disconnect the store and keep it.',
  },
  CUSTOM_KEY_STORE_INVALID_STATE: {
    cause: "The operation is not allowed in the store's connection state, or the store's HSMs cannot be used now.",
    remedy:
      'If it is retryable, wait for the store or its HSMs. Otherwise check the state with DescribeCustomKeyStores, and connect or disconnect the store.',
  },
  CUSTOM_KEY_STORE_NAME_IN_USE: {
    cause: 'A custom key store of this name exists in the account and region.',
    remedy: 'Choose another name.',
  },
  CUSTOM_KEY_STORE_NOT_FOUND: {
    cause: 'No custom key store has this id or name.',
    remedy: 'DescribeCustomKeyStores lists them.',
  },
  DEPENDENCY_TIMEOUT: {
    cause:
      'The deadline passed before an HSM had answered. It may have done the work anyway. `caller_deadline` says whose deadline it was.',
    remedy:
      'Try again, with more time if the deadline was yours. Before a second CreateKey check for a first key. If it persists, the operator checks the members.',
  },
  DISABLED: {
    cause: 'The KMS key is disabled.',
    remedy: 'Call EnableKey if that was not intended.',
  },
  INCORRECT_KEY: {
    cause: 'The request names a key, and the ciphertext was made with another.',
    remedy: 'Leave the key id out, or name the one that encrypted.',
  },
  INCORRECT_TRUST_ANCHOR: {
    cause: "The trust anchor certificate is not the cluster's.",
    remedy: "Send the certificate of the cluster's configuration, as PEM.",
  },
  INVALID_ALIAS_NAME: {
    cause: 'The alias name breaks a rule: `alias/` and 1 to 249 letters, digits, `/`, `_`, `-`; not `alias/aws/…`.',
    remedy: 'Correct the name as the message says.',
  },
  INVALID_ARN: {
    cause: 'The key identifier is not a well-formed ARN of a KMS key or alias.',
    remedy: 'Correct it: `arn:<partition>:kms:<region>:<account>:key/<id>` or `…:alias/<name>`.',
  },
  INVALID_CIPHERTEXT: {
    cause:
      'It is not a ciphertext of Holdfast, it names a key unknown to the catalog, or a sound HSM refused its bytes or encryption context.',
    remedy:
      'Send every byte as Encrypt returned it, with the same encryption context, case included. If valid ciphertexts are refused, see [unknown keys](#unknown-keys).',
  },
  INVALID_KEY_USAGE: {
    cause: "The operation or algorithm does not fit the key's usage or spec.",
    remedy: 'DescribeKey shows what the key is for.',
  },
  INVALID_MARKER: {
    cause: 'The marker does not come from this operation, or was for another request.',
    remedy: 'Begin the listing again without a marker.',
  },
  KEY_UNAVAILABLE: {
    cause: 'No HSM that holds the key takes work now. Nothing was done.',
    remedy:
      'If it is retryable, try again after the delay in `RetryInfo`, then with growing pauses. Otherwise an operator must act first: `holdfast doctor` names the HSM.',
  },
  KMS_INTERNAL: {
    cause: 'A defect, or an unforeseen failure. The message deliberately says no more.',
    remedy: 'Try again once if it is retryable. The operator finds the cause in the server log under the request id.',
  },
  KMS_INVALID_MAC: {
    cause: 'The MAC is not that of this message under this key: one of the three is another one.',
    remedy:
      'Send every byte of the message and of the MAC, and name the key that made it. Otherwise do not trust the message.',
  },
  KMS_INVALID_STATE: {
    cause:
      'The key is pending deletion, unavailable, being changed by another request, or out of encryptions; or no HSM proved to hold it.',
    remedy:
      'If it is retryable, try again. Otherwise go by `key_state`: cancel the deletion, connect the store, or use a new key if the encryptions are used up.',
  },
  LIMIT_EXCEEDED: {
    cause: 'A limit was reached: keys, aliases or stores of an account, or the queue before the HSMs.',
    remedy:
      'If it is retryable, try again after the delay in `RetryInfo`. Otherwise remove what is not needed, or have the operator raise `limits`.',
  },
  NOT_FOUND: {
    cause: 'No such key, alias or grant in this account and region.',
    remedy: 'Check the id, its region and account. The alias may have changed: list the aliases.',
  },
  THROTTLING: {
    cause: "The key store's quota of operations a second is used up.",
    remedy:
      'Wait as long as `RetryInfo` says, then go on with growing pauses. The operator sets `operationsPerSecond` of the cluster.',
  },
  UNSUPPORTED_OPERATION: {
    cause:
      'The request asks for something that this version does not support, or for more than the HSM takes at a time. The message says which: nothing is silently ignored.',
    remedy: 'Leave the field out, or use a version that has it.',
  },
  VALIDATION: {
    cause: 'A field breaks a rule, or the request cannot be decoded. `BadRequest` lists the fields.',
    remedy: 'Correct the fields that it names.',
  },
} satisfies Record<ErrorCode, ErrorExplanation>;
