import * as z from 'zod';
import { clusterReplications, clusterTrusts, logLevels, moduleCeremonies, moduleProfiles } from './configuration.js';
import { suggestion } from './problem.js';

/**
 * The shape of the file. Objects are strict: an unknown key is a mistake. Relations between values are checked in
 * `semantics.ts`.
 */

/** Separates the messages of several unknown keys in one issue; `issues.ts` splits them. */
export const unknownKeySeparator = '\n';

function strict<Shape extends z.core.$ZodLooseShape>(shape: Shape) {
  const known = Object.keys(shape);
  return z.strictObject(shape, {
    error: (issue) => {
      if (issue.code !== 'unrecognized_keys') return undefined;
      return issue.keys
        .map((key) => `unknown key${suggestion(key, known) || `; known here: ${known.join(', ')}`}`)
        .join(unknownKeySeparator);
    },
  });
}

const text = (maximum = 1_024) =>
  z.string().min(1, 'must not be empty').max(maximum, `must have at most ${maximum} characters`);
const path = text(4_096).refine((value) => !value.includes('\0'), 'must be a path');
const matching = (pattern: RegExp, message: string) => z.string().regex(pattern, message);
const whole = (minimum: number, maximum: number) =>
  z.int(`must be a whole number from ${minimum} to ${maximum}`).min(minimum).max(maximum);
const flag = z.boolean('must be true or false');

/** Names that appear in tables, file names and logs. */
const plainName = matching(
  /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/,
  'must be 1 to 64 letters, digits, dots, hyphens or underscores, and begin with a letter or digit',
);

/** IAM user names (IAM API Reference, CreateUser.UserName): they become the last part of an ARN. */
const principalName = matching(/^[A-Za-z0-9+=,.@_-]{1,64}$/, 'must be 1 to 64 of letters, digits and + = , . @ _ -');

const account = z.custom<string>((value) => typeof value === 'string' && /^\d{12}$/.test(value), {
  error: (issue) =>
    typeof issue.input === 'number'
      ? 'must be in quotation marks: YAML reads it as a number, and leading zeroes would be lost'
      : 'must be twelve digits in quotation marks, e.g. "111122223333"',
});

/** AWS KMS API Reference, CreateCustomKeyStore.CloudHsmClusterId. */
export const clusterIdPattern = /^cluster-[2-7a-zA-Z]{11,16}$/;
const clusterId = matching(clusterIdPattern, 'must look like cluster-1a2b3c4d5e6; `holdfast config new-id` makes one');

const secretSource = strict({
  file: path.optional(),
  env: text(256).optional(),
  command: z.array(text(4_096)).min(1).optional(),
}).refine(
  (source) => Object.values(source).filter((value) => value !== undefined).length === 1,
  'must have exactly one of file, env and command: the configuration itself never contains secrets',
);

const port = whole(0, 65_535);

const listener = z.discriminatedUnion(
  'kind',
  [
    strict({
      kind: z.literal('tls'),
      address: text(255),
      port,
      certificate: path,
      key: path,
      clientCertificateAuthority: path,
      certificateRevocationList: path.optional(),
    }),
    strict({ kind: z.literal('unix'), path, principal: principalName }),
    strict({ kind: z.literal('plaintext'), address: text(255), port, principal: principalName }),
  ],
  'must be one of tls, unix, plaintext',
);

const certificateMatch = strict({
  commonName: text(256).optional(),
  uri: text(2_048).optional(),
  dns: text(255).optional(),
  sha256: matching(
    /^([0-9a-fA-F]{2}:?){31}[0-9a-fA-F]{2}$/,
    'must be the 64 hex digits of `openssl x509 -fingerprint -sha256`',
  ).optional(),
}).refine(
  (match) => Object.values(match).filter((value) => value !== undefined).length === 1,
  'must have exactly one of commonName, uri, dns and sha256',
);

const principalFields = { name: principalName, account: account.optional(), certificate: certificateMatch.optional() };

const environmentName = matching(/^[A-Za-z_][A-Za-z0-9_]*$/, 'must be the name of an environment variable');

const pinAlphabet = text(94).refine(
  (value) => /^[!-~]{2,}$/.test(value) && new Set(value).size === value.length,
  'must be printable ASCII characters without blanks, at least two, each once',
);

