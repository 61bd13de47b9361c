import { type OperationName, operationNames } from '../../operations/registry.js';
import { AdminServiceService } from './gen/holdfast/admin/v1/admin_service.js';
import { BackupServiceService } from './gen/holdfast/admin/v1/backup_service.js';
import { ClusterServiceService } from './gen/holdfast/admin/v1/cluster_service.js';
import { CredentialServiceService } from './gen/holdfast/admin/v1/credential_service.js';
import { CryptographyServiceService } from './gen/holdfast/kms/v1/cryptography_service.js';
import { KeyServiceService } from './gen/holdfast/kms/v1/key_service.js';
import { KeyStoreServiceService } from './gen/holdfast/kms/v1/key_store_service.js';

/** The services of the proto, as generated. */
export const services = [
  KeyStoreServiceService,
  KeyServiceService,
  CryptographyServiceService,
  AdminServiceService,
  BackupServiceService,
  ClusterServiceService,
  CredentialServiceService,
] as const;

/** Full names, for health. */
export const serviceNames: readonly string[] = services.map((service) => {
  const [method] = Object.values(service) as { path: string }[];
  return serviceOf(method?.path ?? '');
});

/** The full name of the service whose methods need an HSM. */
export const cryptographyServiceName = 'holdfast.kms.v1.CryptographyService';

/** The method for a path (`/package.Service/Method`). Throws for one that the dispatcher does not have. */
export function methodOf(path: string): OperationName {
  const method = operationNames.find((name) => path.endsWith(`/${name}`));
  if (method === undefined) throw new Error(`The dispatcher has no method for ${path}.`);
  return method;
}

function serviceOf(path: string): string {
  return path.split('/')[1] ?? '';
}
