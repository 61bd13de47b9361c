import { isNativeFailure } from '../../hsm/failure.js';
import { loginAnswer } from '../../hsm/login-answers.js';
import type { NativeFailure } from '../../hsm/native.js';
import { loadAddon } from '../../hsm/native.js';
import { readReturnValues } from '../../hsm/return-values.js';
import { CliError, exitCodes } from '../exit-codes.js';

/** Whose PIN a login was with. */
export type LoginAs = 'officer' | 'user';

/** Whether the token refused a PIN, which it has counted. */
function isRefusedPin(error: unknown): boolean {
  if (!isNativeFailure(error) || error.kind !== 'rv' || error.functionName !== 'C_Login') return false;
  const returnValues = readReturnValues(loadAddon().returnValues());
  return loginAnswer(returnValues(error.rv)).attempt === 'failed';
}

/** An HSM's failure as the command's error. Others are returned unchanged. @param member its name, if one is known */
export function hsmError(error: unknown, member: string | undefined, as: LoginAs = 'officer'): unknown {
  if (!isNativeFailure(error)) return error;
  const message = member === undefined ? error.message : `member ${member}: ${error.message}`;
  const { code, hint } = explained(error, as);
  return new CliError(exitCodes.checkFailed, code, message, { cause: error, hint });
}

function explained(error: NativeFailure, as: LoginAs): { code: string; hint: string } {
  if (isRefusedPin(error)) {
    const pin = as === 'officer' ? 'SO PIN' : 'user PIN';
    return {
      code: 'PIN_REFUSED',
      hint: `the token has counted a wrong ${pin}; it was tried once. Make sure of it with the vendor's tool, then run the command again`,
    };
  }
  if (error.functionName === 'C_Login')
    return {
      code: 'LOGIN',
      hint: 'the PIN is locked, has one attempt left, or the token takes no login now: look at it with the vendor’s tool',
    };
  return byKind[error.kind] ?? { code: 'HSM', hint: 'run the command again: it completes what this run left' };
}

const byKind: Partial<Record<NativeFailure['kind'], { code: string; hint: string }>> = {
  'token-missing': {
    code: 'TOKEN_MISSING',
    hint: 'holdfast token list shows the tokens of a module; two members must not be one token',
  },
  module: { code: 'MODULE', hint: 'holdfast doctor checks the module' },
  'lock-held': {
    code: 'MODULE_BUSY',
    hint: 'another process initialises the module or logs in; run the command again',
  },
  'material-ambiguous': {
    code: 'UNKNOWN_KEYS',
    hint: 'somebody planted an object of this name: destroy it with the vendor’s tool, above all if an officer has marked it, and run the command again',
  },
  'material-missing': {
    code: 'GENERATION',
    hint: 'this generation cannot be completed: holdfast cluster rotate-wrapping-key makes a new one; if keys were destroyed while they waited for an officer, run the same command again',
  },
  'material-mismatch': {
    code: 'GENERATION',
    hint: 'this generation is not the same on all members: holdfast cluster rotate-wrapping-key makes a new one; if keys were replaced while they waited for an officer, run the same command with --anew',
  },
};
