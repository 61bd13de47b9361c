import { HoldfastError } from '../errors.js';
import { aliasArn } from './arn.js';
import type { KeysCore } from './core.js';
import { invalidField } from './invalid-field.js';

/** AWS KMS Developer Guide, "Resource quotas". */
export const maximumAliasesPerKey = 50;

/** The live service's sentence; it sends it as a ValidationException. */
const missingPrefix =
  'Alias must start with the prefix "alias/". Please see https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html';

/**
 * Rules that the model's pattern does not express: names begin with `alias/`, and `alias/aws/` is reserved.
 * @throws VALIDATION (no prefix), INVALID_ALIAS_NAME
 */
export function checkAliasName(aliasName: string): void {
  if (!aliasName.startsWith('alias/')) throw invalidField('alias_name', missingPrefix);
  if (aliasName === 'alias/')
    throw invalidName('An alias name needs at least one character after the prefix "alias/".');
  if (aliasName.startsWith('alias/aws/')) throw invalidName('Alias names that start with "alias/aws/" are reserved.');
}

function invalidName(message: string): HoldfastError {
  return new HoldfastError('INVALID_ALIAS_NAME', message, {
    fieldViolations: [{ field: 'alias_name', description: message }],
  });
}

/** LIMIT_EXCEEDED for a key that has the maximum number of aliases. */
export function tooManyAliases(): HoldfastError {
  return new HoldfastError(
    'LIMIT_EXCEEDED',
    `The key has ${maximumAliasesPerKey} aliases, which is the maximum for a key.`,
    { retryable: false },
  );
}

/** ALREADY_EXISTS for an alias name in use. */
export function aliasAlreadyExists(
  core: Pick<KeysCore, 'identity'>,
  alias: Parameters<typeof aliasArn>[1],
): HoldfastError {
  return new HoldfastError('ALREADY_EXISTS', `An alias with the name ${aliasArn(core.identity, alias)} already exists`);
}
