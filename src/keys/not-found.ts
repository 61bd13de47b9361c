import { type FieldViolation, HoldfastError } from '../errors.js';

/** NOT_FOUND in the three sentences of the live AWS service; clients match on them. */

/** A well-formed id or ARN that names nothing here. */
export function keyNotFound(keyArn: string): HoldfastError {
  return new HoldfastError('NOT_FOUND', `Key '${keyArn}' does not exist`);
}

/** Text that cannot be the id of a key. */
export function invalidKeyId(identifier: string, fieldViolations: readonly FieldViolation[] = []): HoldfastError {
  return new HoldfastError('NOT_FOUND', `Invalid keyId '${identifier}'`, { fieldViolations });
}

/** An alias in a field that takes none: AWS's sentence, and a violation that says what to give instead. */
export function aliasWhereKeyIdBelongs(identifier: string, field: string): HoldfastError {
  const description = 'An alias is not accepted here: name the key by its id or ARN, which DescribeKey shows.';
  return invalidKeyId(identifier, [{ field, description }]);
}

/** An alias name, or an alias ARN, that names nothing in the caller's account and region. Takes the ARN. */
export function aliasNotFound(aliasArn: string): HoldfastError {
  return new HoldfastError('NOT_FOUND', `Alias ${aliasArn} is not found.`);
}
