import { type ErrorCode, errorCodes } from '../errors.js';
import type { NativeReturnValue } from './native.js';

/** What a CK_RV means: a row of the addon's table (`native/src/return_values.cc`), with its code checked. */
export interface ReturnValue extends Omit<NativeReturnValue, 'code'> {
  code: ErrorCode;
}

/** Looks up what a CK_RV means. */
export type ReturnValues = (value: number) => ReturnValue;

/**
 * The table of the addon as a look-up. A value that it does not know (vendors define their own, PKCS#11 v2.40 §5.1.7)
 * is an internal error that may pass and that speaks about the HSM.
 * @throws when a row has a code that is not of the closed list: the addon and this code do not belong together.
 */
export function readReturnValues(rows: readonly NativeReturnValue[]): ReturnValues {
  const byValue = new Map(rows.map((row) => [row.value, { ...row, code: requireCode(row) }]));
  return (value) => byValue.get(value) ?? unknownValue(value);
}

function requireCode(row: NativeReturnValue): ErrorCode {
  const code = errorCodes.find((known) => known === row.code);
  if (code === undefined) throw new Error(`The addon maps ${row.name} to ${row.code}, which is no error code.`);
  return code;
}

function unknownValue(value: number): ReturnValue {
  return {
    name: `0x${value.toString(16)}`,
    value,
    code: 'KMS_INTERNAL',
    transient: true,
    poisonsSession: false,
    poisonsMember: false,
    speaksAboutHsm: true,
  };
}
