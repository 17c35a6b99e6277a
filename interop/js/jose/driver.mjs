// jose verifies customer access tokens by the published keys alone, across a rotation.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { createRemoteJWKSet, decodeProtectedHeader, jwtVerify } from 'jose';
import { Report, same } from '../report.mjs';
import { usher } from '../usher.mjs';

const { version } = JSON.parse(await readFile(new URL('node_modules/jose/package.json', import.meta.url)));

async function answer(...args) {
  const ran = await usher(...args);
  if (ran.exit !== 0) throw new Error(`usher ${args[0]} ended with ${ran.exit}`);
  return ran.answer;
}

/** A server with one account, one application and one customer. */
class World {
  async start(folder) {
    const data = ['--data-dir', join(folder, 'data')];
    this.apiKey = (await answer('account', 'create', '--name', 'Partner', ...data)).api_key;
    await answer('keyset', 'create', '--name', 'demo', '--subscribe-key', 'sub-demo', ...data);
    this.application = (await answer('application', 'create', '--name', 'Game', ...data)).id;
    const keyset = await answer('application', 'add-keyset', `${this.application}`, '--keyset', 'sub-demo', ...data);
    const named = ['--external-id', 'acme', '--name', 'Acme', '--keyset', `${keyset.id}`];
    await answer('customer', 'create', ...named, ...data);
    this.adminKey = (await answer('admin-key', 'rotate', ...data)).admin_key;
    const addresses = ['--listen', '127.0.0.1:0', '--internal-listen', '127.0.0.1:0'];
    this.child = spawn(process.env.USHER_BIN, ['serve', ...data, ...addresses], { stdio: ['ignore', 'pipe', 'ignore'] });
    for await (const line of createInterface(this.child.stdout)) {
      const [name, address] = line.split(' ');
      if (address?.startsWith('http')) this[name] = address;
      if (this.public && this.internal) break;
    }
    // The set is asked for again at once when a key is not in it.
    const url = new URL(`${this.public}/.well-known/jwks.json`);
    this.keys = createRemoteJWKSet(url, { cooldownDuration: 0 });
    const metadata = await fetch(`${this.public}/.well-known/oauth-authorization-server`);
    this.issuer = (await metadata.json()).issuer;
  }

  async token() {
    const body = { permissions: ['dashboard:read'], externalId: 'acme', customerUserId: 'u-1', appId: this.application };
    const headers = { authorization: this.apiKey, 'pubnub-version': '2026-02-09' };
    const response = await fetch(`${this.public}/v2/oem/access-token`, { method: 'POST', headers, body: JSON.stringify(body) });
    same('status', response.status, 200);
    return (await response.json()).accessToken;
  }

  verify(token, changes = {}) {
    const named = { algorithms: ['EdDSA'], typ: 'at+jwt', audience: 'illuminate', issuer: this.issuer };
    return jwtVerify(token, this.keys, { ...named, clockTolerance: 2, ...changes });
  }

  async refuses(token, changes) {
    try {
      await this.verify(token, changes);
    } catch (error) {
      if (error.code?.startsWith('ERR_J')) return;
      throw error;
    }
    throw new Error('it was taken');
  }
}

const report = new Report('js-jose', `jose ${version}`);
const folder = await mkdtemp(join(tmpdir(), 'usher-jose-'));
const world = new World();
try {
  await world.start(folder);
  const first = await world.token();
  const [head, body, signature] = first.split('.');
  await report.run('a token verifies by the key set', async () => {
    const { payload } = await world.verify(first);
    same('permissions', payload.permissions, ['dashboard:read']);
    same('life', payload.exp - payload.iat, 3600);
  });
  await report.run('a token verifies across a rotation, old and new', async () => {
    await answer('account', 'rotate', '--emergency', '--server', world.internal, '--admin-key', world.adminKey);
    const second = await world.token();
    same('another key', decodeProtectedHeader(first).kid === decodeProtectedHeader(second).kid, false);
    await world.verify(second);
    await world.verify(first);
  });
  const flipped = `${signature[0] === 'A' ? 'B' : 'A'}${signature.slice(1)}`;
  await report.run('another signature is refused', () => world.refuses(`${head}.${body}.${flipped}`));
  await report.run('another audience is refused', () => world.refuses(first, { audience: 'other' }));
  await report.run('another issuer is refused', () => world.refuses(first, { issuer: 'http://other' }));
} finally {
  if (world.child) {
    world.child.kill();
    await once(world.child, 'close');
  }
  await rm(folder, { recursive: true });
}
process.exitCode = report.failed ? 1 : 0;
