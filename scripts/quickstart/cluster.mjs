/** The quickstart's part about several HSMs: their ceremony, and a member that is away for a while. */
import { execute, StepFailure } from '../steps.mjs';
import { membersOf, readState, writeState } from './folder.mjs';
import { cliPath } from './server.mjs';

const returnTimeoutMs = 60_000;

/**
 * Gives the members of each cluster their common wrapping keys, once. It needs the officers' PINs, and belongs onto another
 * host than the server's: here it is the same one, and the record says that nobody has compared the fingerprints.
 */
export async function holdCeremonies(steps, { at, clusterIds }, shown) {
  for (const [name, clusterId] of Object.entries(clusterIds)) {
    const state = readState(at('quickstart.json'));
    if (state.ceremonies?.includes(clusterId)) continue;
    const members = membersOf(name, at);
    const of = members.length === 1 ? 'its member' : `its ${members.length} members`;
    await steps.run(`ceremony of cluster ${name}: the same wrapping keys for ${of}, then attacks on them`, () =>
      execute(process.execPath, [cliPath, ...ceremony(name, clusterId, members, at)]),
    );
    const pins = members.map((member) => `--so-pin-file ${member.name}=${shown.folder}/${name}-${member.name}.so-pin`);
    steps.say(
      `    $ ${shown.command} cluster init ${name} --config ${shown.folder}/holdfast.yaml ${pins.join(' ')} --unattested`,
    );
    writeState(at('quickstart.json'), { ...state, ceremonies: [...(state.ceremonies ?? []), clusterId] });
  }
}

function ceremony(name, clusterId, members, at) {
  const pins = members.flatMap((member) => [
    ...['--so-pin-file', `${member.name}=${member.officerPinFile}`],
    ...['--user-pin-file', `${member.name}=${at(`${name}.pin`)}`],
  ]);
  const record = ['--record', at(`ceremony-${name}.json`), '--unattested'];
  return ['cluster', 'init', clusterId, '--config', at('holdfast.yaml'), ...pins, ...record];
}

/** One member is away, as for an update of its firmware, while the application encrypts; then it is back. */
export async function oneMemberAway(run, encrypt) {
  const { payments: clusterId } = run.clusterIds;
  const place = { cluster_id: clusterId, member_name: 'a' };
  const service = 'holdfast.admin.v1.ClusterService';
  await run.step(
    'take member a out of service, as for an update of its firmware',
    { cli: `cluster drain ${clusterId} a`, rpc: `${service}/DrainMember`, request: place },
    () => run.cli(['cluster', 'drain', clusterId, 'a']),
  );
  await run.steps.run('encrypt and decrypt meanwhile: the other two do it', encrypt);
  await run.step(
    'bring it back, and wait until it takes work',
    { cli: `cluster resume ${clusterId} a`, rpc: `${service}/ResumeMember`, request: place },
    () => untilBack(run, clusterId),
  );
  await run.step(
    'ask how the members are',
    { cli: `cluster describe ${clusterId}`, rpc: `${service}/DescribeClusters`, request: { cluster_id: clusterId } },
    async () => {
      const members = await describedMembers(run, clusterId);
      for (const { name, state, missing_materials: missing } of members) {
        if (state !== 'MEMBER_STATE_SERVING' || missing !== 0)
          throw new StepFailure(`Member ${name} is ${state} and lacks ${missing} keys.`);
      }
    },
  );
}

async function untilBack(run, clusterId) {
  await run.cli(['cluster', 'resume', clusterId, 'a']);
  const deadlineMs = performance.now() + returnTimeoutMs;
  for (;;) {
    const member = (await describedMembers(run, clusterId)).find(({ name }) => name === 'a');
    if (member?.state === 'MEMBER_STATE_SERVING') return;
    if (performance.now() >= deadlineMs) throw new StepFailure(`Member a is ${member?.state}.`);
  }
}

async function describedMembers(run, clusterId) {
  const { clusters } = await run.cli(['cluster', 'describe', clusterId]);
  return clusters[0].members;
}
