/** Every method that the dispatcher answers, by its AWS operation name. The one list; faces and tables are checked against it. */
export const methodNames = [
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

/** As AWS writes it, in Pascal case; the audit record's `operation`, and a label of metrics. */
export type MethodName = (typeof methodNames)[number];
