import { AuditedDispatcher } from '../api/dispatcher.js';
import { type GrpcFace, startGrpcFace } from '../faces/grpc/server.js';
import { operations } from '../operations/registry.js';
import { faceEvents, unknownCallerEvent } from '../telemetry/caller-events.js';
import { certificateReloadEvents, certificateReminder } from '../telemetry/certificate-events.js';
import { backgroundErrorEvent, descriptorEvent, requestEvent } from '../telemetry/events.js';
import { configuredAuthorizer } from './authorizer.js';
import { CertificateReload } from './certificate-reload.js';
import type { Core } from './core.js';
import { firstReservedFileDescriptor } from './file-descriptors.js';
import type { Foundation } from './foundation.js';
import { listenerOptions } from './listener-options.js';
import { principalOf } from '../callers/found-principal.js';
import type { ServerStatus } from './service-status.js';

/** The gRPC face, and the reload of its certificates. */
export interface Face {
  face: GrpcFace;
  certificates: CertificateReload;
}

/** Starts to listen. */
export async function startFace(foundation: Foundation, core: Core, status: ServerStatus): Promise<Face> {
  const { configuration, clock, identifiers, principals, auditFile, telemetry } = foundation;
  const { limits, listeners } = configuration;
  const dispatcher = new AuditedDispatcher({
    operations,
    core: {
      keys: core.keys,
      keyStores: core.keyStores,
      status: { status, clock },
      clusters: core.clusters,
      backups: core.backups,
    },
    authorizer: configuredAuthorizer(configuration, principals),
    auditLog: auditFile,
    clock,
    onCompleted: requestEvent(telemetry.sink, clock),
  });
  const onUnknownCaller = unknownCallerEvent(telemetry.sink, clock);
  const begun = await Promise.all(listeners.map((listener) => listenerOptions(listener, principals)));
  const onEvent = descriptorEvent(telemetry.sink, clock);
  const face = await startGrpcFace({
    dispatcher,
    clock,
    identifiers,
    listeners: begun,
    principalOf: (certificate) => principalOf(principals, certificate, onUnknownCaller),
    ...faceEvents(telemetry.sink, clock),
    tracer: telemetry.tracer,
    requestTimeoutMs: limits.requestTimeoutMs,
    descriptors: { firstReserved: await firstReservedFileDescriptor(), onEvent },
    limits: { maximumMessageBytes: limits.maximumMessageBytes, maximumConnections: limits.maximumConnections },
  });
  const material = begun.map((options) => (options.kind === 'tls' ? options : undefined));
  const certificates = new CertificateReload(listeners, material, {
    clock,
    events: { ...certificateReloadEvents(telemetry.sink), remind: certificateReminder(telemetry.sink, clock) },
    onBackgroundError: backgroundErrorEvent(telemetry.sink),
    replace: (index, replacing) => face.reload(index, replacing),
  });
  return { face, certificates };
}
