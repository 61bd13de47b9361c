import { HoldfastError } from '../errors.js';

/**
 * VALIDATION for a rule that the model's shapes do not express.
 * @param field the request field in `snake_case`.
 */
export function invalidField(field: string, message: string): HoldfastError {
  return new HoldfastError('VALIDATION', message, { fieldViolations: [{ field, description: message }] });
}

/**
 * VALIDATION in the live service's words, for a number outside the range that the API's text states and its shape does
 * not.
 */
export function checkRange(field: string, member: string, value: number, minimum: number, maximum: number): void {
  if (value >= minimum && value <= maximum) return;
  const bound = value < minimum ? `greater than or equal to ${minimum}` : `less than or equal to ${maximum}`;
  throw invalidField(
    field,
    `1 validation error detected: Value '${value}' at '${member}' failed to satisfy constraint: Member must have value ${bound}`,
  );
}
