import type { Command } from 'commander';
import { Option } from 'commander';
import type { CeremonyOptions, CeremonyRequest } from '../ceremony/hold-ceremony.js';
import { collectMemberValue } from '../ceremony/member-values.js';
import type { RemoveMemberOptions } from '../ceremony/remove-member.js';
import type { ClusterStatusOptions } from '../ceremony/status.js';
import type { Terminal } from '../terminal.js';
import { defaultConfigurationFile } from './config.js';

const where = `
Run it on a host that serves no keys and reaches all members, with a copy of the configuration. It can be ended at any
point and run again: it completes what an earlier run left. PINs are never arguments, and a refused one is not tried again.`;

const initExamples = `
Examples:
  holdfast cluster init payments --config holdfast.yaml
  holdfast cluster init payments --so-pin-file a=a.so --so-pin-file b=b.so --fingerprints seen.txt --signing-key ceremony.pem
${where}
Afterwards it attacks the keys of every member, as the user and without a PIN. Exit code 5: a token refused, a fingerprint
differs, or an attack succeeded; then the generation must not be used.`;

const addExamples = `
Example:
  holdfast cluster add-member payments --config holdfast.yaml

First add the member to the configuration. No key of an older generation can be carried any more, so this makes a new
generation on all members. The service then copies the keys to the new member.
${where}`;

const rotateExamples = `
Example:
  holdfast cluster rotate-wrapping-key payments --config holdfast.yaml

The older generations stay on the members: backups may need them.
${where}`;

const removeExamples = `
Examples:
  holdfast cluster remove-member payments c --config holdfast.yaml
  holdfast cluster remove-member payments c --emptied

Without --emptied the other members get a new generation, and the command lists what is left to do: the removed HSM still
has all keys. With --emptied it proves that the token, initialised anew with the vendor's tool, has no object any more.
${where}`;

const statusExamples = `
Examples:
  holdfast cluster status payments
  holdfast cluster status cluster-2a3b4c5d6e7 --output json

It needs no PIN, and the service may be running. It shows the marks on the tokens, which anyone who reaches a token can
plant; the service looks at the keys themselves. Exit code 5: there is no generation, or a member lacks it.`;

/** The commands for the wrapping keys of a cluster: offline, with the HSMs and without a server. */
export function addCeremonyCommands(cluster: Command, terminal: Terminal): void {
  ceremony(cluster.command('init <cluster>'))
    .description('make the first generation of wrapping keys, the same on all members')
    .addHelpText('after', initExamples)
    .action((named: string, options: CeremonyOptions) => run(terminal, 'init', named, options));
  withOutput(cluster.command('status <cluster>'))
    .description('show the generations of wrapping keys on each member, without a PIN')
    .addHelpText('after', statusExamples)
    .action(async (named: string, options: ClusterStatusOptions) => {
      const { showClusterStatus } = await import('../ceremony/status.js');
      await showClusterStatus(terminal, named, options);
    });
  ceremony(cluster.command('add-member <cluster>'))
    .description('make the next generation on all members, one of which is new')
    .addHelpText('after', addExamples)
    .action((named: string, options: CeremonyOptions) => run(terminal, 'add-member', named, options));
  ceremony(cluster.command('rotate-wrapping-key <cluster>'))
    .description('make the next generation on all members')
    .addHelpText('after', rotateExamples)
    .action((named: string, options: CeremonyOptions) => run(terminal, 'rotate-wrapping-key', named, options));
  ceremony(cluster.command('remove-member <cluster> <member>'))
    .description('make the next generation without a member, or prove that it is empty')
    .optionsGroup('Proof:')
    .option('--emptied', 'prove that the token of the member has no object any more; needs the user PIN alone')
    .addHelpText('after', removeExamples)
    .action(async (named: string, member: string, options: RemoveMemberOptions) => {
      const { removeMember } = await import('../ceremony/remove-member.js');
      await removeMember(terminal, named, member, options);
    });
}

async function run(
  terminal: Terminal,
  purpose: Exclude<CeremonyRequest['purpose'], 'remove-member'>,
  cluster: string,
  options: CeremonyOptions,
): Promise<void> {
  const { holdCeremony } = await import('../ceremony/hold-ceremony.js');
  const { reportConclusion } = await import('../ceremony/conclude.js');
  const { firstGeneration, generationAfter, generationForNewMember } = await import('../ceremony/numbers.js');
  const numbers = {
    init: firstGeneration,
    'add-member': generationForNewMember,
    'rotate-wrapping-key': generationAfter,
  }[purpose];
  const conclusion = await holdCeremony(terminal, { purpose, cluster, numbers }, options);
  await reportConclusion(terminal, options.output, conclusion);
}

/** Adds the options of every command that makes a generation. */
function ceremony(command: Command): Command {
  return withOutput(command)
    .optionsGroup('PINs; the terminal asks for those that are not given:')
    .option(
      '--so-pin-file <member=file>',
      'SO PIN of a member, from a file of yours (0600); repeatable',
      collectMemberValue,
    )
    .option(
      '--so-pin-command <member=command>',
      'SO PIN of a member, from the output of a command; repeatable',
      collectMemberValue,
    )
    .option(
      '--user-pin-file <member=file>',
      'user PIN of a member, for the attacks as user, and to make keys if its user makes them; repeatable',
      collectMemberValue,
    )
    .option('--skip-user-check', 'leave out the attacks as user; the record says so')
    .optionsGroup('Fingerprints of the members’ public keys; the terminal asks whether they are right:')
    .option('--fingerprints <file>', 'compare with this file: MEMBER FINGERPRINT in each line; it may be a named pipe')
    .option('--unattested', 'compare nothing; the record says so')
    .optionsGroup('Keys that an officer marks as trusted (user-made-then-marked):')
    .option('--resume <digest>', 'go on with the keys of an earlier run, which showed this digest')
    .option('--anew', 'destroy the keys that an earlier run left to be marked, and make others')
    .optionsGroup('Record:')
    .option('--record <file>', 'where to write it (default: CLUSTER-generation-N-DATE.json here)')
    .option('--signing-key <file>', 'sign it with this Ed25519 key in PEM (default: a new key)')
    .optionsGroup('Recovery members:')
    .option('--without-recovery-members', 'leave them behind: they can open no backup that is made from now on')
    .optionsGroup('Host:')
    .option('--beside-service', 'run although a service uses the catalog on this host');
}

function withOutput(command: Command): Command {
  return command
    .option('--config <file>', 'configuration', defaultConfigurationFile)
    .addOption(new Option('--output <format>', 'how to print').choices(['table', 'json']).default('table'));
}
