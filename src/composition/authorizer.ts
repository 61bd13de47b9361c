import type { Configuration } from '../config/configuration.js';
import type { PrincipalDirectory } from '../callers/principal-directory.js';
import { userActions } from '../operations/registry.js';
import { AccessList } from '../policy/access-list.js';
import { requirePrincipal } from '../callers/found-principal.js';

/** The policy of the configuration's principals and their roles. */
export function configuredAuthorizer(configuration: Configuration, principals: PrincipalDirectory): AccessList {
  const withRole = (role: 'administrator' | 'user') => configuration.principals.filter((entry) => entry.role === role);
  return new AccessList(
    withRole('administrator').map(({ name }) => requirePrincipal(principals, name).arn),
    withRole('user').map(({ name, keys }) => ({ principalArn: requirePrincipal(principals, name).arn, keys })),
    userActions,
  );
}
