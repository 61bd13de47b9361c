import { getStatus, type StatusCore } from './get-status.js';
import type { AccessRow } from '../access-row.js';

/** The rows of `AdminService`. The action has a prefix of its own: AWS has none like it. */
export function adminAccess(core: StatusCore) {
  const row: AccessRow<object> = {
    plane: 'data',
    audited: [],
    prepare: (_request, context) =>
      Promise.resolve({
        accesses: [{ action: 'holdfast:GetStatus', resource: { kind: 'account' } }],
        execute: () => getStatus(core, context),
      }),
  };
  return { GetStatus: row };
}
