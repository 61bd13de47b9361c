import { systemClock } from '../../clock-system.js';
import type {
  ClusterConfiguration,
  Configuration,
  MemberConfiguration,
  ModuleConfiguration,
} from '../../config/configuration.js';
import { profileSetting } from '../../composition/cluster-options.js';
import { describeProfile } from '../../hsm/profiles/describe-profile.js';
import { effectiveProfile } from '../../hsm/profiles/effective-profile.js';
import type { NativeModuleOptions } from '../../hsm/native.js';
import type { TokenInfo } from '../../hsm/token-list.js';
import { flagsOf, missingMechanisms } from '../token-description.js';
import type { Finding } from '../../preconditions/finding.js';
import { fail, ok, reasonOf, warn } from '../../preconditions/finding.js';
import { checkModule } from '../../preconditions/modules.js';
import { SeenTokens } from './seen-tokens.js';

/**
 * Checks that modules load, that members find their tokens, and that tokens have the required features. It does not log
 * in.
 */
export async function checkTokens(configuration: Configuration): Promise<Finding[]> {
  const findings: Finding[] = [];
  const seen = new SeenTokens();
  for (const module of configuration.modules) {
    if (await wouldHang(module)) continue;
    const members = configuration.clusters.flatMap((cluster) =>
      cluster.members.filter((member) => member.module === module.name).map((member) => ({ cluster, member })),
    );
    const tokens = await readTokens(module, configuration);
    if ('status' in tokens) findings.push(tokens);
    else {
      findings.push(ok(`module ${module.name}`, `loads; ${tokens.length} token${tokens.length === 1 ? '' : 's'}`));
      for (const { cluster, member } of members) findings.push(...checkMember(cluster, member, module, tokens, seen));
    }
  }
  return findings;
}

/** Whether loading the module would hang the command. If so, the check of the module has reported it. */
async function wouldHang(module: ModuleConfiguration): Promise<boolean> {
  return (await checkModule(module)).some(({ prevents }) => prevents === 'start');
}

function nativeModule(module: ModuleConfiguration): NativeModuleOptions {
  const { path, privateInstance, environment, initializationString } = module;
  return { libraryPath: path, privateInstance, environment: { ...environment }, initializationString };
}

async function readTokens(module: ModuleConfiguration, configuration: Configuration): Promise<TokenInfo[] | Finding> {
  const options = nativeModule(module);
  try {
    const { listTokens } = await import('../../hsm/token-list.js');
    const deadlineMs = systemClock.monotonicMs() + configuration.limits.connectTimeoutMs;
    return await listTokens(options, configuration.lockDirectory, deadlineMs);
  } catch (error) {
    return fail(
      `module ${module.name}`,
      `it cannot be used: ${reasonOf(error)}`,
      `check modules.${module.name}: path and environment`,
    );
  }
}

function checkMember(
  cluster: ClusterConfiguration,
  member: MemberConfiguration,
  module: ModuleConfiguration,
  tokens: readonly TokenInfo[],
  seen: SeenTokens,
): Finding[] {
  const subject = `member ${member.name} of cluster ${cluster.name}`;
  const { kind, value } = member.token;
  const found = tokens.filter((token) => (kind === 'label' ? token.label : token.serialNumber) === value);
  const [token] = found;
  if (token === undefined) {
    const others = tokens.flatMap(({ label }) => (label === '' ? [] : [JSON.stringify(label)])).join(', ');
    return [
      fail(
        subject,
        `no token with ${kind} ${JSON.stringify(value)}`,
        others === ''
          ? `the module has no initialised token: is environment of modules.${member.module} right?`
          : `the module has ${others}; holdfast token list shows more`,
      ),
    ];
  }
  if (found.length > 1)
    return [fail(subject, `${found.length} tokens have the label ${JSON.stringify(value)}`, 'use tokenSerialNumber')];
  const missing = missingMechanisms(token);
  if (missing.length > 0)
    return [
      fail(subject, `token ${token.label} has no ${missing.join(' and no ')}`, 'such a token cannot be a member'),
    ];
  return [
    ok(subject, `token ${token.label}, ${token.model} ${token.serialNumber}`),
    ...seen.note(subject, nativeModule(module), token),
    checkProfile(subject, module, token),
    ...checkPinState(subject, token),
    ...checkWriteProtection(subject, token),
  ];
}

function checkProfile(subject: string, module: ModuleConfiguration, token: TokenInfo): Finding {
  const profile = effectiveProfile(profileSetting(module), token);
  const found = `profile ${describeProfile(profile)}`;
  if (profile.verification.verified) return ok(subject, found);
  return warn(subject, found, 'test it first with a token without valuable keys');
}

function checkWriteProtection(subject: string, token: TokenInfo): Finding[] {
  if (!flagsOf(token).includes('WRITE_PROTECTED')) return [];
  return [
    fail(
      subject,
      'its token is write-protected: it refuses the sessions that the service opens, and no key can be made in it',
      'lift the protection with the vendor tool',
    ),
  ];
}

function checkPinState(subject: string, token: TokenInfo): Finding[] {
  const flags = flagsOf(token);
  if (flags.includes('USER_PIN_LOCKED'))
    return [fail(subject, 'its user PIN is locked', 'its security officer can unlock it')];
  if (flags.includes('USER_PIN_FINAL_TRY'))
    return [
      fail(
        subject,
        'its user PIN has one attempt left',
        'log in with the vendor tool and the correct PIN first: the service will not try',
      ),
    ];
  if (flags.includes('USER_PIN_COUNT_LOW'))
    return [
      warn(subject, 'a wrong user PIN was tried since the last login', 'find out who did; a correct login resets it'),
    ];
  if (!flags.includes('USER_PIN_INITIALIZED'))
    return [fail(subject, 'it has no user PIN', 'initialise it with the vendor tool')];
  return [];
}
