import { honouredKeySpecs, honouredKeyUsages } from '../keys/key-specs.js';
import type { KmsOperationName } from './kms-operations.js';

/**
 * The use of a field in AWS's model that is not honoured yet, and is refused (invariant 13). `honoured` lists the only
 * values of a choice that are not refused. An entry that is no longer true does not compile or fails a test.
 */
export type Unsupported = 'always' | 'when-true' | { honoured: readonly string[] };

/** The unsupported fields of every request that has them. */
export const unsupportedEverywhere: Readonly<Record<string, Unsupported>> = {
  grantTokens: 'always',
  dryRun: 'when-true',
  dryRunModifiers: 'always',
  recipient: 'always',
  xksProxyUriEndpoint: 'always',
  xksProxyUriPath: 'always',
  xksProxyVpcEndpointServiceName: 'always',
  xksProxyVpcEndpointServiceOwner: 'always',
  xksProxyAuthenticationCredential: 'always',
  xksProxyConnectivity: 'always',
};

/** The fields that one operation does not support, by operation and field. */
export const unsupportedFields: Readonly<Partial<Record<KmsOperationName, Readonly<Record<string, Unsupported>>>>> = {
  CreateCustomKeyStore: { customKeyStoreType: { honoured: ['AWS_CLOUDHSM'] } },
  CreateKey: {
    policy: 'always',
    keyUsage: { honoured: honouredKeyUsages },
    customerMasterKeySpec: { honoured: honouredKeySpecs },
    keySpec: { honoured: honouredKeySpecs },
    origin: { honoured: ['AWS_KMS', 'AWS_CLOUDHSM'] },
    bypassPolicyLockoutSafetyCheck: 'when-true',
    tags: 'always',
    multiRegion: 'when-true',
    xksKeyId: 'always',
  },
  ListKeys: { resourceOwners: 'always' },
};
