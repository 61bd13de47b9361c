import type { NativeModuleOptions } from '../../hsm/native.js';
import type { TokenInfo } from '../../hsm/token-list.js';
import { tokenIdentity } from '../../hsm/token-owners.js';
import type { Finding } from '../../preconditions/finding.js';
import { fail } from '../../preconditions/finding.js';

/** The tokens found so far, to detect one that two members share: `serve` refuses the second. */
export class SeenTokens {
  readonly #subjects = new Map<string, string>();

  /** Notes the token of a member; fails if an earlier member has it. */
  note(subject: string, module: NativeModuleOptions, token: TokenInfo): Finding[] {
    const identity = tokenIdentity(module, token);
    const earlier = this.#subjects.get(identity);
    if (earlier === undefined) {
      this.#subjects.set(identity, subject);
      return [];
    }
    return [
      fail(
        subject,
        `token ${token.label} is that of ${earlier} too`,
        'a token belongs to one member of one cluster: name another one; if these are two tokens, give them different labels',
      ),
    ];
  }
}
