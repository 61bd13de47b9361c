import type { PrincipalConfiguration } from '../callers/principal-directory.js';

/**
 * The configuration as the rest of the program sees it: checked, complete (defaults filled in), every path absolute.
 * Made by `load.ts`. It never contains secrets; it names where they are stored (`SecretSource`, read by `secrets.ts`).
 */
export interface Configuration {
  /** Absolute path of the configuration file. */
  readonly path: string;
  readonly identity: IdentityConfiguration;
  readonly listeners: readonly ListenerConfiguration[];
  readonly principals: readonly PrincipalConfiguration[];
  readonly modules: readonly ModuleConfiguration[];
  readonly clusters: readonly ClusterConfiguration[];
  /** Null if there is none: then every key needs a custom key store. */
  readonly defaultKeyStore: DefaultKeyStoreConfiguration | null;
  readonly catalog: CatalogConfiguration;
  /** The first key seals; the others only unseal what they sealed. */
  readonly sealingKeys: readonly SealingKeyConfiguration[];
  readonly limits: LimitsConfiguration;
  readonly recovery: RecoveryConfiguration;
  /** Null: no backups are made. */
  readonly backup: BackupConfiguration | null;
  readonly keyStorePins: KeyStorePinsConfiguration;
  readonly audit: { readonly file: string };
  readonly telemetry: TelemetryConfiguration;
  /** Folder (0700, ours) of the locks that serialise initialisation and login across processes. */
  readonly lockDirectory: string;
}

/** The age of key stores' PINs, in days; null: no limit. */
export interface KeyStorePinsConfiguration {
  /** An older one is reported. */
  readonly maximumAgeDays: number | null;
  /** An older one of a custom key store is rotated by the service. Less than the maximum, so that is left for failures. */
  readonly rotateAfterDays: number | null;
}

/** The archives of the catalog and the keys. */
export interface BackupConfiguration {
  readonly folder: string;
  /** How often one is made; null: only when an operator asks for it. */
  readonly everyHours: number | null;
  /** How many complete scheduled archives stay. */
  readonly keep: number;
  /** The maximum rate at which keys are wrapped or proved. */
  readonly materialsPerSecond: number;
}

/** The parts of ARNs. */
export interface IdentityConfiguration {
  readonly partition: string;
  readonly region: string;
  /** Twelve digits each; the first is the account of principals without one. */
  readonly accounts: readonly string[];
}

/** One entry of `listeners`. `composition/listener-options.ts` converts it to the gRPC face's options. */
export type ListenerConfiguration = TlsListener | UnixListener | PlaintextListener;

/** TLS 1.3 with client certificates. Paths of PEM files. */
export interface TlsListener {
  readonly kind: 'tls';
  readonly address: string;
  /** 0 means any free port. */
  readonly port: number;
  readonly certificate: string;
  readonly key: string;
  readonly clientCertificateAuthority: string;
  readonly certificateRevocationList: string | null;
}

/** A Unix socket, mode 0600. Every process that can open it is `principal`. */
export interface UnixListener {
  readonly kind: 'unix';
  readonly path: string;
  /** Name of a configured principal. */
  readonly principal: string;
}

/** TCP without TLS, on loopback only. Every local user is `principal`. */
export interface PlaintextListener {
  readonly kind: 'plaintext';
  readonly address: string;
  readonly port: number;
  readonly principal: string;
}

/** The vendor profiles that a module may name (`hsm/profiles`). */
export const moduleProfiles = ['auto', 'softhsm', 'nss', 'kryoptic', 'cloudhsm', 'luna', 'nshield', 'generic'] as const;
/** `auto`: the module is recognised by its own description (`C_GetInfo`, `C_GetTokenInfo`). */
export type ModuleProfile = (typeof moduleProfiles)[number];

/** A PKCS#11 library. */
export interface ModuleConfiguration {
  readonly name: string;
  readonly path: string;
  /** Set while the library is loaded, in `C_GetFunctionList` and in `C_Initialize`. */
  readonly environment: Readonly<Record<string, string>>;
  readonly privateInstance: boolean;
  readonly initializationString: string | null;
  /** The profile of its vendor; `auto`: recognised by the module's own description. */
  readonly profile: ModuleProfile;
  readonly profileOverrides: ProfileOverrides;
}

