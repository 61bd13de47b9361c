import { type ErrorCode, errorCodes } from '../errors.js';
import type { NativeReturnValue } from './native-return-value.js';

/** The meaning of a CK_RV: a row of the addon's table (`native/src/return_values.cc`), with its code checked. */
export interface ReturnValue extends Omit<NativeReturnValue, 'code'> {
  code: ErrorCode;
}

/** Looks up the meaning of a CK_RV. */
export type ReturnValues = (value: number) => ReturnValue;

/**
 * The addon's table as a look-up. An unknown value is treated as the addon treats it: like CKR_VENDOR_DEFINED.
 * @throws when a row has a code outside the closed list, or when there is no row for CKR_VENDOR_DEFINED: the
 *   addon and this code do not belong together.
 */
export function readReturnValues(rows: readonly NativeReturnValue[]): ReturnValues {
  const byValue = new Map(rows.map((row) => [row.value, { ...row, code: requireCode(row) }]));
  const unknown = [...byValue.values()].find(({ name }) => name === 'CKR_VENDOR_DEFINED');
  if (unknown === undefined) throw new Error('The addon has no row for CKR_VENDOR_DEFINED.');
  return (value) => byValue.get(value) ?? { ...unknown, value, name: `0x${value.toString(16)}` };
}

function requireCode(row: NativeReturnValue): ErrorCode {
  const code = errorCodes.find((known) => known === row.code);
  if (code === undefined) throw new Error(`The addon maps ${row.name} to ${row.code}, which is not an error code.`);
  return code;
}
