import { readFileSync, truncateSync } from 'node:fs';

/**
 * Throws if an audit log reports a request that did not succeed: h2load counts those too. Then empties the log, which a
 * fast server fills with gigabytes.
 */
export function requireNoRefusals(auditPath: string): void {
  const refused = readFileSync(auditPath, 'utf8').split('\n').filter(isRefusal);
  truncateSync(auditPath);
  if (refused.length > 0) throw new Error(`${refused.length} requests were refused, e.g. ${refused[0]}`);
}

/** h2load cancels the requests that are in flight when its time is over. */
function isRefusal(line: string): boolean {
  const isFine = ['"outcome":"success"', '"errorCode":"CANCELLED"', '"notice":'].some((sign) => line.includes(sign));
  return line !== '' && !isFine;
}
