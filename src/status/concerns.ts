/** The meaning of a status for the operator on call: one rule for each possible problem, in one place. */
import type { Scope } from '../calls/scope.js';
import { pinAgeConcerns } from './pin-concerns.js';
import { backupTroubles } from './backup-concerns.js';
import type { CertificateStatus, DiskStatus, KeyStoreStatus, MemberStatus, ServiceStatus } from './service-status.js';

/** `WARNING`: it serves, and needs attention. `FAILURE`: callers are, or soon will be, refused. */
export type Severity = 'OK' | 'WARNING' | 'FAILURE';

/** One problem. */
export interface Concern {
  severity: Exclude<Severity, 'OK'>;
  /** The object of the concern: `key store default`, `audit log`, `certificate /etc/holdfast/server.pem`. */
  subject: string;
  /** The problem and its remedy. */
  message: string;
}

/** A certificate or list that expires this soon is a warning. Within a day, or once expired, it is a failure. */
const certificateWarningMs = 14 * 86_400_000;
const certificateFailureMs = 86_400_000;
/** A disk with less free space than this is a warning. */
const diskWarningRatio = 0.1;
const diskWarningBytes = 1024 ** 3;
/**
 * A disk with less free space than this is a failure: the audit log stops the service when it is full. Room for 150,000
 * records of 440 bytes, or for the catalog's write-ahead log.
 */
const diskFailureBytes = 64 * 1024 ** 2;
/** A key that has used a larger share of its encryptions needs a successor. The alert has the same bound. */
const encryptionWarningShare = 0.5;
/** HSMs that are busy for a larger share of their time make callers wait. The alert has the same bounds. */
const utilisationWarningShare = 0.8;
const limitWarningMs = 30 * 86_400_000;
/** A process that uses a larger share of its file descriptors causes a warning. */
const descriptorWarningRatio = 0.9;

/** The worst severity of the concerns; OK if there are none. */
export function worst(concerns: readonly Concern[]): Severity {
  if (concerns.some(({ severity }) => severity === 'FAILURE')) return 'FAILURE';
  return concerns.length > 0 ? 'WARNING' : 'OK';
}

/** The status without the custom key stores of other accounts and regions. */
export function visibleTo(scope: Scope, status: ServiceStatus): ServiceStatus {
  const isVisible = ({ scope: owner }: KeyStoreStatus) =>
    owner === null || (owner.account === scope.account && owner.region === scope.region);
  return { ...status, keyStores: status.keyStores.filter(isVisible) };
}

/** All problems, failures first. */
export function concernsOf(status: ServiceStatus, now: Date): Concern[] {
  const all = [
    ...catalogConcerns(status),
    ...auditConcerns(status),
    ...deletionConcerns(status),
    ...backupTroubles(status.backups, now).map((trouble) => warning('backups', trouble)),
    ...status.keyStores.flatMap((store) => keyStoreConcerns(store, now)),
    ...status.certificates.flatMap((certificate) => certificateConcerns(certificate, now)),
    ...reloadConcerns(status),
    ...status.disks.flatMap(diskConcerns),
    ...encryptionConcerns(status),
    ...processConcerns(status),
  ];
  return [...all.filter(isFailure), ...all.filter((concern) => !isFailure(concern))];
}

function isFailure({ severity }: Concern): boolean {
  return severity === 'FAILURE';
}

function catalogConcerns({ catalogReadable, catalogWritable }: ServiceStatus): Concern[] {
  if (!catalogReadable) return [failure('catalog', 'cannot be read: every request is refused. The log has the cause.')];
  if (catalogWritable) return [];
  const what = 'takes no changes: no key is made or changed, no key store connects, and encryptions stop in a while.';
  return [failure('catalog', `${what} The log has the cause.`)];
}

function deletionConcerns({ deletionHold }: ServiceStatus): Concern[] {
  if (deletionHold === null) return [];
  const { reason, since } = deletionHold;
  const what = `have been held since ${since.toISOString()} (${reason}): nothing is destroyed until an operator confirms.`;
  return [warning('deletions', `${what} holdfast deletion-hold describe`)];
}

function encryptionConcerns({ encryptionBudgetUsed }: ServiceStatus): Concern[] {
  if (encryptionBudgetUsed >= 1)
    return [
      failure('encryptions', 'A key has made all of its safe encryptions and no longer encrypts. The log names it.'),
    ];
  if (encryptionBudgetUsed <= encryptionWarningShare) return [];
  const share = Math.floor(100 * encryptionBudgetUsed);
  return [
    warning('encryptions', `A key has made ${share} % of its safe encryptions: make a new key. The log names it.`),
  ];
}

