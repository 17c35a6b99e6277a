// The walk: a gateway in miniature asks `usher check` about the SDK's raw request lines.
import { createServer } from 'node:http';
import { once } from 'node:events';
import { same } from './report.mjs';
import { needsUsher, usher } from './usher.mjs';

const FORBIDDEN = { message: 'Forbidden', error: true, service: 'Access Manager', status: 403 };
// The reason codes that the walk meets.
const DECISION = { allowed: 'allow', permission_missing: 'deny', revoked: 'deny' };
const EXIT = { 0: 'allow', 2: 'deny' };

// Exit status and printed decision of `usher check TOKEN METHOD PATH`; they must agree.
async function check(server, token, method, path) {
  const { exit, answer } = await usher('check', token, method, path, '--server', server.internal);
  same(`exit status ${exit} of usher check against what it printed`, EXIT[exit], answer.decision);
  return answer;
}

class Gateway {
  #server;
  #seen = [];
  #waiting = [];

  constructor(server, token) {
    this.#server = createServer(async ({ method, url }, response) => {
      try {
        const answer = await check(server, token, method, url);
        this.#answer(url, answer.decision, response);
        this.#note({ method, url, decision: answer.decision, code: answer.reason?.code });
      } catch (error) {
        response.writeHead(500).end();
        this.#note({ method, url, error: error.message });
      }
    });
  }

  async listen() {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return `127.0.0.1:${this.#server.address().port}`;
  }

  #answer(url, decision, response) {
    const deny = decision !== 'allow';
    response.writeHead(deny ? 403 : 200, { 'content-type': 'text/javascript; charset=UTF-8' });
    if (deny) response.end(JSON.stringify(FORBIDDEN));
    else if (url.startsWith('/publish/')) response.end('[1,"Sent","17900000000000000"]');
    else if (url.includes('tt=0')) response.end('{"t":{"t":"17900000000000000","r":1},"m":[]}');
    else response.flushHeaders(); // a long poll stays open
  }

  #note(request) {
    this.#seen.push(request);
    this.#waiting = this.#waiting.filter((waiter) => !waiter(request));
  }

  /** The next request from now on whose line starts with `prefix`. */
  next(prefix) {
    return new Promise((done) => {
      this.#waiting.push((request) => {
        if (!request.url.startsWith(prefix)) return false;
        done(request);
        return true;
      });
    });
  }

  close() {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

const within = (milliseconds, what, promise) =>
  Promise.race([
    promise,
    new Promise((_, fail) => setTimeout(() => fail(new Error(`${what} did not happen`)), milliseconds).unref()),
  ]);

class Walker {
  constructor(suite, gateway, origin, token) {
    this.keys = suite.server.keysets.default;
    this.gateway = gateway;
    this.connect = () => {
      const client = new suite.PubNub({
        subscribeKey: this.keys.subscribe_key,
        publishKey: this.keys.publish_key,
        userId: 'walker',
        origin,
        ssl: false,
      });
      client.setToken(token);
      return client;
    };
  }

  async expect(prefix, code, act) {
    const request = this.gateway.next(prefix);
    const client = this.connect();
    const result = await act(client, request);
    const { method, url, decision, code: given, error } = await within(10_000, `a request ${prefix}`, request);
    client.stop();
    if (error) throw new Error(error);
    same(`decision on ${prefix}`, [decision, given], [DECISION[code], code]);
    same('method', method, 'GET');
    if (!new URL(url, 'http://gateway').searchParams.get('auth')) throw new Error(`no token in ${prefix}`);
    return result;
  }

  /** Publishes; the SDK must see success or its own PNAccessDeniedCategory. */
  async publish(channel, code) {
    const prefix = `/publish/${this.keys.publish_key}/${this.keys.subscribe_key}/0/${channel}/0/`;
    const seen = await this.expect(prefix, code, (client) =>
      client.publish({ channel, message: { text: 'hello, world' } }).then(
        () => 'allow',
        (error) => {
          same('publish error', [error.name, error.status?.category, error.status?.statusCode], [
            'PubNubError',
            'PNAccessDeniedCategory',
            403,
          ]);
          return 'deny';
        },
      ),
    );
    same(`publish to ${channel} as the SDK saw it`, seen, DECISION[code]);
  }

  async subscribe(channel, code) {
    await this.expect(`/v2/subscribe/${this.keys.subscribe_key}/${channel}/0?`, code, async (client, request) => {
      client.subscribe({ channels: [channel] });
      await within(10_000, 'a subscribe', request);
    });
  }
}

/** Grant, set the token, publish and subscribe; then revoke, and the same is denied. */
export async function walk(suite) {
  needsUsher();
  const token = await suite.grant({
    ttl: 15,
    resources: { channels: { 'walk-room': ['read', 'write'], 'walk-board': ['read'] } },
    authorized_uuid: 'walker',
  });
  const gateway = new Gateway(suite.server, token);
  const walker = new Walker(suite, gateway, await gateway.listen(), token);
  try {
    await walker.publish('walk-room', 'allowed');
    await walker.subscribe('walk-room', 'allowed');
    await walker.subscribe('walk-board', 'allowed');
    await walker.publish('walk-board', 'permission_missing');
    await walker.publish('elsewhere', 'permission_missing');
    await walker.subscribe('elsewhere', 'permission_missing');
    await suite.client().revokeToken(token);
    await walker.publish('walk-room', 'revoked');
    await walker.subscribe('walk-room', 'revoked');
  } finally {
    gateway.close();
  }
}
