// check.mjs SCHEMA_FOLDER CONTEXT_FOLDER FOLDER: judges what the bus wrote.
//   FOLDER/jwks.json       the published keys
//   FOLDER/good-*.jwt      signed records: each must verify, be valid against the ClrCredential schema, and so must each credential in it
//   FOLDER/proof-*.json    records with embedded proofs (eddsa-rdfc-2022): valid, and each proof must hold, the credentials' too
//   FOLDER/status-*.jwt    signed status lists: each must verify
//   FOLDER/bad-*.jwt       must not verify
//   FOLDER/answer-*.json   answers of GET /credentials
//   FOLDER/error-*.json    imsx_StatusInfo bodies
// SCHEMA_FOLDER may be '-': signatures alone. Prints one line per file; ends with 1 when anything did not hold.
import { readFileSync, readdirSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { createHash, createPublicKey, verify } from 'node:crypto';
import Ajv2019 from 'ajv/dist/2019.js';
import addFormats from 'ajv-formats';
import jsonld from 'jsonld';
import { createLocalJWKSet, compactVerify, decodeProtectedHeader } from 'jose';

const [schemas, contexts, folder] = process.argv.slice(2);
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

const contextFiles = {
  'https://www.w3.org/ns/credentials/v2': 'credentials-v2.inc',
  'https://purl.imsglobal.org/spec/clr/v2p0/context-2.0.1.json': 'clr-2.0.1.inc',
  'https://purl.imsglobal.org/spec/ob/v3p0/context-3.0.3.json': 'ob-3.0.3.inc',
  'https://purl.imsglobal.org/spec/ob/v3p0/extensions.json': 'ob-extensions.inc',
};
async function documentLoader(url) {
  if (!contextFiles[url]) throw new Error(`unknown context ${url}`);
  const text = readFileSync(join(contexts, contextFiles[url]), 'utf8');  // JSON in a C++ raw string
  return { contextUrl: null, documentUrl: url, document: JSON.parse(text.slice(text.indexOf('(') + 1, text.lastIndexOf(')'))) };
}
const canonize = (document) =>
  jsonld.canonize(document, { algorithm: 'URDNA2015', format: 'application/n-quads', safe: true, documentLoader });
const sha256 = (text) => createHash('sha256').update(text, 'utf8').digest();

function base58(text) {
  const digits = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz';
  let number = 0n;
  for (const c of text) number = number * 58n + BigInt(digits.indexOf(c));
  let hex = number.toString(16);
  if (hex.length % 2) hex = `0${hex}`;
  return Buffer.from('00'.repeat(text.match(/^1*/)[0].length) + hex, 'hex');
}

async function judgeProof(credential, where) {
  const { proof, ...document } = credential;
  if (!Array.isArray(proof) || proof.length !== 1) throw new Error(`${where}: expected one proof`);
  const { proofValue, ...configuration } = proof[0];
  const [issuer, multibase] = configuration.verificationMethod.split('#');
  if (issuer !== credential.issuer.id) throw new Error(`${where}: the key is not the issuer's`);
  const raw = base58(multibase.slice(1)).subarray(2);
  const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: raw.toString('base64url') }, format: 'jwk' });
  const hash = Buffer.concat([sha256(await canonize({ '@context': document['@context'], ...configuration })), sha256(await canonize(document))]);
  if (!verify(null, hash, key, base58(proofValue.slice(1)))) throw new Error(`${where}: the proof does not hold`);
}

async function judgeEmbedded(document) {
  valid(record, document, 'the record');
  await judgeProof(document, 'the record');
  const nested = document.credentialSubject.verifiableCredential;
  for (const [i, credential] of nested.entries()) {
    valid(achievement, credential, `credential ${i + 1}`);
    await judgeProof(credential, `credential ${i + 1}`);
  }
  return `${nested.length + 1} proofs`;
}

let failed = 0;
for (const name of readdirSync(folder).sort()) {
  const kind = name.split('-')[0];
  if (!['good', 'bad', 'proof', 'status', 'answer', 'error'].includes(kind)) continue;
  const text = readFileSync(join(folder, name), 'utf8').trim();
  try {
    let note = '';
    if (kind === 'good') note = await judgeRecord(text);
    if (kind === 'proof') note = await judgeEmbedded(JSON.parse(text));
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