function auditConcerns({ audit }: ServiceStatus): Concern[] {
  if (!audit.writable) return [failure('audit log', `${audit.file} cannot be written: every request is refused.`)];
  if (audit.inPlace) return [];
  return [
    warning(
      'audit log',
      `The file that is written to is no longer seen at ${audit.file}: if it was moved, send SIGHUP to begin a new one.`,
    ),
  ];
}

function keyStoreConcerns(store: KeyStoreStatus, now: Date): Concern[] {
  const subject = `key store ${store.customKeyStoreId ?? 'default'}`;
  return [
    ...connectionConcerns(subject, store),
    ...pinConcerns(subject, store),
    ...pinAgeConcerns(subject, store, now),
    ...minimumConcerns(subject, store),
    ...capacityConcerns(subject, store, now),
    ...trustConcerns(subject, store),
    ...memberConcerns(subject, store),
  ];
}

/** Accepted by name when the cluster was made, and repeated for as long as it lives. */
function trustConcerns(subject: string, { trust, clusterName }: KeyStoreStatus): Concern[] {
  if (trust !== 'unenforced') return [];
  const what = `Its cluster ${clusterName} has trust: unenforced: whoever has the user PIN of one member can extract all keys.`;
  return [warning(subject, what)];
}

/** If no member serves at all, the store itself is the failure. */
function minimumConcerns(subject: string, { members, minimumMembers, serving }: KeyStoreStatus): Concern[] {
  const count = members.filter(({ state }) => state === 'SERVING').length;
  if (!serving || count >= minimumMembers) return [];
  return [warning(subject, `Only ${count} of its members take work: a new key needs ${minimumMembers}.`)];
}

/** If members are lost, too few of them are a concern of their own. */
function capacityConcerns(subject: string, { utilisation, limitDate }: KeyStoreStatus, now: Date): Concern[] {
  const remedy = 'add a member (holdfast cluster describe says what that brings).';
  if (utilisation !== null && utilisation > utilisationWarningShare)
    return [warning(subject, `Its HSMs are ${Math.round(100 * utilisation)} % busy: ${remedy}`)];
  if (limitDate === null || limitDate.getTime() - now.getTime() > limitWarningMs) return [];
  const day = limitDate.toISOString().slice(0, 10);
  return [warning(subject, `At today's growth its HSMs reach their limit on ${day}: ${remedy}`)];
}

function connectionConcerns(subject: string, store: KeyStoreStatus): Concern[] {
  const code = store.connectionErrorCode === null ? '' : ` (${store.connectionErrorCode})`;
  switch (store.connectionState) {
    case 'FAILED':
      return [failure(subject, `FAILED${code}: fix the cause, ${howToConnect(store)}`)];
    case 'CONNECTING':
      if (store.connectionErrorCode === null) return [warning(subject, 'is connecting.')];
      return [failure(subject, `cannot be connected${code}, so its keys cannot be used; the service keeps trying.`)];
    case 'CONNECTED':
      if (store.serving) return [];
      return [failure(subject, 'is CONNECTED, and no HSM takes work for it in this process.')];
    case 'DISCONNECTED':
    case 'DISCONNECTING':
      return [];
  }
}

function howToConnect({ customKeyStoreId }: KeyStoreStatus): string {
  return customKeyStoreId === null ? 'then restart the service.' : 'then disconnect it and connect it again.';
}

function pinConcerns(subject: string, { refusedTokens, serving }: KeyStoreStatus): Concern[] {
  if (refusedTokens.length === 0) return [];
  const message = `Its PIN was refused by ${refusedTokens.join(', ')} and is not tried there again until it is changed.`;
  return [serving ? warning(subject, message) : failure(subject, message)];
}

const memberTroubles: Record<Exclude<MemberStatus['state'], 'SERVING' | 'CLOSED'>, string> = {
  SUSPENDED: 'is suspended: it answered with errors, or not at all. It is probed.',
  PROBING: 'is suspended and is being probed.',
  AWAY: 'is away: its token or module was lost. It is reopened repeatedly.',
  STUCK: 'is stuck: only a new process can open it.',
  DRAINED: 'is out of service until `holdfast cluster resume`.',
};

