// @signalwire/js with tokens of ours, against a peer that asks `/v1/check` (signalwire 6, signalwire 7).
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import './browser.mjs';
import { Peer } from './peer.mjs';
import { Report, same } from '../report.mjs';
import { usher } from '../usher.mjs';

const { default: SignalWire } = await import('@signalwire/js');
const { version } = JSON.parse(await readFile(new URL('node_modules/@signalwire/js/package.json', import.meta.url)));

const SUBSCRIBE_KEY = 'sub-demo';

async function answer(...args) {
  const ran = await usher(...args);
  if (ran.exit !== 0) throw new Error(`usher ${args[0]} ended with ${ran.exit}`);
  return ran.answer;
}

/** A server with one project, and the peer that asks it. */
class World {
  async start(folder) {
    const data = ['--data-dir', join(folder, 'data')];
    await answer('keyset', 'create', '--name', 'demo', '--subscribe-key', SUBSCRIBE_KEY, ...data);
    const made = await answer('keyset', 'api-token', 'create', '--keyset', 'demo', ...data);
    this.credentials = Buffer.from(`${made.project_id}:${made.token}`).toString('base64');
    this.adminKey = (await answer('admin-key', 'rotate', ...data)).admin_key;
    const addresses = ['--listen', '127.0.0.1:0', '--internal-listen', '127.0.0.1:0'];
    this.child = spawn(process.env.USHER_BIN, ['serve', ...data, ...addresses], { stdio: ['ignore', 'pipe', 'ignore'] });
    for await (const line of createInterface(this.child.stdout)) {
      const [name, address] = line.split(' ');
      if (address?.startsWith('http')) this[name] = address;
      if (this.public && this.internal) break;
    }
    this.peer = new Peer();
    await this.peer.start((question) => this.post('/v1/check', { subscribe_key: SUBSCRIBE_KEY, ...question }));
  }

  async post(path, body) {
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${this.adminKey}` };
    const response = await fetch(this.internal + path, { method: 'POST', headers, body: JSON.stringify(body) });
    same(`status of ${path}`, response.status, 200);
    return response.json();
  }

  async token(product, channels) {
    const headers = { authorization: `Basic ${this.credentials}`, 'content-type': 'application/json' };
    const body = JSON.stringify({ ttl: 60, channels, member_id: 'alice' });
    const response = await fetch(`${this.public}/api/${product}/tokens`, { method: 'POST', headers, body });
    same('status', response.status, 200);
    return (await response.json()).token;
  }

  /** What the peer asked while `act` ran. */
  async asked(act) {
    const before = this.peer.asked.length;
    await act();
    return this.peer.asked.slice(before);
  }

  async stop() {
    this.peer?.stop();
    this.child?.kill();
    if (this.child) await once(this.child, 'exit');
  }
}

const read = { read: true, write: false };
const write = { read: false, write: true };
const both = { read: true, write: true };

async function denied(promise, message = 'permission_missing') {
  try {
    await promise;
  } catch (error) {
    same('denial', error.message, message);
    return;
  }
  throw new Error('it was allowed');
}

/** Resolves with the next message. */
const next = (client) => new Promise((resolve) => client.once('message', resolve));

const report = new Report('js-signalwire', `@signalwire/js ${version}`);
const folder = await mkdtemp(join(tmpdir(), 'usher-signalwire-'));
const world = new World();
try {
  await world.start(folder);
  const host = world.peer.address;
  for (const [product, { Client }] of [['pubsub', SignalWire.PubSub], ['chat', SignalWire.Chat]]) {
    const channels = { a: both, b: read, c: write };
    const client = new Client({ token: await world.token(product, channels), host });
    await report.run(`${product}: connect, subscribe, publish and receive`, async () => {
      const asked = await world.asked(async () => {
        await client.subscribe(['a', 'b']);
        const message = next(client);
        await client.publish({ channel: 'a', content: 'hello' });
        same('content', (await message).content, 'hello');
      });
      const wanted = ['leave a,b,c', 'subscribe a,b', 'publish a', 'subscribe a'];
      same('asked', asked, wanted.map((question) => `${question} allow allowed`));
      same('channels', await client.getAllowedChannels(), channels);
    });
    await report.run(`${product}: what is not granted is denied`, async () => {
      const asked = await world.asked(async () => {
        await denied(client.publish({ channel: 'b', content: 'x' }));
        await denied(client.subscribe(['c']));
        await denied(client.subscribe(['d']));
      });
      const wanted = ['publish b', 'subscribe c', 'subscribe d'];
      same('asked', asked, wanted.map((question) => `${question} deny permission_missing`));
    });
    await report.run(`${product}: a token without the channel unsubscribes it`, async () => {
      await client.updateToken(await world.token(product, { b: both }));
      const message = next(client);
      await client.publish({ channel: 'b', content: 'second' });
      same('content', (await message).content, 'second');
      await denied(client.publish({ channel: 'a', content: 'x' }));
      same('channels', await client.getAllowedChannels(), { b: both });
    });
    await report.run(`${product}: a revoked token publishes nothing`, async () => {
      const token = await world.token(product, { b: both });
      await client.updateToken(token);
      await answerOk(world.post('/v1/revoke', { token }));
      await denied(client.publish({ channel: 'b', content: 'x' }), 'revoked');
      const late = new Client({ token, host });
      await rejected(late.subscribe(['b']));
      late.disconnect?.();
    });
    client.disconnect?.();
  }
} finally {
  await world.stop();
  await rm(folder, { recursive: true, force: true });
}

async function answerOk(promise) {
  same('answer', await promise, {});
}

/** The connect is refused: the SDK says so in its own words. */
async function rejected(promise) {
  const given = new Promise((resolve) => setTimeout(resolve, 10_000, 'nothing'));
  const outcome = await Promise.race([promise.then(() => 'connected', () => 'refused'), given]);
  same('a connect with a revoked token', outcome, 'refused');
}

// The SDK keeps timers of its own.
process.exit(report.failed ? 1 : 0);
