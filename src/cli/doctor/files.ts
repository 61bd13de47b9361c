import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Configuration, SecretSource } from '../../config/configuration.js';
import { resolveSecret, SecretUnavailableError } from '../../config/secret-source.js';
import { resolveSealingKey } from '../../config/secrets.js';
import type { Secret } from '../../secret.js';
import type { Finding } from './finding.js';
import { fail, ok, reasonOf, warn } from './finding.js';

/** The files that the service reads and writes: modes, owners, folders. Nothing is made. */
export async function checkFiles(configuration: Configuration): Promise<Finding[]> {
  const findings = [await checkNotWritable(`configuration ${configuration.path}`, configuration.path)];
  for (const { name, path } of configuration.modules)
    findings.push(await checkNotWritable(`library of module ${name}`, path));
  findings.push(await checkAudit(configuration.audit.file), await checkLockDirectory(configuration.lockDirectory));
  return findings;
}

/** Who may write here may do anything that the service may. */
async function checkNotWritable(subject: string, path: string): Promise<Finding> {
  try {
    const { mode } = await stat(path);
    if ((mode & 0o022) === 0) return ok(subject, 'only its owner may change it');
    return fail(subject, `others may change it (mode ${(mode & 0o777).toString(8)})`, `chmod go-w ${path}`);
  } catch (error) {
    return fail(subject, `it cannot be read: ${reasonOf(error)}`, 'check the path and who may read it');
  }
}

async function checkAudit(path: string): Promise<Finding> {
  const subject = `audit log ${path}`;
  try {
    const found = await stat(path).catch(() => undefined);
    await access(found === undefined ? dirname(path) : path, constants.W_OK);
    if (found !== undefined && (found.mode & 0o027) !== 0)
      return warn(
        subject,
        `others may read or change it (mode ${(found.mode & 0o777).toString(8)})`,
        `chmod 600 ${path}`,
      );
    return ok(subject, found === undefined ? 'will be made at the first start' : `${found.size} bytes`);
  } catch (error) {
    return fail(
      subject,
      `it cannot be written: ${reasonOf(error)}`,
      'nothing is served without an audit log: make its folder, and let the service write there',
    );
  }
}

async function checkLockDirectory(path: string): Promise<Finding> {
  const subject = `lock directory ${path}`;
  try {
    const found = await stat(path).catch(() => undefined);
    if (found === undefined) {
      await access(dirname(path), constants.W_OK);
      return ok(subject, 'will be made at the first start');
    }
    if (!found.isDirectory() || found.uid !== process.getuid?.() || (found.mode & 0o077) !== 0) {
      return fail(
        subject,
        'it must be a folder of this user with mode 0700',
        `remove it, or set lockDirectory to another one`,
      );
    }
    return ok(subject, 'ours, mode 0700');
  } catch (error) {
    return fail(
      subject,
      `it cannot be used: ${reasonOf(error)}`,
      'set lockDirectory to a folder that this user may write',
    );
  }
}

/** Secrets are read, to see that they are there, and forgotten. The PIN is not tried. */
export async function checkSecrets(configuration: Configuration, environment: NodeJS.ProcessEnv): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const { id, key } of configuration.sealingKeys) {
    findings.push(
      await checkSecret(`sealing key ${id}`, key, environment, { read: resolveSealingKey, make: makeSealingKey }),
    );
  }
  const { defaultKeyStore } = configuration;
  if (defaultKeyStore === null) return findings;
  return [
    ...findings,
    await checkSecret('PIN of the default key store', defaultKeyStore.pin, environment, {
      read: resolveSecret,
      make: makePin,
    }),
  ];
}

/** How to make the file of a secret that is missing or wrong. */
type MakeSecret = (path: string) => string;

const makeSealingKey: MakeSecret = (path) =>
  `for a new catalog: (umask 077; openssl rand -base64 32 > ${path}); for one that is in use, its key from your backup`;
const makePin: MakeSecret = (path) => `put the user PIN of the token there, and nothing else: chmod 600 ${path}`;

async function checkSecret(
  subject: string,
  source: SecretSource,
  environment: NodeJS.ProcessEnv,
  { read, make }: { read: (source: SecretSource, environment: NodeJS.ProcessEnv) => Promise<Secret>; make: MakeSecret },
): Promise<Finding> {
  try {
    using secret = await read(source, { ...environment });
    return ok(subject, `readable (${source.kind}, ${secret.byteLength} bytes)`);
  } catch (error) {
    if (!(error instanceof SecretUnavailableError)) throw error;
    if (source.kind === 'env')
      return warn(subject, error.message, 'set it where the service runs; doctor sees only its own environment');
    if (source.kind === 'command') return fail(subject, error.message, 'run it by hand as the user of the service');
    return fail(subject, error.message, make(source.path));
  }
}