/** The problems of members are warnings: if no member takes work, the store itself is the failure. */
function memberConcerns(subject: string, { members }: KeyStoreStatus): Concern[] {
  const newest = Math.max(0, ...members.map(({ generation }) => generation ?? 0));
  return members.flatMap((status) => {
    const { name, state, quarantinedLanes, unaccountedMaterials, missingMaterials, generation, witness } = status;
    const member = `${subject}, member ${name}`;
    const found: Concern[] = [];
    if (state !== 'SERVING' && state !== 'CLOSED') found.push(warning(member, memberTroubles[state]));
    else if (quarantinedLanes > 0) found.push(warning(member, `${quarantinedLanes} calls hang inside its module.`));
    if (unaccountedMaterials > 0)
      found.push(
        warning(
          member,
          `Its token holds ${unaccountedMaterials} keys that this catalog does not know: is it the right one?`,
        ),
      );
    if (missingMaterials > 0)
      found.push(warning(member, `It lacks ${missingMaterials} keys that others have, and should be given them.`));
    if (state === 'SERVING' && (generation ?? 0) < newest)
      found.push(
        warning(member, 'It lacks the wrapping keys in use and gets no copies: `holdfast cluster add-member`.'),
      );
    if (witness?.failing === true)
      found.push(
        warning(member, 'The witness of the catalog cannot be written on it: a rollback would go unnoticed there.'),
      );
    return found;
  });
}

function certificateConcerns({ path, kind, notBefore, notAfter }: CertificateStatus, now: Date): Concern[] {
  const leftMs = notAfter.getTime() - now.getTime();
  // A list that is issued every day must not be a concern for its whole validity.
  const lifetimeMs = notAfter.getTime() - notBefore.getTime();
  if (leftMs > Math.min(certificateWarningMs, lifetimeMs / 2)) return [];
  const subject = `${kind === 'REVOCATION_LIST' ? 'revocation list' : 'certificate'} ${path}`;
  const message = `${leftMs <= 0 ? 'ended' : 'ends'} at ${notAfter.toISOString()}: put a new one in place and send SIGHUP.`;
  return [
    leftMs <= Math.min(certificateFailureMs, lifetimeMs / 10) ? failure(subject, message) : warning(subject, message),
  ];
}

/** How full a disk is for the catalog or the audit log: the one rule of `status` and `doctor`. */
export function diskSeverity({ freeBytes, sizeBytes }: Pick<DiskStatus, 'freeBytes' | 'sizeBytes'>): Severity {
  if (freeBytes < diskFailureBytes) return 'FAILURE';
  return freeBytes < Math.min(diskWarningBytes, diskWarningRatio * sizeBytes) ? 'WARNING' : 'OK';
}

function reloadConcerns({ certificateTrouble, configurationTrouble }: ServiceStatus): Concern[] {
  const what = 'The files of the last reload are not in use, not even a new revocation list';
  const file = 'The file on disk is not what the service uses: it';
  return [
    ...(certificateTrouble === null
      ? []
      : [warning('certificates', `${what}: ${certificateTrouble}. Fix them and send SIGHUP.`)]),
    ...(configurationTrouble === null
      ? []
      : [
          warning('configuration', `${file} ${configurationTrouble}. holdfast config check, then SIGHUP or a restart.`),
        ]),
  ];
}

function diskConcerns({ holds, path, ...space }: DiskStatus): Concern[] {
  const severity = diskSeverity(space);
  if (severity === 'OK') return [];
  const message = `${Math.floor(space.freeBytes / 1024 ** 2)} MiB are free: make room.`;
  const subject = `disk of the ${holds === 'audit' ? 'audit log' : 'catalog'} (${path})`;
  return [{ severity, subject, message }];
}

function processConcerns({ process }: ServiceStatus): Concern[] {
  const { replacement, openFileDescriptors, maximumFileDescriptors } = process;
  const found: Concern[] = [];
  if (replacement === 'put-off')
    found.push(warning('process', 'An HSM is stuck in it: restart the service when convenient.'));
  if (replacement === 'due' || replacement === 'asked')
    found.push(failure('process', 'An HSM is stuck in it and nothing serves: it is about to be replaced.'));
  if (openFileDescriptors > descriptorWarningRatio * maximumFileDescriptors)
    found.push(
      warning(
        'process',
        `${openFileDescriptors} of ${maximumFileDescriptors} file descriptors are open: raise LimitNOFILE.`,
      ),
    );
  return found;
}

function failure(subject: string, message: string): Concern {
  return { severity: 'FAILURE', subject, message };
}

function warning(subject: string, message: string): Concern {
  return { severity: 'WARNING', subject, message };
}
