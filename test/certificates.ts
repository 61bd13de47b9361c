import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A certificate and its key, as PEM and as the files that hold them. */
export interface IssuedCertificate {
  certificate: Buffer;
  key: Buffer;
  certificatePath: string;
  keyPath: string;
}

export interface CertificateRequest {
  commonName: string;
  /** Subject alternative names in openssl's notation: `DNS:localhost,IP:127.0.0.1,URI:spiffe://…`. */
  subjectAlternativeName?: string;
  usage: 'client' | 'server';
  /** Whether it was valid for one day only, long ago. */
  expired?: boolean;
  validity?: Validity;
}

const configuration = `
[ca]
default_ca = ca_default
[ca_default]
database = ./index.txt
serial = ./serial
crlnumber = ./crlnumber
new_certs_dir = .
certificate = ./ca.pem
private_key = ./ca-key.pem
default_md = sha256
default_crl_days = 30
policy = any
copy_extensions = none
unique_subject = no
[any]
commonName = supplied
`;

/** The peculiarities of an authority. Default: self-signed, of version 3, CA:TRUE, without key usage, 30 days. */
export interface AuthorityOptions {
  name?: string;
  /** Extensions in openssl's notation; they replace all default ones. */
  extensions?: readonly string[];
  validity?: Validity;
  issuer?: CertificateAuthority;
}

/** When it is valid: `past` is one day, long ago; `future` is one day, far ahead. */
export type Validity = 'now' | 'past' | 'future';

const dates = { past: ['20200101000000Z', '20200102000000Z'], future: ['20490101000000Z', '20490102000000Z'] };

/** A certificate authority in a temporary folder, made with the openssl command, for tests with real TLS. */
export class CertificateAuthority {
  readonly folder: string;
  readonly certificatePath: string;
  #issued = 0;

  constructor(options: AuthorityOptions | string = {}) {
    const { name = 'Holdfast test authority', ...special } = typeof options === 'string' ? { name: options } : options;
    this.folder = mkdtempSync(join(tmpdir(), 'holdfast-ca-'));
    this.certificatePath = join(this.folder, 'ca.pem');
    writeFileSync(join(this.folder, 'openssl.cnf'), configuration);
    writeFileSync(join(this.folder, 'index.txt'), '');
    writeFileSync(join(this.folder, 'serial'), '1000\n');
    writeFileSync(join(this.folder, 'crlnumber'), '1000\n');
    const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', 'ca-key.pem'];
    if (Object.keys(special).length > 0) this.#makeSpecial(newKey, name, special);
    else this.#openssl('req', '-x509', ...newKey, '-out', 'ca.pem', '-days', '30', '-subj', `/CN=${name}`);
  }

  #makeSpecial(newKey: string[], name: string, { extensions, validity = 'now', issuer }: AuthorityOptions): void {
    this.#openssl('req', '-new', ...newKey, '-out', 'ca.csr', '-subj', `/CN=${name}`);
    writeFileSync(
      join(this.folder, 'ca.ext'),
      `${(extensions ?? ['basicConstraints = critical, CA:TRUE']).join('\n')}\n`,
    );
    const files = [
      '-in',
      join(this.folder, 'ca.csr'),
      '-out',
      this.certificatePath,
      '-extfile',
      join(this.folder, 'ca.ext'),
    ];
    const signer = issuer ?? this;
    const selfSigned = issuer === undefined ? ['-selfsign'] : [];
    signer.#openssl(
      'ca',
      '-batch',
      '-notext',
      '-config',
      'openssl.cnf',
      ...selfSigned,
      ...validityOptions(validity),
      ...files,
    );
  }

  /** The authority's own certificate, PEM. */
  get certificate(): Buffer {
    return readFileSync(this.certificatePath);
  }

  issue(request: CertificateRequest): IssuedCertificate {
    this.#issued += 1;
    const name = `issued-${this.#issued}`;
    const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', `${name}-key.pem`];
    this.#openssl('req', '-new', ...newKey, '-out', `${name}.csr`, '-subj', `/CN=${request.commonName}`);
    writeFileSync(join(this.folder, `${name}.ext`), extensions(request));
    const period = validityOptions(request.expired === true ? 'past' : (request.validity ?? 'now'));
    const files = ['-in', `${name}.csr`, '-out', `${name}.pem`, '-extfile', `${name}.ext`];
    this.#openssl('ca', '-batch', '-notext', '-config', 'openssl.cnf', ...period, ...files);
    const certificatePath = join(this.folder, `${name}.pem`);
    const keyPath = join(this.folder, `${name}-key.pem`);
    return { certificate: readFileSync(certificatePath), key: readFileSync(keyPath), certificatePath, keyPath };
  }

  revoke(issued: IssuedCertificate): void {
    this.#openssl('ca', '-config', 'openssl.cnf', '-revoke', issued.certificatePath);
  }

  /** A revocation list with all revocations so far, PEM. */
  revocationList(validity: Validity = 'now'): Buffer {
    const [from = '', to = ''] = validity === 'now' ? [] : dates[validity];
    const period = validity === 'now' ? [] : ['-crl_lastupdate', from, '-crl_nextupdate', to];
    this.#openssl('ca', '-gencrl', '-config', 'openssl.cnf', '-out', 'crl.pem', ...period);
    return readFileSync(join(this.folder, 'crl.pem'));
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  #openssl(...parameters: string[]): void {
    execFileSync('openssl', parameters, { cwd: this.folder, stdio: 'pipe' });
  }
}

function validityOptions(validity: Validity): string[] {
  if (validity === 'now') return ['-days', '30'];
  const [from = '', to = ''] = dates[validity];
  return ['-startdate', from, '-enddate', to];
}

function extensions(request: CertificateRequest): string {
  const lines = [
    'basicConstraints = critical, CA:FALSE',
    'keyUsage = critical, digitalSignature',
    `extendedKeyUsage = ${request.usage}Auth`,
  ];
  if (request.subjectAlternativeName !== undefined) lines.push(`subjectAltName = ${request.subjectAlternativeName}`);
  return `${lines.join('\n')}\n`;
}

/** A certificate for a server on this machine. */
export function issueServerCertificate(authority: CertificateAuthority): IssuedCertificate {
  return authority.issue({
    commonName: 'localhost',
    subjectAlternativeName: 'DNS:localhost,IP:127.0.0.1,IP:::1',
    usage: 'server',
  });
}
