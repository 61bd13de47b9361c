import type { OperationName } from '../operations/registry.js';
import {
  type FieldConstraint,
  type FieldConstraints,
  flag,
  integer,
  optional,
  required,
  secretText,
  text,
} from './constraint.js';
import { requestShapes } from './gen/request-shapes.js';
import { type KmsOperationName, kmsOperationNames } from './kms-operations.js';
import { type Unsupported, unsupportedEverywhere, unsupportedFields } from './unsupported-fields.js';

/**
 * A key store password may be longer than AWS's 32 characters if the cluster's configuration allows it: the operations
 * check the upper limit, against the cluster.
 */
const keyStorePassword = secretText(7, 255);

/** AWS KMS API Reference, CreateCustomKeyStore.CloudHsmClusterId. */
const clusterId = text(1, 24, /^cluster-[2-7a-zA-Z]{11,16}$/);
const memberName = text(1, 64);
const backupId = text(32, 32, /^[0-9a-f]{32}$/);

/** The published limits of one operation's request, with the fields that are not honoured yet. */
function constraintsOf(method: KmsOperationName): FieldConstraints {
  const shapes: FieldConstraints = requestShapes[method];
  const unsupported = { ...unsupportedEverywhere, ...unsupportedFields[method] };
  return Object.fromEntries(
    Object.entries(shapes).map(([name, constraint]) => [name, withUnsupported(name, constraint, unsupported[name])]),
  );
}

function withUnsupported(
  name: string,
  constraint: FieldConstraint,
  unsupported: Unsupported | undefined,
): FieldConstraint {
  if (name === 'keyStorePassword') return { ...constraint, shape: keyStorePassword };
  if (unsupported === undefined) return constraint;
  if (typeof unsupported === 'string') return { ...constraint, unsupported };
  const values = constraint.shape.kind === 'choice' ? constraint.shape.values : [];
  return { ...constraint, unsupported: values.filter((value) => !unsupported.honoured.includes(value)) };
}

/**
 * The limits that `validateRequest` checks, by method: AWS's published ones (proto/aws/kms-model.json), and our own for
 * our own methods.
 */
export const requestConstraints: Readonly<Record<OperationName, FieldConstraints>> = {
  ...(Object.fromEntries(kmsOperationNames.map((method) => [method, constraintsOf(method)])) as Record<
    KmsOperationName,
    FieldConstraints
  >),
  GetStatus: {},
  DescribeClusters: { clusterId: optional(clusterId) },
  DrainMember: { clusterId: required(clusterId), memberName: required(memberName), force: optional(flag) },
  ResumeMember: { clusterId: required(clusterId), memberName: required(memberName) },
  RotateSealingKey: { dryRun: optional(flag) },
  RotatePin: {
    customKeyStoreId: required(text(1, 64)),
    keyStorePassword: optional(keyStorePassword),
    dryRun: optional(flag),
    showPin: optional(flag),
  },
  ReconcileCluster: { clusterId: required(clusterId), dryRun: optional(flag) },
  CreateBackup: {},
  DescribeBackups: {
    backupId: optional(backupId),
    limit: optional(integer(1, 1_000)),
    marker: optional(text(1, 1_024)),
  },
  ReadBackup: { backupId: required(backupId), offset: optional(integer(0, Number.MAX_SAFE_INTEGER)) },
  VerifyBackup: { backupId: required(backupId) },
  DeleteBackup: { backupId: required(backupId), noCopyIsLeft: optional(flag) },
  DescribeKeyDeletion: { keyId: required(text(36, 36, /^(mrk-)?[0-9a-f-]{32,36}$/)) },
};
