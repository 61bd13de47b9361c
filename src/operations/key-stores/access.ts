import type { KeyStoreAdministration } from '../../keystores/administration.js';
import { type ConnectCustomKeyStoreRequest, connectCustomKeyStore } from './connect-custom-key-store.js';
import {
  type CreateCustomKeyStoreRequest,
  type CreateCustomKeyStoreResponse,
  createCustomKeyStore,
} from './create-custom-key-store.js';
import { type DeleteCustomKeyStoreRequest, deleteCustomKeyStore } from './delete-custom-key-store.js';
import { type DescribeCustomKeyStoresRequest, describeCustomKeyStores } from './describe-custom-key-stores.js';
import { type DisconnectCustomKeyStoreRequest, disconnectCustomKeyStore } from './disconnect-custom-key-store.js';
import { type UpdateCustomKeyStoreRequest, updateCustomKeyStore } from './update-custom-key-store.js';
import type { AccessRow } from '../access-row.js';
import type { RequestContext } from '../../calls/request-context.js';

type UseCase<Request> = (
  core: KeyStoreAdministration,
  call: { request: Request },
  context: RequestContext,
) => Promise<object>;

/** The rows of `KeyStoreService`. Only those who may act on the whole account pass: the first policy knows no other. */
export function keyStoreAccess(core: KeyStoreAdministration) {
  /** An operation on the store that the request names. A name that does not exist is told only to those who are allowed. */
  const onStore = <Request extends { customKeyStoreId: string }>(
    action: string,
    useCase: UseCase<Request>,
    audited: AccessRow<Request>['audited'] = ['customKeyStoreId'],
  ): AccessRow<Request> => ({
    plane: 'control',
    audited,
    prepare: (request, context) =>
      Promise.resolve({
        accesses: [{ action, resource: { kind: 'custom-key-store', customKeyStoreId: request.customKeyStoreId } }],
        execute: () => useCase(core, { request }, context),
      }),
  });

  const onAccount = <Request>(
    action: string,
    useCase: UseCase<Request>,
    row: Pick<AccessRow<Request>, 'plane' | 'audited' | 'created'>,
  ): AccessRow<Request> => ({
    ...row,
    prepare: (request, context) =>
      Promise.resolve({
        accesses: [{ action, resource: { kind: 'account' } }],
        execute: () => useCase(core, { request }, context),
      }),
  });

  return {
    CreateCustomKeyStore: onAccount<CreateCustomKeyStoreRequest>('kms:CreateCustomKeyStore', createCustomKeyStore, {
      plane: 'control',
      audited: ['customKeyStoreName', 'cloudHsmClusterId', 'customKeyStoreType'],
      created: (response) => (response as CreateCustomKeyStoreResponse).customKeyStoreId,
    }),
    ConnectCustomKeyStore: onStore<ConnectCustomKeyStoreRequest>('kms:ConnectCustomKeyStore', connectCustomKeyStore),
    DisconnectCustomKeyStore: onStore<DisconnectCustomKeyStoreRequest>(
      'kms:DisconnectCustomKeyStore',
      disconnectCustomKeyStore,
    ),
    DescribeCustomKeyStores: onAccount<DescribeCustomKeyStoresRequest>(
      'kms:DescribeCustomKeyStores',
      describeCustomKeyStores,
      { plane: 'data', audited: ['customKeyStoreId', 'customKeyStoreName', 'limit'] },
    ),
    UpdateCustomKeyStore: onStore<UpdateCustomKeyStoreRequest>('kms:UpdateCustomKeyStore', updateCustomKeyStore, [
      'customKeyStoreId',
      'newCustomKeyStoreName',
      'cloudHsmClusterId',
    ]),
    DeleteCustomKeyStore: onStore<DeleteCustomKeyStoreRequest>('kms:DeleteCustomKeyStore', deleteCustomKeyStore),
  };
}
