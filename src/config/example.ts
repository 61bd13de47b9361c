import { newClusterId } from './new-id.js';

/** A configuration with every option and its meaning: `holdfast config print-example`. It loads unchanged. */
export function exampleConfiguration(clusterId: string = newClusterId()): string {
  return template.replaceAll('<cluster id>', clusterId);
}

const template = `# Holdfast's configuration. Check it with: holdfast config check holdfast.yaml
# Relative paths start at the folder of this file. Secrets never stand here, only where they are to be had:
#   { file: path }                 a file with mode 0600 or stricter that belongs to the user of the service
#   { env: NAME }                  an environment variable; no child process gets it, /proc/<pid>/environ shows it
#   { command: [program, arg] }    what a program prints; run without a shell, for at most ten seconds
version: 1

# What the ARNs of keys are made of. Quote account ids: leading zeroes count.
identity:
  partition: aws
  region: eu-central-1
  accounts: ["111122223333"]

# Where the service listens; at least one.
listeners:
  # TLS 1.3, and only for clients with a certificate of this authority. Port 0 takes any free one.
  - kind: tls
    address: 0.0.0.0
    port: 7443
    certificate: server.pem
    key: server.key
    clientCertificateAuthority: ca.pem
    # certificateRevocationList: crl.pem
  # A Unix socket (mode 0600). Whoever can open it is the principal named here.
  - kind: unix
    path: holdfast.sock
    principal: local-operator
  # Without TLS, for loopback addresses only: every user of this machine is the principal named here.
  # - { kind: plaintext, address: 127.0.0.1, port: 7080, principal: local-operator }

# Who may call. A client certificate is one principal, by exactly one of
# commonName, uri, dns (of its subject alternative name) and sha256 (of the whole certificate).
principals:
  # May do everything in their account. account: the first of identity.accounts where it is left out.
  administrators:
    - name: operator
      # account: "111122223333"
      certificate: { commonName: holdfast-operator }
    # Without a certificate: only the socket that names it.
    - name: local-operator
  # May use the keys named here (key id, key ARN, or alias), and draw random bytes. Nobody else may do anything.
  users:
    - name: payments
      certificate: { uri: "spiffe://example.com/payments" }
      keys: [alias/payments]

# PKCS#11 libraries. \`holdfast token list <path>\` shows what is in one, and the lines for this file.
modules:
  softhsm:
    path: /usr/lib/softhsm/libsofthsm2.so
    # Stands while the library is loaded and initialised; what it reads later must be in the service's own. Paths: SOFTHSM2_CONF and its like, and values that begin with ./ or ../
    environment:
      SOFTHSM2_CONF: softhsm2.conf
    # Load a copy of the library for each member, so that one can be restarted while the others work. auto: for SoftHSM.
    privateInstance: auto
    # What some libraries want at C_Initialize (NSS does).
    # initializationString: "configdir='nssdb'"
    # Whose library it is, where HSMs differ: softhsm, nss, cloudhsm, luna, nshield or generic. auto: what it says of itself.
    profile: auto
    # Single values in place of the profile's; \`holdfast token list\` shows those.
    # profileOverrides:
    #   gcmNonce: token-rng        # token: the HSM makes the nonces, and its vendor says that they are random
    #   maximumGcmBytes: 16224
    #   sessionHeadroom: 8         # sessions to leave for others, of those that the token allows
    #   maximumSessions: 100       # where the token does not tell

# Sets of tokens that hold the same keys.
clusters:
  # \`holdfast config new-id\` makes an id.
  - id: <cluster id>
    name: main
    # A custom key store on this cluster must be created with the same certificate.
    trustAnchorCertificate: anchor.pem
    # none: one member, keys that never leave it, no replica and no backup of them.
    replication: none
    # On how many members a key must be before it is acknowledged. 2 where it is left out; one member must say 1.
    minimumMembers: 1
    # In characters. AWS's limit is 32.
    maximumPinLength: 32
    # Cryptographic operations a second; more are answered THROTTLING. Left out: no quota. AWS's for a custom key store is 1800.
    # operationsPerSecond: 1800
    # true: where a member answers later than 95 % of its kind, a second one is asked too; costs up to 10 % more operations.
    hedging: false
    members:
      - name: a
        module: softhsm
        # Or tokenSerialNumber. Slot numbers change, so tokens are not found by them.
        tokenLabel: holdfast
        # Threads with one session each, at most. auto: what the profile recommends (SoftHSM: 1, HSMs in the network: 16).
        lanes: auto

# Where keys live that are created without a custom key store. No custom key store may use this cluster.
# Without this section every key needs a custom key store.
defaultKeyStore:
  cluster: <cluster id>
  pin: { file: pin }

# The record of keys, aliases and key stores.
catalog:
  kind: sqlite
  path: catalog.sqlite
  # false: holdfast catalog init makes it, once, and a start without it is refused. true: a first start makes it, which is
  # one whose audit log is empty too.
  create: false

# AES-256 keys (32 bytes, base64 or hex: openssl rand -base64 32) that seal the passwords of key stores in the catalog.
# The first seals; keep the older ones until nothing is sealed with them.
sealingKeys:
  - id: seal-1
    key: { file: sealing.key }

# All of these may be left out; the values are the defaults.
limits:
  requestTimeoutMs: 10000
  operationTimeoutMs: 3000
  connectTimeoutMs: 30000
  drainTimeoutMs: 15000
  # Operations that may wait for one cluster.
  queueLimit: 2000
  # Encryptions under one key material from which on the log warns, of somewhat under 2^32.
  encryptionWarningThreshold: 2147483648
  maximumMessageBytes: 1048576
  maximumConnections: 1000

# When an HSM is taken out of the rotation and how it is brought back. All of these may be left out; the values are the defaults.
recovery:
  # It is suspended after so many failures in a row, ...
  consecutiveFailures: 5
  # ... or more than this share of failures, once there were so many operations in the window. 100: only failures in a row.
  failurePercentage: 50
  minimumOutcomes: 20
  failureWindowMs: 10000
  # Pause before it is probed. It doubles with each probe that fails, up to the longest; a random half is taken off.
  probeDelayMs: 1000
  maximumProbeDelayMs: 30000
  # After so many failed probes it is opened again, also where its failures do not ask for that.
  reopenAfterProbes: 2
  # For opening it once: initialising the module, finding the token, logging in.
  openTimeoutMs: 15000
  # So many of its openings may hang in its module and be left behind; with one more it is stuck until those calls return.
  maximumStuckOpenings: 2
  # When an HSM is stuck and nothing else serves, the process drains and exits with 75, for a supervisor to start another.
  replaceWhenStuck: true
  # Nothing has served for so long, and the process has run for so long, before it does.
  replaceAfterMs: 10000
  leastUptimeMs: 120000

# One line of JSON for each request, allowed or not.
audit:
  file: audit.log

telemetry:
  # trace, debug, info, warn, error, fatal or silent. To stderr, as JSON.
  logLevel: info
  # For Prometheus: http://127.0.0.1:9464/metrics. Without TLS and to anybody who asks, so on a loopback address only.
  # Without this section nothing is counted.
  # metrics:
  #   address: 127.0.0.1
  #   port: 9464
  # Spans of requests, to an OTLP receiver (HTTP, protobuf). Without this section nothing is traced.
  # tracing:
  #   # https, or http on a loopback address.
  #   endpoint: http://127.0.0.1:4318/v1/traces
  #   # The share of requests that are traced.
  #   sampleRatio: 0.01
  #   # A caller that the configuration knows may decide for its own requests, by the sampled flag of its traceparent.
  #   followCallers: true
  #   # Of each export; the values are secrets.
  #   headers:
  #     authorization: { file: tracing.token }
  # The metrics by OTLP too, under the same names; with or without the section for Prometheus.
  # otlpMetrics:
  #   endpoint: http://127.0.0.1:4318/v1/metrics
  #   intervalMs: 60000
  # The log by OTLP too. It is still written to stderr.
  # otlpLogs:
  #   endpoint: http://127.0.0.1:4318/v1/logs
  # The service.name of all that is sent by OTLP.
  # serviceName: holdfast
  # Whether the standard OTEL_* variables are honoured, for what this section leaves out.
  environment: false

# Folder (0700) of the locks that keep processes of one machine from initialising one library at once.
# The same for all of them. Where it is left out: $RUNTIME_DIRECTORY/locks, $XDG_RUNTIME_DIR/holdfast or
# /tmp/holdfast-locks-<uid>, the first that there is.
# lockDirectory: /run/holdfast/locks
`;
