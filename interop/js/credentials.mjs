// Tokens that are not good, whatever they grant, and a keyset without Access Manager.
import { denied, tokenFor } from './operations.mjs';

const ALL = ['read', 'write', 'manage', 'delete', 'get', 'update', 'join'];
const EVERYTHING = {
  patterns: {
    channels: { '.*': ALL },
    groups: { '.*': ['read', 'manage'] },
    uuids: { '.*': ['get', 'update', 'delete'] },
  },
};

export async function credentials(operations) {
  const { suite, report, data } = operations;
  const rows = data.bad_tokens.rows.map((name) => data.rows.find((row) => row.name === name));
  for (const { name, token: kind, expect } of data.bad_tokens.tokens) {
    await report.run(`${name}: denied to every family`, async () => {
      const token = await badToken(suite, kind);
      for (const row of rows) {
        const credential = { token, userId: 'alice' };
        await denied(() => operations.call(row, credential), data.tokens[expect]).catch((error) => {
          throw new Error(`${row.name}: ${error.message}`);
        });
      }
    });
  }
  await report.run('a token for no uuid: good for every user', async () => {
    const token = await tokenFor(suite, EVERYTHING);
    for (const userId of ['alice', 'bob']) await operations.allowed(rows[0], { token, userId });
  });
  await report.run('a token for one uuid: good for that user', async () => {
    const token = await tokenFor(suite, { ...EVERYTHING, authorized_uuid: 'alice' });
    for (const row of rows) await operations.allowed(row, { token, userId: 'alice' });
  });
  const keyset = 'access_manager_off';
  for (const [name, credential] of [
    ['no token', { keyset }],
    ['the secret key', { keyset, secretOf: keyset }],
  ]) {
    await report.run(`a keyset without Access Manager: denied with ${name}`, async () => {
      for (const row of rows) await denied(() => operations.call(row, credential), data.tokens.access_manager_off);
    });
  }
}

async function badToken(suite, kind) {
  switch (kind) {
    case 'revoked': {
      const token = await tokenFor(suite, EVERYTHING);
      await suite.client().revokeToken(token);
      return token;
    }
    case 'foreign':
      return tokenFor(suite, EVERYTHING, 'foreign');
    case 'of another user':
      return tokenFor(suite, { ...EVERYTHING, authorized_uuid: 'bob' });
    case 'altered': {
      const token = await tokenFor(suite, EVERYTHING);
      const at = token.length - 12;
      return token.slice(0, at) + (token[at] === 'A' ? 'B' : 'A') + token.slice(at + 1);
    }
    case 'expired':
      return suite.token({ token: 'expired' });
    default:
      return kind;
  }
}
