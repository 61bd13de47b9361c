import { choice, flag, integer, listOf, structure, text, timestamp, wholeNumber } from './conversion.js';
import * as gen from './gen/holdfast/admin/v1/admin_service.js';
import { ConnectionErrorCode, ConnectionState } from './gen/holdfast/kms/v1/key_store.js';
import { methodCodec } from './method-codec.js';

const severity = choice(gen.Severity);

const memberStatus = structure<gen.MemberStatus>({
  name: text,
  state: choice(gen.MemberState),
  lanes: integer,
  busyLanes: integer,
  quarantinedLanes: integer,
  queuedOperations: integer,
});

const keyStoreStatus = structure<gen.KeyStoreStatus>({
  customKeyStoreId: text,
  name: text,
  clusterId: text,
  clusterName: text,
  connectionState: choice(ConnectionState),
  connectionErrorCode: choice(ConnectionErrorCode),
  serving: flag,
  refusedTokens: listOf(text),
  members: listOf(memberStatus),
});

/** Codecs of AdminService. */
export const adminCodecs = {
  GetStatus: methodCodec('GetStatus', {
    request: gen.GetStatusRequest,
    requestFields: structure<gen.GetStatusRequest>({}),
    response: gen.GetStatusResponse,
    responseFields: structure<gen.GetStatusResponse>({
      severity,
      concerns: listOf(structure<gen.Concern>({ severity, subject: text, message: text })),
      keyStores: listOf(keyStoreStatus),
      catalog: structure<gen.CatalogStatus>({ readable: flag }),
      audit: structure<gen.AuditStatus>({ file: text, writable: flag, inPlace: flag, lostRecords: wholeNumber }),
      disks: listOf(
        structure<gen.DiskStatus>({ holds: text, path: text, freeBytes: wholeNumber, sizeBytes: wholeNumber }),
      ),
      certificates: listOf(
        structure<gen.CertificateStatus>({
          path: text,
          kind: choice(gen.CertificateKind),
          subject: text,
          notAfter: timestamp,
          notBefore: timestamp,
        }),
      ),
      process: structure<gen.ProcessStatus>({
        version: text,
        nodeVersion: text,
        startTime: timestamp,
        replacement: choice(gen.ReplacementState),
        openFileDescriptors: integer,
        maximumFileDescriptors: integer,
      }),
    }),
  }),
};
