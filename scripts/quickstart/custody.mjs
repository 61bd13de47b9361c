/** The quickstart's proof of custody: where the server says that the key is, and what each token itself says. */
import { join } from 'node:path';
import { execute, StepFailure } from '../steps.mjs';
import { root } from '../setup.mjs';
import { membersOf, tokenLabel } from './folder.mjs';

export async function custody(run, { keyId, keyArn }) {
  const { at, steps } = run;
  let described;
  await run.step(
    'ask the server where the key is',
    { cli: `key describe ${keyId}`, rpc: 'KeyService/DescribeKey', request: { key_id: keyId } },
    async () => (described = (await run.cli(['key', 'describe', keyId])).key_metadata.custody),
  );
  steps.say(`    ${JSON.stringify(described)}`);
  const labels = run.isReplicated
    ? membersOf('payments', at).map(({ name }) => tokenLabel('payments', name))
    : ['holdfast-payments'];
  const answers = [];
  await steps.run('ask each token itself, in a process and session of its own', async () => {
    for (const label of labels) answers.push({ label, key: await keyOn(label, at, keyArn) });
  });
  for (const { label, key } of answers) steps.say(`    ${label}: ${attributesOf(key)}`);
  if (!answers.every(({ key }) => isSafe(key)))
    throw new StepFailure('The key could leave its token. That must never be.');
  steps.say(
    run.isReplicated
      ? '    It leaves a token only encrypted, under wrapping keys that never leave theirs: that is how it came to all of them.'
      : '    The key was made in the token and cannot leave it.',
  );
}

async function keyOn(label, at, keyArn) {
  const reader = join(root, 'scripts/quickstart/read-attributes.mjs');
  const output = await execute(process.execPath, [reader, at('holdfast.yaml'), label, at('payments.pin'), keyArn]);
  const objects = JSON.parse(output);
  if (objects.length !== 1) throw new StepFailure(`${label} has ${objects.length} keys with the label ${keyArn}.`);
  return objects[0];
}

function attributesOf({ sensitive, extractable, wrapWithTrusted, modifiable, local }) {
  return `CKA_SENSITIVE=${sensitive} CKA_EXTRACTABLE=${extractable} CKA_WRAP_WITH_TRUSTED=${wrapWithTrusted} CKA_MODIFIABLE=${modifiable} CKA_LOCAL=${local}`;
}

function isSafe({ sensitive, extractable, neverExtractable, wrapWithTrusted }) {
  return sensitive && (extractable ? wrapWithTrusted : neverExtractable);
}