/** Only values that take effect today; `hsm/profiles/profile.ts` explains each. */
const profileOverrides = strict({
  gcmNonce: z.enum(['token-rng', 'token'], 'must be token-rng or token').optional(),
  maximumGcmBytes: whole(4_096, 1_048_576).optional(),
  sessionHeadroom: whole(0, 10_000).optional(),
  maximumSessions: whole(3, 100_000).optional(),
  ceremony: z.enum(moduleCeremonies, `must be one of ${moduleCeremonies.join(', ')}`).optional(),
  generationMark: z.enum(['data-object', 'public-key'], 'must be data-object or public-key').optional(),
  generatedPin: strict({ alphabet: pinAlphabet, length: whole(7, 255) }).optional(),
});

const moduleSchema = strict({
  path,
  environment: z.record(environmentName, z.string()).default({}),
  privateInstance: z.union([z.boolean(), z.literal('auto')], 'must be true, false or auto').default('auto'),
  initializationString: text(4_096).optional(),
  profile: z.enum(moduleProfiles, `must be one of ${moduleProfiles.join(', ')}`).default('auto'),
  profileOverrides: profileOverrides.prefault({}),
});

const member = strict({
  name: plainName,
  module: plainName,
  // CK_TOKEN_INFO.label is 32 bytes, serialNumber 16 (PKCS#11 v2.40 §3.2).
  tokenLabel: text(32).optional(),
  tokenSerialNumber: text(16).optional(),
  lanes: z.union([whole(1, 64), z.literal('auto')], 'must be a whole number from 1 to 64, or auto').default('auto'),
}).refine(
  ({ tokenLabel, tokenSerialNumber }) => (tokenLabel === undefined) !== (tokenSerialNumber === undefined),
  'must have exactly one of tokenLabel and tokenSerialNumber',
);

const cluster = strict({
  id: clusterId,
  name: plainName,
  trustAnchorCertificate: path,
  replication: z.enum(clusterReplications, `must be one of ${clusterReplications.join(', ')}`),
  trust: z.enum(clusterTrusts, `must be one of ${clusterTrusts.join(', ')}`).optional(),
  minimumMembers: whole(1, 64).default(2),
  // AWS's limit is 32; every module that we know accepts 255.
  maximumPinLength: whole(7, 255).default(32),
  operationsPerSecond: whole(1, 1_000_000).optional(),
  hedging: flag.default(false),
  members: z.array(member).min(1, 'must have at least one member'),
  recoveryMembers: z.array(member).default([]),
})
  .refine(({ trust, replication }) => trust === undefined || replication === 'wrapped', {
    path: ['trust'],
    message: 'is only for replication: wrapped: other clusters have no wrapping keys',
  })
  .refine(({ recoveryMembers, replication }) => recoveryMembers.length === 0 || replication === 'wrapped', {
    path: ['recoveryMembers'],
    message: 'is only for replication: wrapped: no other member could open a backup of other clusters',
  });

const limits = strict({
  requestTimeoutMs: whole(100, 300_000).default(10_000),
  operationTimeoutMs: whole(50, 60_000).default(3_000),
  connectTimeoutMs: whole(1_000, 600_000).default(30_000),
  drainTimeoutMs: whole(0, 600_000).default(15_000),
  queueLimit: whole(1, 100_000).default(2_000),
  // Below the limit of 2^32 (keys/encryption-budget.ts): a warning at the limit would come too late.
  encryptionWarningThreshold: whole(1_000, 4_000_000_000).default(2_147_483_648),
  maximumMessageBytes: whole(65_536, 4_194_304).default(1_048_576),
  maximumConnections: whole(1, 100_000).default(1_000),
  reconcileCopiesPerSecond: whole(1, 10_000).default(50),
});

const backup = strict({
  folder: path,
  everyHours: whole(1, 720).optional(),
  keep: whole(1, 1_000).default(14),
  materialsPerSecond: whole(1, 10_000).default(50),
});

const keyStorePins = strict({
  maximumAgeDays: whole(1, 3_650).optional(),
  rotateAfterDays: whole(1, 3_650).optional(),
});

