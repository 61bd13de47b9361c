/** `docs/errors.md`, from the closed list of codes, their explanations, and the gRPC face's map of statuses. */

const introduction = `# Errors

<!-- Made by \`npm run generate:docs\` from src/error-guide.ts: change that. -->

Every error has one of these codes, as \`ErrorInfo.reason\` with the domain \`holdfast.kms\` in the details of the gRPC status
(\`google.rpc.Status\`). Go by the code. The status beside it is for generic gRPC software, and the message is for people. The details hold

- the request id, under which the server's log and audit log have the rest (in a flood of failures the log keeps twenty a second),
- the fields that broke a rule, if any,
- how long to wait (\`RetryInfo\`), if that is known.

The codes are AWS's exceptions in another spelling: \`KEY_UNAVAILABLE\` is \`KeyUnavailableException\`.

*Again?* says whether the same request may succeed later without any change. Programs read it from the error itself,
in \`ErrorInfo.metadata\`:

| name | on | value |
| --- | --- | --- |
| \`retryable\` | every error | \`true\` or \`false\`: whether the same request may succeed later. It decides if the table says *it depends* |
| \`request_id\` | every error of a request that was read | the id in the server's log and audit log |
| \`key_state\` | \`DISABLED\`, and \`KMS_INVALID_STATE\` when the key's state is the reason | a value of the enum \`KeyState\`, such as \`KEY_STATE_PENDING_DELETION\` |
| \`caller_deadline\` | \`DEPENDENCY_TIMEOUT\` | \`true\` if the caller's own deadline passed and no HSM had failed; \`false\` if an HSM was late |

An error that is retryable has a \`RetryInfo\` when the server knows how long it takes: the quota's next token, or the next probe of an HSM
that is unreachable. \`holdfast … --output json\` prints its errors with the same names, and with \`retry_delay_ms\`. A call that creates something (CreateKey, CreateCustomKeyStore) may have succeeded although its answer was lost: check before you send it again.

Some calls fail before a request has been read. They get an error of the same form, without a request id:

| code | call |
| --- | --- |
| \`UNSUPPORTED_OPERATION\` | a method that this version does not have, a compression that is neither gzip nor deflate |
| \`LIMIT_EXCEEDED\` | a message over the size limit, a connection that sends too much at once |
| \`DEPENDENCY_TIMEOUT\` | a request that does not arrive in time |
| \`VALIDATION\` | no message, more than one, a part of one, one that cannot be decompressed, a timeout that cannot be read |

The audit log does not have them, because nothing was read that it could record. A metric (\`holdfast_connections_refused_total\`) and the log do.
`;

const conclusion = `
## Unknown keys

A ciphertext names the key that made it. If the catalog does not know that key, the answer is \`INVALID_CIPHERTEXT\` and no HSM is asked. If
this happens to valid ciphertexts, the catalog may be the wrong one. The error names the unknown key to administrators, the audit log has it as
\`unknown_key_id\`, and \`holdfast ciphertext describe\` shows the key of a ciphertext.

If the catalog knows the key and an HSM refuses the ciphertext, that HSM has proved sound with the same key before the caller gets this code.
`;

const again = { never: 'no', always: 'yes', sometimes: 'it depends' };

/**
 * @param {{ errorCodes: readonly string[], errorGuide: Record<string, { cause: string, remedy: string }>,
 *   retryability: Record<string, 'never' | 'always' | 'sometimes'>, statusName: (code: string) => string }} from
 * @returns {string}
 */
export function errorsPage({ errorCodes, errorGuide, retryability, statusName }) {
  const rows = errorCodes.map((code) => {
    const { cause, remedy } = errorGuide[code];
    return `| \`${code}\` | ${statusName(code)} | ${cause} | ${remedy} | ${again[retryability[code]]} |`;
  });
  return `${[introduction, '| code | gRPC status | cause | what to do | again? |', '| --- | --- | --- | --- | --- |', ...rows, conclusion].join('\n')}`;
}
