import { retryability } from '../errors.js';
import type { RetryOptions, Classification } from './failure.js';

/**
 * Whether an absent member returns by itself, and in how long; `inMs` is undefined if that is unknown. It does not
 * return if an operator must act first: a refused PIN, a token without a user PIN.
 */
export type Outlook = { returns: true; inMs: number | undefined } | { returns: false };

/** The outlook of several members of which any suffices: that of the first to return. */
export function bestOutlook(outlooks: readonly Outlook[]): Outlook {
  const returning = outlooks.filter((outlook) => outlook.returns);
  if (returning.length === 0) return { returns: false };
  const known = returning.flatMap(({ inMs }) => (inMs === undefined ? [] : [inMs]));
  return { returns: true, inMs: known.length === 0 ? undefined : Math.min(...known) };
}

/** @param outlook of the members that the request did not reach, or all of them */
export function retryOptions(outlook: Outlook): RetryOptions {
  if (!outlook.returns) return { retryable: false };
  // A member that takes work has failed this one request only: there is nothing to wait for.
  return { retryable: true, retryAfterMs: outlook.inMs === 0 ? undefined : outlook.inMs };
}

/**
 * The advice to a caller after a failure: `whole` is the outlook of all members of the cluster, `away` of those that
 * take no work now. A material that is broken on the member tried may be sound on an absent one.
 */
export function retryAfterFailure(
  { code, alert, retryAfterMs }: Classification,
  { whole, away }: { whole: Outlook; away: Outlook },
): RetryOptions {
  if (alert !== null) return retryOptions(away);
  if (code === 'KEY_UNAVAILABLE') return retryOptions(whole);
  const retryable = retryability[code] !== 'never';
  return { retryable, retryAfterMs: retryAfterMs ?? retryOptions(whole).retryAfterMs };
}
