import type { ClusterStatus } from '../src/hsm/clusters.js';

/** A member's part of a status that says nothing: for tests of other parts. */
export const unremarkable: Pick<
  ClusterStatus['members'][number],
  'isDrained' | 'seen' | 'generation' | 'missingMaterials'
> = { isDrained: false, seen: undefined, generation: undefined, missingMaterials: 0 };
