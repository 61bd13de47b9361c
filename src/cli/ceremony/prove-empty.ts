import { systemClock } from '../../clock-system.js';
import type { Configuration } from '../../config/configuration.js';
import type { NativeInventoryEntry } from '../../hsm/native.js';
import { loadAddon } from '../../hsm/native.js';
import { CliError, exitCodes, usageError } from '../exit-codes.js';
import { loadForCommand } from '../local-configuration.js';
import type { Terminal } from '../terminal.js';
import type { CeremonyOptions } from './hold-ceremony.js';
import { hsmError } from './hsm-error.js';
import { underModuleLocks } from './module-locks.js';
import { destroyPins, readUserPins } from './pins.js';
import { deadlineOf, type SurveyedMember, surveyMembers } from './survey.js';
import { requireUserPinMayBeTried } from './trust-check.js';
import { ceremonyMembers, findWrappedCluster } from './wrapped-cluster.js';

const closeTimeoutMs = 5_000;

/**
 * Proves that a token has nothing of the cluster any more: its user sees no object at all on it. It destroys nothing.
 * @throws CliError if there are objects, or nothing is known
 */
export async function proveEmpty(
  terminal: Terminal,
  named: string,
  member: string,
  options: CeremonyOptions,
): Promise<SurveyedMember> {
  const configuration = await loadForCommand(options.config);
  const cluster = findWrappedCluster(configuration, named);
  const configured = ceremonyMembers(cluster).filter(({ name }) => name === member);
  if (configured.length === 0)
    throw usageError(
      `cluster ${cluster.name} has no member ${member}`,
      'a member that is to be proved empty must be configured',
    );
  const surveyed = await surveyMembers(configuration, cluster, configured);
  const pins = await readUserPins(terminal, configuration, cluster, surveyed, options);
  try {
    const [found] = surveyed;
    const pin = pins.get(member);
    if (found === undefined || pin === undefined || options.skipUserCheck === true)
      throw usageError('without the user PIN nothing can be proved', 'leave out --skip-user-check');
    requireUserPinMayBeTried(found);
    requireNothing(member, await inventoryOf(configuration, found, pin.reveal()));
    return found;
  } finally {
    destroyPins(pins);
  }
}

async function inventoryOf(
  configuration: Configuration,
  { name, native }: SurveyedMember,
  pin: Uint8Array,
): Promise<NativeInventoryEntry[]> {
  const { module, tokenLabel, tokenSerialNumber, profile } = native;
  const pool = loadAddon().createPool(1);
  const lanes = { laneCount: 1, maxQuarantinedLanes: 1, maxStuckOpenings: 2 };
  try {
    const deadlineMs = deadlineOf(configuration);
    const member = await underModuleLocks(configuration, [module], async () => {
      const opened = await pool.openMember({ module, tokenLabel, tokenSerialNumber, ...lanes }, deadlineMs);
      pool.setProfile(opened.member, profile, 1);
      await pool.loginMember(opened.member, pin, deadlineMs, null);
      return opened.member;
    });
    return await pool.inventory(member, deadlineMs);
  } catch (error) {
    throw hsmError(error, name, 'user');
  } finally {
    await pool.close(systemClock.monotonicMs() + closeTimeoutMs);
  }
}

function requireNothing(member: string, objects: readonly NativeInventoryEntry[]): void {
  if (objects.length === 0) return;
  throw new CliError(exitCodes.checkFailed, 'NOT_EMPTY', `member ${member} has ${objects.length} objects`, {
    details: objects.slice(0, 20).map(({ label, id }) => `${label} (${Buffer.from(id).toString('hex').slice(0, 64)})`),
    hint: 'initialise the token anew with the vendor’s tool; or leave out --emptied, and the others get a new generation',
  });
}
