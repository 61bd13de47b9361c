import type { MethodDefinition } from '@grpc/grpc-js';
import { service } from 'grpc-health-check';

/** `grpc.health.v1.HealthCheckResponse`, enums as their names. */
export interface HealthResponse {
  status: 'UNKNOWN' | 'SERVING' | 'NOT_SERVING' | 'SERVICE_UNKNOWN';
}

/** `grpc.health.v1.Health/Check`. The empty name asks for the server as a whole. */
export const healthCheck = service['Check'] as unknown as MethodDefinition<{ service: string }, HealthResponse>;
