/** `docs/errors.md`, from the closed list of codes, their explanations, and the gRPC face's map of statuses. */

const introduction = `# Errors

<!-- Made by \`npm run generate:docs\` from src/error-guide.ts: change that. -->

Every error has one of these codes, as \`ErrorInfo.reason\` with the domain \`holdfast.kms\` in the details of the gRPC status
(\`google.rpc.Status\`). Go by the code; the status beside it is for what knows nothing of us, and the message is for people. The details hold the
request id, under which the server's log and audit log have the rest (of a flood of failures the log has twenty a second); the fields that broke a rule, if any; and how long to wait (\`RetryInfo\`),
where that is known. The codes are AWS's exceptions by another spelling: \`KEY_UNAVAILABLE\` is \`KeyUnavailableException\`.

*Again?* says whether the same request may go well without anybody changing anything. A message over the size limit is refused by the
gRPC library itself: \`RESOURCE_EXHAUSTED\` without a code.
`;

const again = { never: 'no', always: 'yes', sometimes: 'it depends' };

/**
 * @param {{ errorCodes: readonly string[], errorGuide: Record<string, { cause: string, remedy: string, retryable: 'never' | 'always' | 'sometimes' }>,
 *   statusName: (code: string) => string }} from
 * @returns {string}
 */
export function errorsPage({ errorCodes, errorGuide, statusName }) {
  const rows = errorCodes.map((code) => {
    const { cause, remedy, retryable } = errorGuide[code];
    return `| \`${code}\` | ${statusName(code)} | ${cause} | ${remedy} | ${again[retryable]} |`;
  });
  return `${[introduction, '| code | gRPC status | cause | what to do | again? |', '| --- | --- | --- | --- | --- |', ...rows].join('\n')}\n`;
}