/** Values in place of the profile's; null: the profile's value. */
export interface ProfileOverrides {
  readonly gcmNonce: 'token-rng' | 'token' | null;
  readonly maximumGcmBytes: number | null;
  readonly sessionHeadroom: number | null;
  readonly maximumSessions: number | null;
  readonly ceremony: (typeof moduleCeremonies)[number] | null;
  readonly generationMark: 'data-object' | 'public-key' | null;
  readonly generatedPin: { readonly alphabet: string; readonly length: number } | null;
}

/** The ways to make trusted wrapping keys (`hsm/profiles/profile.ts`, CeremonyKind). */
export const moduleCeremonies = ['so-made', 'user-made-then-marked', 'unsupported'] as const;

/**
 * How the members of a cluster are kept alike. `none`: one member, whose keys can never leave it. `wrapped`: keys travel
 * between the members under the cluster's wrapping keys, which `holdfast cluster init` makes. `vendor`: the vendor's own
 * cluster copies keys, which can never leave it.
 */
export const clusterReplications = ['none', 'wrapped', 'vendor'] as const;
/** One of `clusterReplications`. */
export type ClusterReplication = (typeof clusterReplications)[number];

/**
 * Whether the tokens of a wrapped cluster hold the PIN's owner to the rules of wrapping keys (CKA_TRUSTED,
 * CKA_WRAP_WITH_TRUSTED). `unenforced`: tokens that do not are accepted, and one of them gives away the keys of all.
 */
export const clusterTrusts = ['enforced', 'unenforced'] as const;
/** One of `clusterTrusts`; fixed when the cluster's first wrapping keys are made. */
export type ClusterTrust = (typeof clusterTrusts)[number];

/** An HSM cluster: members that hold the same keys. It serves one key store, default or custom. */
export interface ClusterConfiguration {
  readonly id: string;
  readonly name: string;
  /** PEM file; a custom key store's trust anchor must equal it as DER. */
  readonly trustAnchorCertificate: string;
  readonly replication: ClusterReplication;
  readonly trust: ClusterTrust;
  readonly minimumMembers: number;
  readonly maximumPinLength: number;
  /** Cryptographic operations per second, on this node; null: no quota. */
  readonly operationsPerSecond: number | null;
  /** Whether a second member is tried if the first is late. */
  readonly hedging: boolean;
  readonly members: readonly MemberConfiguration[];
  /**
   * Tokens in another place that take part in ceremonies, so that a restore can open backups with one of them alone. The
   * service opens none of them, and does not have their PINs.
   */
  readonly recoveryMembers: readonly MemberConfiguration[];
}

/** One token of a cluster, named by its label (at most 32 bytes) or serial number (16), never by its slot. */
export interface MemberConfiguration {
  readonly name: string;
  /** Name of a configured module. */
  readonly module: string;
  readonly token: { readonly kind: 'label' | 'serialNumber'; readonly value: string };
  /** Null: as many as the profile recommends. */
  readonly lanes: number | null;
}

/** The key store of keys whose origin is AWS_KMS. It connects at start, and no custom key store may use its cluster. */
export interface DefaultKeyStoreConfiguration {
  /** Id of a configured cluster. */
  readonly cluster: string;
  readonly pin: SecretSource;
}

/** The file with the records of keys, aliases and stores. Its folder must exist. */
export interface CatalogConfiguration {
  readonly kind: 'sqlite';
  readonly path: string;
  /** Whether the first start creates it. Otherwise `holdfast catalog init` does, and a start without one is refused. */
  readonly create: boolean;
}

/** A key that seals the passwords of custom key stores in the catalog. Each sealed value carries the id of its key. */
export interface SealingKeyConfiguration {
  readonly id: string;
  /** 32 bytes as base64 or hex: `resolveSealingKey`. */
  readonly key: SecretSource;
}

/**
 * Where a secret is stored: in a file (0600 or stricter, ours), in an environment variable, or in a command's output.
 */
export type SecretSource =
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'env'; readonly name: string }
  | { readonly kind: 'command'; readonly argv: readonly [string, ...string[]] };

