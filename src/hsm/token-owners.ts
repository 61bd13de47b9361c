import { statSync } from 'node:fs';
import { isAbsolute } from 'node:path';
import type { MemberPlace } from './events.js';
import { MemberOpenError } from './member-open-error.js';
import type { NativeModuleOptions, NativeTokenInfo } from './native.js';

/** The member's token already belongs to another member: only another configuration helps. */
export class TokenTakenError extends MemberOpenError {
  constructor(token: NativeTokenInfo, owner: MemberPlace) {
    super(
      'INTERNAL_ERROR',
      false,
      `${describeToken(token)} is member ${owner.memberName} of cluster ${owner.clusterId} already: a token belongs to one ` +
        'member of one cluster. If these are two tokens, give them different labels.',
      { token },
    );
  }
}

/**
 * Which member of which cluster a token belongs to, in this process (invariant 14). A label and a serial number, two
 * modules, or two names of one library may lead to one token. Two members that share it would count as two copies of a
 * key, and two clusters would have each other's keys.
 */
export class TokenOwners {
  readonly #owners = new Map<string, MemberPlace>();

  /**
   * Claims the token for the member, which releases its previous one. The token has not been logged in to yet.
   * @throws TokenTakenError
   */
  claim(place: MemberPlace, module: NativeModuleOptions, token: NativeTokenInfo): void {
    const identity = tokenIdentity(module, token);
    const owner = this.#owners.get(identity);
    if (owner !== undefined && !isSame(owner, place)) throw new TokenTakenError(token, owner);
    this.#releaseWhere((candidate) => isSame(candidate, place));
    this.#owners.set(identity, place);
  }

  /** Frees the tokens of a cluster that is no longer connected. */
  release(clusterId: string): void {
    this.#releaseWhere((owner) => owner.clusterId === clusterId);
  }

  #releaseWhere(matches: (owner: MemberPlace) => boolean): void {
    for (const [identity, owner] of this.#owners) if (matches(owner)) this.#owners.delete(identity);
  }
}

/**
 * The identity of a token: the same however it is reached, and different for two tokens.
 *
 * If it has a serial number: that and the label, whatever the module. Two libraries may show one token, so the module
 * proves nothing. But a serial number may be the device's (PKCS#11 v2.40 §3.2), shared by several tokens in it, and
 * vendors assign numbers independently, so the number alone would refuse valid configurations. Without one (blank, or
 * zeros as NSS and tpm2-pkcs11 answer): the slot, in a module with the same configuration and the same description of
 * itself.
 */
export function tokenIdentity(module: NativeModuleOptions, token: NativeTokenInfo): string {
  const { serialNumber, label, slotId, manufacturer, model } = token;
  if (hasSerialNumber(token)) return JSON.stringify([serialNumber, label]);
  const environment = Object.entries(module.environment)
    .map(([name, value]) => [name, withFiles(value)] as const)
    .sort(([one], [other]) => (one < other ? -1 : 1));
  const initializationString = module.initializationString === null ? null : withFiles(module.initializationString);
  return JSON.stringify([String(slotId), label, manufacturer, model, environment, initializationString]);
}

function hasSerialNumber({ serialNumber }: NativeTokenInfo): boolean {
  return /[^0\s]/.test(serialNumber);
}

function describeToken(token: NativeTokenInfo): string {
  const number = hasSerialNumber(token) ? `serial number ${token.serialNumber}` : `slot ${token.slotId}`;
  return `Token '${token.label}' (${number})`;
}

/** Paths that stand alone, or in a text like NSS's `configdir='sql:/folder'`. */
const absolutePaths = /(?<![\w.])\/[^'"\s]+/g;

/**
 * Replaces each path by the identity of its file or folder: two names of one file, through links or mounts, configure a
 * module in the same way.
 */
function withFiles(text: string): string {
  return isAbsolute(text) ? fileIdentity(text) : text.replace(absolutePaths, fileIdentity);
}

function fileIdentity(path: string): string {
  try {
    const { dev, ino } = statSync(path);
    return `file ${dev}:${ino}`;
  } catch {
    // No such file, or not a path: kept unchanged.
    return path;
  }
}

function isSame(one: MemberPlace, other: MemberPlace): boolean {
  return one.clusterId === other.clusterId && one.memberName === other.memberName;
}
