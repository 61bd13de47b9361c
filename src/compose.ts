import type { CertificateReload } from './composition/certificate-reload.js';
import { type Core, composeCore } from './composition/core.js';
import { ConfigurationReload } from './composition/configuration-reload.js';
import { startFace } from './composition/face.js';
import {
  closeFoundation,
  type CompositionOverrides,
  type Foundation,
  minAuditCloseMs,
  openFoundation,
} from './composition/foundation.js';
import { ReadinessWatch } from './composition/readiness-watch.js';
import { RunningServer, type HoldfastServer } from './composition/running-server.js';
import { serverStatus } from './composition/server-status.js';
import type { ServerStatus } from './composition/service-status.js';
import type { Configuration } from './config/configuration.js';
import type { ResolvedSecrets } from './config/secrets.js';
import type { GrpcFace } from './faces/grpc/server.js';
import { ProcessReplacement, type ReplacementState } from './hsm/process-replacement.js';
import { startProblems } from './preconditions/modules.js';
import { configurationReloadEvents } from './telemetry/configuration-events.js';
import { readinessEvent, replacementEvent } from './telemetry/events.js';
import type { Logger } from 'pino';

/**
 * Puts the parts of the server together and starts to serve. Takes ownership of the secrets, which are destroyed when
 * they are no longer needed. If a file, a certificate or an address cannot be used, closes everything again and
 * rejects.
 */
export async function compose(
  configuration: Configuration,
  secrets: ResolvedSecrets,
  logger: Logger,
  overrides: CompositionOverrides = {},
): Promise<HoldfastServer> {
  const foundation = await openFoundation(configuration, secrets, logger, overrides);
  const server = await composeServer(foundation, secrets);
  try {
    await server.start();
    return server;
  } catch (error) {
    // The server already listens, and its key stores are connecting.
    await server.stop();
    throw error;
  }
}

async function composeServer(foundation: Foundation, secrets: ResolvedSecrets): Promise<RunningServer> {
  try {
    const core = await composeCore(foundation, secrets);
    let replacementState = (): ReplacementState => 'none';
    let reload = (): CertificateReload | undefined => undefined;
    const configurationReload = new ConfigurationReload({
      configuration: foundation.configuration,
      clusters: core.configuredClusters,
      moduleProblems: startProblems,
      events: configurationReloadEvents(foundation.telemetry.sink),
    });
    const status = serverStatus(
      { ...foundation, ...core },
      {
        replacement: () => replacementState(),
        certificates: () => reload()?.status() ?? [],
        certificateTrouble: () => reload()?.trouble ?? null,
        configurationTrouble: () => configurationReload.trouble ?? core.defaultPinReload.trouble,
      },
    );
    const { face, certificates } = await startFace(foundation, core, status);
    reload = () => certificates;
    const replacement = watchForReplacement(foundation, core, face);
    replacementState = () => replacement.state;
    const readiness = watchReadiness(foundation, core, status, face);
    foundation.telemetry.watch({
      clusters: () => core.configuredClusters.status(),
      loads: core.loads,
      backups: () => core.backups.summary,
      encryptionBudget: core.encryptionBudget,
      status: () => status.status(),
      ready: () => readiness.ready,
      faceLoad: () => face.load(),
    });
    return new RunningServer(foundation, core, { face, certificates, replacement, readiness, configurationReload });
  } catch (error) {
    secrets.defaultKeyStorePin?.destroy();
    await closeFoundation(foundation, minAuditCloseMs);
    throw error;
  }
}

/** Checks from the moment that a member gets stuck until no member is stuck. */
function watchForReplacement(
  { configuration, clock, telemetry }: Foundation,
  core: Core,
  face: GrpcFace,
): ProcessReplacement {
  const tell = replacementEvent(telemetry.sink);
  const replacement = new ProcessReplacement({
    clock,
    settings: configuration.recovery,
    status: () => core.configuredClusters.status(),
    onChange(state, stuck) {
      face.setSound(state === 'none');
      tell(state, stuck);
    },
  });
  core.hangTracker.onStuck = () => replacement.look();
  return replacement;
}

function watchReadiness(foundation: Foundation, core: Core, status: ServerStatus, face: GrpcFace): ReadinessWatch {
  const { clock, auditFile, telemetry } = foundation;
  const readiness = new ReadinessWatch({
    clock,
    facts: async () => ({ auditWritable: auditFile.healthy(), keyStores: await status.keyStores() }),
    onLook: (found) => face.setReadiness(found),
    onChange: readinessEvent(telemetry.sink),
  });
  core.changes.onChange = () => void readiness.look();
  return readiness;
}
