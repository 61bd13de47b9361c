import type { SecretSource } from '../config/configuration.js';
import type { SecretReadings } from '../config/secrets.js';
import type { Finding } from './finding.js';
import { ok, refuse, warn } from './finding.js';
import type { Surroundings } from './precondition.js';

/** PIN, sealing keys, headers of traces: each was read, and has a plausible form. The PIN is not tried. */
export function checkSecrets({ configuration, secrets, asks }: Surroundings): Promise<Finding[]> {
  return Promise.resolve(
    secrets.readings.map((reading) => {
      const subject = subjectOf(reading.path, configuration.sealingKeys);
      if (reading.problem === undefined) return ok(subject, `readable (${reading.source.kind})`);
      // The environment of doctor is not the service's.
      if (asks === 'operator' && reading.source.kind === 'env')
        return warn(subject, reading.problem, 'set it for the service; doctor sees only its own environment');
      return refuse(subject, reading.problem, reading.remedy ?? remedyOf(reading));
    }),
  );
}

function subjectOf(path: string, sealingKeys: readonly { id: string }[]): string {
  if (path === 'defaultKeyStore.pin') return 'PIN of the default key store';
  const index = /^sealingKeys\[(\d+)\]/.exec(path)?.[1];
  return index === undefined ? path : `sealing key ${sealingKeys[Number(index)]?.id ?? index}`;
}

function remedyOf({ path, source }: SecretReadings['readings'][number]): string {
  if (source.kind === 'command') return `run ${source.argv[0]} by hand as the user of the service`;
  if (source.kind === 'env') return `set ${source.name} in the environment of the service`;
  return makeFile(path, source);
}

function makeFile(path: string, source: SecretSource & { kind: 'file' }): string {
  if (path === 'defaultKeyStore.pin')
    return `put the user PIN of the token there, in one line, and nothing else: chmod 600 ${source.path}`;
  if (path.startsWith('sealingKeys'))
    return `for a new catalog: (umask 077; openssl rand -base64 32 > ${source.path}); for one that is in use, its key from your backup`;
  return `put the value there, in one line: chmod 600 ${source.path}`;
}
