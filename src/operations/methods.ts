/** The methods that AWS KMS has too, by its operation names. */
export const kmsMethodNames = [
  'CreateCustomKeyStore',
  'ConnectCustomKeyStore',
  'DisconnectCustomKeyStore',
  'DescribeCustomKeyStores',
  'UpdateCustomKeyStore',
  'DeleteCustomKeyStore',
  'CreateKey',
  'DescribeKey',
  'ListKeys',
  'EnableKey',
  'DisableKey',
  'ScheduleKeyDeletion',
  'CancelKeyDeletion',
  'CreateAlias',
  'ListAliases',
  'UpdateAlias',
  'DeleteAlias',
  'Encrypt',
  'Decrypt',
  'ReEncrypt',
  'GenerateDataKey',
  'GenerateDataKeyWithoutPlaintext',
  'GenerateRandom',
] as const;

/** Methods of ours, for operators. */
const adminMethodNames = ['GetStatus'] as const;

/** Every method that the dispatcher answers. The one list; faces and tables are checked against it. */
export const methodNames = [...kmsMethodNames, ...adminMethodNames] as const;

/** One that the published model of AWS KMS describes. */
export type KmsMethodName = (typeof kmsMethodNames)[number];
/** As AWS writes it, in Pascal case; the audit record's `operation`, and a label of metrics. */
export type MethodName = (typeof methodNames)[number];