const recovery = strict({
  consecutiveFailures: whole(1, 1_000).default(5),
  failurePercentage: whole(1, 100).default(50),
  minimumOutcomes: whole(1, 100_000).default(20),
  failureWindowMs: whole(1_000, 600_000).default(10_000),
  probeDelayMs: whole(10, 60_000).default(1_000),
  maximumProbeDelayMs: whole(10, 600_000).default(30_000),
  reopenAfterProbes: whole(1, 100).default(2),
  openTimeoutMs: whole(100, 600_000).default(15_000),
  maximumStuckOpenings: whole(0, 16).default(2),
  replaceWhenStuck: flag.default(true),
  replaceAfterMs: whole(0, 3_600_000).default(10_000),
  leastUptimeMs: whole(0, 86_400_000).default(120_000),
});

// RFC 9110 §5.6.2, in lower case as HTTP/2 requires.
const headerName = matching(/^[a-z0-9!#$%&'*+.^_`|~-]{1,256}$/, 'must be the name of an HTTP header in lower case');

const httpUrl = text(2_048).refine(isHttpUrl, 'must be an http or https URL without user and password');

const tracing = strict({
  endpoint: httpUrl,
  sampleRatio: z.number('must be a number from 0 to 1').min(0).max(1).default(0.01),
  followCallers: flag.default(true),
  headers: z.record(headerName, secretSource).default({}),
  serviceName: text(255).optional(),
});

const otlpReceiver = {
  endpoint: httpUrl,
  headers: z.record(headerName, secretSource).default({}),
};

const telemetry = strict({
  serviceName: text(255).optional(),
  logLevel: z.enum(logLevels, `must be one of ${logLevels.join(', ')}`).default('info'),
  metrics: strict({ address: text(255).default('127.0.0.1'), port }).optional(),
  tracing: tracing.optional(),
  otlpMetrics: strict({ ...otlpReceiver, intervalMs: whole(1_000, 3_600_000).default(60_000) }).optional(),
  otlpLogs: strict(otlpReceiver).optional(),
  environment: flag.default(false),
});

function isHttpUrl(value: string): boolean {
  if (!URL.canParse(value)) return false;
  const { protocol, username, password } = new URL(value);
  return (protocol === 'http:' || protocol === 'https:') && username === '' && password === '';
}

/** The whole file. */
export const configurationSchema = strict({
  version: z.literal(1, 'must be 1'),
  identity: strict({
    partition: matching(/^[a-z][a-z0-9-]{0,31}$/, 'must be lower-case letters, digits and hyphens, e.g. aws'),
    region: matching(/^[a-z0-9][a-z0-9-]{0,31}$/, 'must be lower-case letters, digits and hyphens, e.g. eu-central-1'),
    accounts: z.array(account).min(1, 'must have at least one account'),
  }),
  listeners: z.array(listener).min(1, 'must have at least one listener'),
  principals: strict({
    administrators: z.array(strict(principalFields)).default([]),
    users: z.array(strict({ ...principalFields, keys: z.array(text(2_048)).default([]) })).default([]),
  }),
  modules: z.record(plainName, moduleSchema),
  clusters: z.array(cluster).min(1, 'must have at least one cluster'),
  defaultKeyStore: strict({ cluster: clusterId, pin: secretSource }).optional(),
  catalog: strict({
    kind: z.literal('sqlite', 'must be sqlite: other catalogs are not in this version'),
    path,
    create: flag.default(false),
  }),
  sealingKeys: z.array(strict({ id: plainName, key: secretSource })).min(1, 'must have at least one sealing key'),
  limits: limits.prefault({}),
  recovery: recovery.prefault({}),
  backup: backup.optional(),
  keyStorePins: keyStorePins.prefault({}),
  audit: strict({ file: path }),
  telemetry: telemetry.prefault({}),
  lockDirectory: path.optional(),
});

/** The file after the schema, before paths and references are resolved. */
export type ConfigurationFile = z.output<typeof configurationSchema>;
/** Exactly one of `file`, `env` and `command` is set; `resolve.ts` converts it to a `SecretSource`. */
export type SecretSourceInFile = z.output<typeof secretSource>;
/** A user; an administrator is one without `keys`. Without an account it belongs to the first one of `identity`. */
export type PrincipalInFile = z.output<typeof configurationSchema>['principals']['users'][number];
/** A listener whose paths may still be relative to the folder of the configuration file. */
export type ListenerInFile = z.output<typeof listener>;