/** Bounds of time, waiting and memory of this process. `schema.ts` has their ranges and defaults. */
export interface LimitsConfiguration {
  /** Maximum time from the arrival of a request to its answer. A caller's own deadline may be earlier. */
  readonly requestTimeoutMs: number;
  /** Maximum time for one operation of a token. */
  readonly operationTimeoutMs: number;
  /** Maximum time to connect a key store. */
  readonly connectTimeoutMs: number;
  /** Maximum time for requests in flight to finish after SIGTERM. */
  readonly drainTimeoutMs: number;
  /** Maximum number of operations that wait for the lanes of one cluster. */
  readonly queueLimit: number;
  /** The number of encryptions under one key material at which the log begins to warn. */
  readonly encryptionWarningThreshold: number;
  readonly maximumMessageBytes: number;
  readonly maximumConnections: number;
  /** The maximum rate at which keys are copied to a member of a wrapped cluster that lacks them. */
  readonly reconcileCopiesPerSecond: number;
}

/** When a member is suspended, how it is brought back, and when the process gives up on what hangs. */
export interface RecoveryConfiguration {
  /** The number of failures in a row that suspends a member. */
  readonly consecutiveFailures: number;
  /** More than this share of failures in `failureWindowMs` suspends it, once there are `minimumOutcomes`. */
  readonly failurePercentage: number;
  readonly minimumOutcomes: number;
  readonly failureWindowMs: number;
  /** Pause before the first probe of a suspended member. It doubles up to `maximumProbeDelayMs`. */
  readonly probeDelayMs: number;
  readonly maximumProbeDelayMs: number;
  /**
   * The number of failed probes in a row after which the member is reopened, although its failures do not require that.
   */
  readonly reopenAfterProbes: number;
  /** Maximum time for one attempt to open a member. */
  readonly openTimeoutMs: number;
  /** Maximum number of module instances of one member that may hang; one more, and it is stuck. */
  readonly maximumStuckOpenings: number;
  /** Whether the process asks to be replaced when a member is stuck in it and nothing serves. */
  readonly replaceWhenStuck: boolean;
  /** The time for which nothing must have served before it asks. */
  readonly replaceAfterMs: number;
  /** The time for which it must have run before it asks. */
  readonly leastUptimeMs: number;
}

/** The telemetry of this process (`docs/telemetry.md`). The audit log is not part of it. */
export interface TelemetryConfiguration {
  readonly logLevel: LogLevel;
  /** Null: no endpoint for metrics, and nothing is counted. */
  readonly metrics: MetricsConfiguration | null;
  /** Null: nothing is traced. */
  readonly tracing: TracingConfiguration | null;
  /** Null: metrics are not sent by OTLP. */
  readonly otlpMetrics: OtlpMetricsConfiguration | null;
  /** Null: the log is not sent by OTLP. It is written to stderr in any case. */
  readonly otlpLogs: OtlpReceiverConfiguration | null;
  /** `service.name` of everything that is sent by OTLP. */
  readonly serviceName: string;
  /** Whether the standard variables `OTEL_*` are honoured. If not, they are removed from the process's environment. */
  readonly environment: boolean;
}

/** The endpoint that Prometheus reads. Plain HTTP without authentication, so only this machine may reach it. */
export interface MetricsConfiguration {
  /** A loopback address. */
  readonly address: string;
  /** 0 means any free port. */
  readonly port: number;
}

/** An OTLP receiver that speaks HTTP with protobuf. */
export interface OtlpReceiverConfiguration {
  /** The whole URL, path included. Without TLS only on loopback. */
  readonly endpoint: string;
  /** Headers of each export, e.g. `authorization`: their values are secrets. */
  readonly headers: readonly { readonly name: string; readonly value: SecretSource }[];
}

/** The receiver of metrics, and the interval. */
export interface OtlpMetricsConfiguration extends OtlpReceiverConfiguration {
  readonly intervalMs: number;
}

/** The receiver of spans, and which requests are traced. */
export interface TracingConfiguration extends OtlpReceiverConfiguration {
  /** Share of the requests that are traced when the caller does not decide, from 0 to 1. */
  readonly sampleRatio: number;
  /** Whether the sampled flag that a known caller sends decides for its request. */
  readonly followCallers: boolean;
}

/** The levels of pino, from everything to nothing. No level logs secrets. */
export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
/** The least severe level that is still written. */
export type LogLevel = (typeof logLevels)[number];
