import type { LoginAttempt, LoginAttempts } from '../keystores/catalog.js';
import type { AttemptedToken } from './member-open-error.js';

/** Whether it is on record that the token refused the credential. Does not ask the token. */
export async function wasRefused(
  { loginAttempts }: { loginAttempts: LoginAttempts },
  token: AttemptedToken,
  credentialVersion: string,
): Promise<boolean> {
  return (await attemptState(loginAttempts, token, credentialVersion)) === 'failed';
}

/** The recorded state of the last attempt with a credential on a token; undefined if there was none. */
export async function attemptState(
  loginAttempts: LoginAttempts,
  token: AttemptedToken,
  credentialVersion: string,
): Promise<LoginAttempt['state'] | undefined> {
  const attempts = await loginAttempts.listLoginAttempts();
  const isThis = (attempt: LoginAttempt) =>
    attempt.tokenSerialNumber === token.serialNumber && attempt.credentialVersion === credentialVersion;
  return attempts.find(isThis)?.state;
}
