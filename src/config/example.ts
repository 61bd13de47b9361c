import { newClusterId } from './new-id.js';

/** A configuration with every option and its meaning: `holdfast config print-example`. It loads unchanged. */
export function exampleConfiguration(clusterId: string = newClusterId()): string {
  return template.replaceAll('<cluster id>', clusterId);
}

const template = `# Holdfast's configuration. Check it with: holdfast config check holdfast.yaml
# Relative paths start at the folder of this file. This file never contains secrets; it names where they are stored:
#   { file: path }                 a file with mode 0600 or stricter that belongs to the user of the service
#   { env: NAME }                  an environment variable; no child process gets it, /proc/<pid>/environ shows it
#   { command: [program, arg] }    a program's output; run without a shell, for at most ten seconds
version: 1

# The parts of the keys' ARNs. Quote account ids: leading zeroes count.
identity:
  partition: aws
  region: eu-central-1
  accounts: ["111122223333"]

# The addresses and sockets of the service; at least one.
listeners:
  # TLS 1.3, and only for clients with a certificate of this authority. Port 0 takes any free port.
  - kind: tls
    address: 0.0.0.0
    port: 7443
    certificate: server.pem
    key: server.key
    clientCertificateAuthority: ca.pem
    # certificateRevocationList: crl.pem
  # A Unix socket (mode 0600). Every process that can open it is the principal named here.
  - kind: unix
    path: holdfast.sock
    principal: local-operator
  # Without TLS, for loopback addresses only: every user of this machine is the principal named here.
  # - { kind: plaintext, address: 127.0.0.1, port: 7080, principal: local-operator }

# The callers. A client certificate is one principal, identified by exactly one of
# commonName, uri, dns (of its subject alternative name) and sha256 (of the whole certificate).
principals:
  # May do everything in their account. account: by default the first of identity.accounts.
  administrators:
    - name: operator
      # account: "111122223333"
      certificate: { commonName: holdfast-operator }
    # Without a certificate: reached only through the socket that names it.
    - name: local-operator
  # May use the keys named here (key id, key ARN, or alias), and draw random bytes. All other callers are refused.
  users:
    - name: payments
      certificate: { uri: "spiffe://example.com/payments" }
      keys: [alias/payments]

# PKCS#11 libraries. \`holdfast token list <path>\` shows the tokens of one, and the lines for this file.
modules:
  softhsm:
    path: /usr/lib/softhsm/libsofthsm2.so
    # Set while the library is loaded and initialised. Variables that it reads later must be in the service's own environment.
    # Taken as paths: SOFTHSM2_CONF and the like, and values that begin with ./ or ../
    environment:
      SOFTHSM2_CONF: softhsm2.conf
    # Load a copy of the library for each member: then one can be restarted while the others work. auto: for SoftHSM only.
    privateInstance: auto
    # The string that some libraries need at C_Initialize (NSS does).
    # initializationString: "configdir='nssdb'"
    # The vendor profile: softhsm, nss, kryoptic, cloudhsm, luna, nshield or generic. auto: as the library describes itself.
    profile: auto
    # Replace single values of the profile; \`holdfast token list\` shows the profile's.
    # profileOverrides:
    #   gcmNonce: token-rng        # token: the HSM makes the nonces, and its vendor says that they are random
    #   maximumGcmBytes: 16224
    #   sessionHeadroom: 8         # of the sessions that the token allows, how many to leave for others
    #   maximumSessions: 100       # if the token reports none
    #   ceremony: so-made          # how its wrapping keys are made, for replication: wrapped
    #   generatedPin: { alphabet: '0123456789', length: 39 } # how random PINs are made
    #   generationMark: public-key # if the token keeps no data objects: the form of marks and of the catalog's witness

# Sets of tokens that hold the same keys.
clusters:
  # \`holdfast config new-id\` makes an id.
  - id: <cluster id>
    name: main
    # A custom key store on this cluster must be created with the same certificate.
    trustAnchorCertificate: anchor.pem
    # none: one member, and keys that never leave it: no replica, no backup. wrapped: independent tokens, which holdfast cluster init
    # gives common wrapping keys. vendor: the vendor's own cluster (CloudHSM, Luna HA) copies keys, and backs them up.
    replication: none
    # Only with replication: wrapped, and for ever. unenforced: tokens are accepted on which the PIN's owner can extract keys.
    # trust: enforced
    # A new key is acknowledged when this many members have it. Default 2; a cluster of one member needs 1.
    minimumMembers: 1
    # In characters. AWS's limit is 32.
    maximumPinLength: 32
    # Cryptographic operations a second; more are answered THROTTLING. Default: no quota. AWS's for a custom key store is 1800.
    # operationsPerSecond: 1800
    # true: if an answer takes longer than 95 % of its kind, a second member is asked too; costs up to 10 % more operations.
    hedging: false
    members:
      - name: a
        module: softhsm
        # Or tokenSerialNumber. Slot numbers change, so tokens are not found by them.
        tokenLabel: holdfast
        # Maximum number of threads, with one session each. auto: the profile's value (SoftHSM: 1, network HSMs: 16).
        lanes: auto
    # Tokens in another place, for the day on which all members above are lost (docs/operating/disaster-recovery.md). They take part in
    # ceremonies; the service never opens them, and must not have their PINs.
    recoveryMembers: []

# The home of keys that are created without a custom key store. No custom key store may use this cluster.
# Without this section every key needs a custom key store.
defaultKeyStore:
  cluster: <cluster id>
  pin: { file: pin }

# The record of keys, aliases and key stores.
catalog:
  kind: sqlite
  path: catalog.sqlite
  # false: holdfast catalog init makes it, once, and a start without it is refused. true: a first start makes it; a start
  # counts as first if the audit log is empty too.
  create: false

# AES-256 keys (32 bytes, base64 or hex: openssl rand -base64 32) that seal the passwords of key stores in the catalog.
# The first one seals; keep older ones until nothing is sealed with them.
sealingKeys:
  - id: seal-1
    key: { file: sealing.key }

# All of these are optional; the values are the defaults.
limits:
  requestTimeoutMs: 10000
  operationTimeoutMs: 3000
  connectTimeoutMs: 30000
  drainTimeoutMs: 15000
  # Operations that may wait for one cluster.
  queueLimit: 2000
  # The log warns from this many encryptions under one key material; the limit is a little under 2^32.
  encryptionWarningThreshold: 2147483648
  maximumMessageBytes: 1048576
  maximumConnections: 1000
  # Keys that are copied each second to a member of a wrapped cluster that lacks them.
  reconcileCopiesPerSecond: 50

# When a member is suspended and how it is brought back. All of these are optional; the values are the defaults.
recovery:
  # It is suspended after this many failures in a row, ...
  consecutiveFailures: 5
  # ... or above this share of failures, if the window has at least minimumOutcomes operations. 100: only failures in a row.
  failurePercentage: 50
  minimumOutcomes: 20
  failureWindowMs: 10000
  # Pause before it is probed. It doubles with each failed probe, up to the maximum; up to half is taken off at random.
  probeDelayMs: 1000
  maximumProbeDelayMs: 30000
  # After this many failed probes it is opened again, even if its failures do not require that.
  reopenAfterProbes: 2
  # Time for opening it once: initialising the module, finding the token, logging in.
  openTimeoutMs: 15000
  # This many of its openings may hang in its module and be abandoned; with one more it is stuck until those calls return.
  maximumStuckOpenings: 2
  # When an HSM is stuck and nothing else serves, the process drains and exits with 75, for a supervisor to start another.
  replaceWhenStuck: true
  # It does so only after nothing has served for replaceAfterMs, and the process has run for leastUptimeMs.
  replaceAfterMs: 10000
  leastUptimeMs: 120000

# Archives of the catalog and the keys: holdfast backup create. Without this section none is made.
# backup:
#   # Exists, and is writable by the service alone. Archives are copied elsewhere by you.
#   folder: /var/backups/holdfast
#   # Left out: only when an operator asks for one.
#   everyHours: 24
#   # Complete scheduled archives that stay.
#   keep: 14
#   # Keys a second that are wrapped for an archive, or proved.
#   materialsPerSecond: 50

# How old the PIN of a key store may be. Left out: any age.
# keyStorePins:
#   # An older one is reported: an alert, holdfast status and doctor.
#   maximumAgeDays: 365
#   # The service itself rotates the PIN of a custom key store at this age, to a random one.
#   rotateAfterDays: 335

# One line of JSON for each request, allowed or not.
audit:
  file: audit.log

telemetry:
  # trace, debug, info, warn, error, fatal or silent. To stderr, as JSON.
  logLevel: info
  # For Prometheus: http://127.0.0.1:9464/metrics. Without TLS and for every client, so on a loopback address only.
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
  #   # A known caller may decide for its own requests, by the sampled flag of its traceparent.
  #   followCallers: true
  #   # Sent with each export; the values are secrets.
  #   headers:
  #     authorization: { file: tracing.token }
  # The metrics by OTLP too, under the same names; with or without the section for Prometheus.
  # otlpMetrics:
  #   endpoint: http://127.0.0.1:4318/v1/metrics
  #   intervalMs: 60000
  # The log by OTLP too. It is still written to stderr.
  # otlpLogs:
  #   endpoint: http://127.0.0.1:4318/v1/logs
  # The service.name in everything sent by OTLP.
  # serviceName: holdfast
  # Whether the standard OTEL_* variables are honoured for settings that this section leaves out.
  environment: false

# Folder (0700) of the locks that keep processes of one machine from initialising one library at the same time.
# It must be the same for all of them. Default: $RUNTIME_DIRECTORY/locks, or else
# $XDG_RUNTIME_DIR/holdfast, or else /tmp/holdfast-locks-<uid>.
# lockDirectory: /run/holdfast/locks
`;
