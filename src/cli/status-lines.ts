/**
 * The output of `holdfast status` for people: a paragraph for each part of the service, and the problems at the top.
 */
import type {
  CertificateStatus,
  DiskStatus,
  GetStatusResponse,
  KeyStoreStatus,
  MemberStatus,
} from '../faces/grpc/gen/holdfast/admin/v1/admin_service.js';
import { printableJsonLine } from '../printable.js';
import { withoutEnumPrefix } from './proto-json.js';

/** The lines, without line breaks. */
export function statusLines(status: GetStatusResponse): string[] {
  const { concerns, keyStores, certificates, disks } = status;
  return [
    ...concerns.map(
      ({ severity, subject, message }) => `${bare('severity', severity).padEnd(7)}  ${subject}: ${message}`,
    ),
    ...(concerns.length === 0 ? ['all is well'] : []),
    ...section('key stores', keyStores.flatMap(keyStoreLines)),
    ...section('audit log', auditLines(status)),
    ...section('backups', backupLines(status)),
    ...section('disks', disks.map(diskLine)),
    ...section('certificates', certificates.map(certificateLine)),
    ...section('process', processLines(status)),
  ];
}

function section(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : ['', title, ...lines.map((line) => `  ${line}`)];
}

function keyStoreLines(store: KeyStoreStatus): string[] {
  const { customKeyStoreId = 'default', name, clusterName, connectionErrorCode, serving, refusedTokens } = store;
  const code = connectionErrorCode === undefined ? '' : ` (${bare('connection_error_code', connectionErrorCode)})`;
  const words = [
    customKeyStoreId,
    ...(name === undefined ? [] : [printableJsonLine(name)]),
    `on ${clusterName}:`,
    bare('connection_state', store.connectionState) + code + (serving === true ? ',' : ', not'),
    'serving',
  ];
  const refused = refusedTokens.length === 0 ? [] : [`  PIN refused by ${refusedTokens.join(', ')}`];
  return [words.join(' '), ...refused, ...loadLines(store), ...store.members.map(memberLine)];
}

function loadLines({ utilisation, limitDate }: KeyStoreStatus): string[] {
  if (utilisation === undefined) return [];
  const limit =
    limitDate === undefined ? '' : `; at today’s growth at its limit on ${limitDate.toISOString().slice(0, 10)}`;
  return [`  capacity: ${Math.round(100 * utilisation)} % busy${limit}`];
}

function memberLine({ name, state, lanes, busyLanes, quarantinedLanes, queuedOperations }: MemberStatus): string {
  const counts = `${lanes} ${lanes === 1 ? 'lane' : 'lanes'}, ${busyLanes} busy, ${quarantinedLanes} hung, ${queuedOperations} queued`;
  return `  ${name}: ${bare('member_state', state)}, ${counts}`;
}

function auditLines({ audit, catalog }: GetStatusResponse): string[] {
  if (audit === undefined) return [];
  return [
    `${audit.file}: ${audit.writable === true ? 'writable' : 'NOT WRITABLE'}${audit.inPlace === true ? '' : ', moved away'}`,
    `records lost since the start: ${audit.lostRecords}`,
    ...(catalog?.readable === true ? [] : ['the catalog: NOT READABLE']),
    ...(catalog?.writable === true ? [] : ['the catalog: TAKES NO CHANGES']),
  ];
}

function backupLines({ backups }: GetStatusResponse): string[] {
  if (backups === undefined) return [];
  const { lastCompleteTime, generations, verificationTime } = backups;
  if (lastCompleteTime === undefined) return ['no complete archive is in the folder'];
  const verified =
    verificationTime === undefined
      ? 'never verified'
      : `verification ${bare('backup_verification', backups.verification)} ${verificationTime.toISOString()}`;
  return [
    `the newest complete one is of ${lastCompleteTime.toISOString()}; ${verified}`,
    ...generations.map(({ clusterId, generation }) => `  needs generation ${generation} of cluster ${clusterId}`),
  ];
}

function diskLine({ holds, path, freeBytes = 0n, sizeBytes = 0n }: DiskStatus): string {
  return `${holds} (${path}): ${size(freeBytes)} of ${size(sizeBytes)} free`;
}

const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'];

/** The size in the largest unit that is not above it. In gibibytes alone, a nearly full disk would look full. */
function size(bytes: bigint): string {
  const power = units.findLastIndex((_, index) => bytes >= 1024n ** BigInt(index));
  if (power <= 0) return `${bytes} B`;
  return `${(Number(bytes) / 1024 ** power).toFixed(1)} ${units[power]}`;
}

function certificateLine({ path, kind, subject, notAfter }: CertificateStatus): string {
  const what = bare('certificate_kind', kind).toLowerCase().replaceAll('_', ' ');
  return `${notAfter?.toISOString()}  ${path} (${what}, ${printableJsonLine(subject)})`;
}

function processLines({ process }: GetStatusResponse): string[] {
  if (process === undefined) return [];
  return [
    `Holdfast ${process.version}, Node ${process.nodeVersion}, since ${process.startTime?.toISOString()}`,
    `file descriptors: ${process.openFileDescriptors} of ${process.maximumFileDescriptors}`,
    `replacement: ${bare('replacement_state', process.replacement).toLowerCase()}`,
  ];
}

function bare(fieldName: string, value = ''): string {
  return withoutEnumPrefix(fieldName, value);
}
