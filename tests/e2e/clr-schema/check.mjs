// check.mjs SCHEMA_FOLDER FOLDER: judges what the bus wrote.
//   FOLDER/jwks.json       the published keys
//   FOLDER/good-*.jwt      signed records: each must verify, be valid against the ClrCredential schema, and so must each credential in it
//   FOLDER/status-*.jwt    signed status lists: each must verify
//   FOLDER/bad-*.jwt       must not verify
//   FOLDER/answer-*.json   answers of GET /credentials
//   FOLDER/error-*.json    imsx_StatusInfo bodies
// SCHEMA_FOLDER may be '-': signatures alone. Prints one line per file; ends with 1 when anything did not hold.
import { readFileSync, readdirSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import Ajv2019 from 'ajv/dist/2019.js';
import addFormats from 'ajv-formats';
import { createLocalJWKSet, compactVerify, decodeProtectedHeader } from 'jose';

const [schemas, folder] = process.argv.slice(2);
const ajv = new Ajv2019({ strict: false, allErrors: true });
addFormats(ajv);
const compile = (name) => {
  if (schemas === '-') return null;
  const file = join(schemas, `clr_v2p0_${name}_schema.json`);
  return existsSync(file) ? ajv.compile(JSON.parse(readFileSync(file, 'utf8'))) : null;
};
const record = compile('clrcredential');
const achievement = compile('achievementcredential');
const answer = compile('getclrcredentialsresponse');
const statusInfo = compile('imsx_statusinfo');
const keys = createLocalJWKSet(JSON.parse(readFileSync(join(folder, 'jwks.json'), 'utf8')));
const claims = new Set(['iss', 'jti', 'sub', 'nbf', 'exp']);

function valid(validator, document, where) {
  if (!validator) return;
  if (validator(document)) return;
  const first = validator.errors.slice(0, 5).map((e) => `${e.instancePath} ${e.message} ${JSON.stringify(e.params)}`);
  throw new Error(`${where} is not valid: ${first.join('; ')}`);
}

async function judgeRecord(token) {
  const { payload, protectedHeader } = await compactVerify(token, keys, { algorithms: ['ES256', 'RS256'] });
  if (Object.keys(protectedHeader).some((name) => !['alg', 'kid', 'typ'].includes(name))) throw new Error('a header member too many');
  const document = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload));
  if (document.iss !== document.issuer.id || document.jti !== document.id || document.sub !== document.credentialSubject.id) throw new Error('a claim differs');
  if (document.nbf !== Math.floor(Date.parse(document.validFrom) / 1000)) throw new Error('nbf differs');
  const bare = Object.fromEntries(Object.entries(document).filter(([name]) => !claims.has(name)));
  valid(record, bare, 'the record');
  valid(record, document, 'the record with its claims');
  const nested = document.credentialSubject.verifiableCredential;
  nested.forEach((credential, i) => valid(achievement, credential, `credential ${i + 1}`));
  return `${nested.length} credentials, ${protectedHeader.alg}`;
}

let failed = 0;
for (const name of readdirSync(folder).sort()) {
  const kind = name.split('-')[0];
  if (!['good', 'bad', 'status', 'answer', 'error'].includes(kind)) continue;
  const text = readFileSync(join(folder, name), 'utf8').trim();
  try {
    let note = '';
    if (kind === 'good') note = await judgeRecord(text);
    if (kind === 'status') note = decodeProtectedHeader(text).alg, await compactVerify(text, keys, { algorithms: ['ES256'] });
    if (kind === 'answer') valid(answer, JSON.parse(text), 'the answer');
    if (kind === 'error') valid(statusInfo, JSON.parse(text), 'the error');
    if (kind === 'bad') {
      let refused = false;
      await compactVerify(text, keys, { algorithms: ['ES256', 'RS256'] }).catch(() => { refused = true; });
      if (!refused) throw new Error('it verifies, and must not');
    }
    console.log(`ok      ${name} ${typeof note === 'string' ? note : ''}`);
  } catch (error) {
    failed += 1;
    console.log(`FAILED  ${name}: ${error.message}`);
  }
}
process.exit(failed === 0 ? 0 : 1);
