import { HoldfastError } from '../errors.js';
import { aliasArn } from './arn.js';
import type { KeysCore } from './core.js';
import type { KeyRecord } from './key.js';

/** AWS KMS Developer Guide, "Resource quotas". */
const maximumAliasesPerKey = 50;

/**
 * What the pattern of the model does not say: names begin with `alias/`, and `alias/aws/` is reserved.
 * @throws INVALID_ALIAS_NAME
 */
export function checkAliasName(aliasName: string): void {
  const message = faultOf(aliasName);
  if (message === undefined) return;
  throw new HoldfastError('INVALID_ALIAS_NAME', message, {
    fieldViolations: [{ field: 'alias_name', description: message }],
  });
}

function faultOf(aliasName: string): string | undefined {
  if (!aliasName.startsWith('alias/')) {
    // The sentence of the live service.
    return 'Alias must start with the prefix "alias/". Please see https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html';
  }
  if (aliasName === 'alias/') return 'An alias name needs at least one character after the prefix "alias/".';
  if (aliasName.startsWith('alias/aws/')) return 'Alias names that start with "alias/aws/" are reserved.';
  return undefined;
}

/** @throws LIMIT_EXCEEDED when the key has 50 aliases already. */
export async function checkAliasQuota(core: Pick<KeysCore, 'catalog'>, key: KeyRecord): Promise<void> {
  if ((await core.catalog.countAliasesOfKey(key, key.keyId)) < maximumAliasesPerKey) return;
  throw new HoldfastError(
    'LIMIT_EXCEEDED',
    `The key has ${maximumAliasesPerKey} aliases, which is the most that a key can have.`,
  );
}

/** ALREADY_EXISTS for an alias name that is taken. */
export function aliasAlreadyExists(
  core: Pick<KeysCore, 'identity'>,
  alias: Parameters<typeof aliasArn>[1],
): HoldfastError {
  return new HoldfastError('ALREADY_EXISTS', `An alias with the name ${aliasArn(core.identity, alias)} already exists`);
}
