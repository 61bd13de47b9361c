import type { HsmCluster } from '../clusters/hsm-cluster.js';

/**
 * A cluster of which two groups of members are open, each with a PIN of its own: the second does what the first cannot. For
 * operations that change nothing.
 */
export function eitherCluster(first: HsmCluster | undefined, second: HsmCluster | undefined): HsmCluster | undefined {
  if (first === undefined || second === undefined) return first ?? second;
  return {
    clusterId: first.clusterId,
    async perform(operation, request, call) {
      const onFirst = await first.perform(operation, request, call).then(
        (result) => ({ result }),
        (failure: unknown) => ({ failure }),
      );
      if ('result' in onFirst) return onFirst.result;
      try {
        return await second.perform(operation, request, call);
      } catch (error) {
        if (error instanceof Error) error.cause ??= onFirst.failure;
        throw error;
      }
    },
  };
}
