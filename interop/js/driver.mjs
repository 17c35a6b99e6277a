// Drives one version of the JavaScript SDK against a running server.
//   node driver.mjs FOLDER   (FOLDER holds node_modules with the SDK; see README.md)
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { credentials } from './credentials.mjs';
import { Operations } from './operations.mjs';
import { Report, same } from './report.mjs';
import { expectedToken, grantParameters, parsedToken, refused, refusedLocally, withClock } from './sdk.mjs';
import { subscriptions } from './subscriptions.mjs';
import { needsUsher, usher } from './usher.mjs';
import { walk } from './walk.mjs';

const GRANT = 'PNAccessManagerGrantToken';
const REVOKE = 'PNAccessManagerRevokeToken';
const PLAIN = { ttl: 15, resources: { channels: { 'room-1': ['read'] } } };
// Born with a clock that is 57 seconds slow, a token of one minute lives three seconds.
const SHORT = { clock: -57, ttl: 1, resources: PLAIN.resources };

function readInput(folder) {
  const require = createRequire(resolve(folder, 'package.json'));
  const scenariosPath = resolve(process.env.USHER_SCENARIOS || 'scenarios.json');
  const scenarios = JSON.parse(readFileSync(scenariosPath, 'utf8'));
  const reserved = JSON.parse(readFileSync(resolve(scenariosPath, '../reserved-token.json'), 'utf8'));
  const server = JSON.parse(process.env.USHER_INTEROP);
  for (const [name, { of, ...changed }] of Object.entries(scenarios.derived_keysets)) {
    server.keysets[name] = { ...server.keysets[of], ...changed };
  }
  return { PubNub: require('pubnub'), version: require('pubnub/package.json').version, scenarios, reserved, server };
}

class Suite {
  constructor({ PubNub, scenarios, reserved, server }, report) {
    Object.assign(this, { PubNub, scenarios, reserved, server, report });
  }

  client(keyset = 'default', userId = 'interop-server') {
    const keys = this.server.keysets[keyset];
    return new this.PubNub({
      subscribeKey: keys.subscribe_key,
      publishKey: keys.publish_key,
      secretKey: keys.secret_key,
      userId,
      origin: new URL(this.server.public).host,
      ssl: false,
    });
  }

  grant(scenario, keyset) {
    return withClock(scenario.clock, () => this.client(keyset).grantToken(grantParameters(scenario)));
  }

  async grants() {
    for (const scenario of this.scenarios.grants) {
      const name = `grant: ${scenario.name}`;
      const reason = this.scenarios.sdk_cannot.js[scenario.needs];
      if (reason) {
        this.report.notPossible(name, reason);
        continue;
      }
      await this.report.run(name, async () => {
        const client = this.client('default', scenario.user_id);
        if (scenario.with_token) client.setToken(await this.grant(PLAIN));
        const before = Math.floor(Date.now() / 1000);
        const token = await client.grantToken(grantParameters(scenario));
        const after = Math.floor(Date.now() / 1000);
        const parsed = client.parseToken(token);
        same('parsed token', parsedToken(parsed), expectedToken(scenario));
        same('signature length', parsed.signature.length, 32);
        if (parsed.timestamp < before || parsed.timestamp > after) {
          throw new Error(`timestamp ${parsed.timestamp} is not between ${before} and ${after}`);
        }
      });
    }
  }

  async refusedGrants() {
    for (const scenario of this.scenarios.refused_grants) {
      const parameters = grantParameters(scenario);
      await this.report.run(`refused grant: ${scenario.name}`, async () => {
        const client = this.client(scenario.keyset);
        if (scenario.local?.js) {
          await refusedLocally(() => client.grantToken(grantParameters(scenario)), scenario.local.js);
          // A section that the SDK does not know passes its check and is not sent.
          parameters.resources = { nothing: { 'room-1': { read: true } } };
        }
        const action = () => withClock(scenario.clock_offset_seconds, () => client.grantToken(parameters));
        await refused(action, scenario.expect, GRANT);
      });
    }
  }

  async token(scenario) {
    switch (scenario.token) {
      case 'granted':
        return this.grant(PLAIN, scenario.grant_keyset);
      case 'revoked': {
        const token = await this.grant(PLAIN);
        await this.client().revokeToken(token);
        return token;
      }
      case 'expired': {
        const token = await this.shortToken();
        await this.expiry(token);
        return token;
      }
      case 'foreign':
        return this.grant(PLAIN, 'foreign');
      case 'altered': {
        const token = await this.grant(PLAIN);
        const at = token.length - 12;
        return token.slice(0, at) + (token[at] === 'A' ? 'B' : 'A') + token.slice(at + 1);
      }
      default:
        return scenario.token;
    }
  }

  /** A token of three more seconds. */
  shortToken() {
    return this.grant(SHORT);
  }

  async expiry(token) {
    const { timestamp, ttl } = this.client().parseToken(token);
    const left = (timestamp + ttl * 60) * 1000 - Date.now();
    if (left > 5000) throw new Error(`the token lives ${left} ms longer than meant`);
    await new Promise((done) => setTimeout(done, Math.max(left, 0) + 1));
  }

  async revokes() {
    for (const scenario of this.scenarios.revokes) {
      await this.report.run(`revoke: ${scenario.name}`, async () => {
        const token = await this.token(scenario);
        const action = () => this.client(scenario.keyset).revokeToken(token);
        if (scenario.expect.status === 200) same('result', await action(), {});
        else await refused(action, scenario.expect, REVOKE);
      });
    }
  }

  async reservedToken() {
    await this.report.run('parse: a token with par, kid and a 64-byte signature', async () => {
      const parsed = this.client().parseToken(this.reserved.token);
      same('parsed token', parsedToken(parsed), expectedToken(this.reserved.expect));
      same('timestamp', parsed.timestamp, this.reserved.expect.timestamp);
      same('signature length', parsed.signature.length, this.reserved.expect.signature_bytes);
    });
  }

  async ed25519() {
    await this.report.run('grant: a keyset that signs with Ed25519', async () => {
      const client = this.client('ed25519');
      const token = await this.grant(PLAIN, 'ed25519');
      const parsed = client.parseToken(token);
      same('parsed token', parsedToken(parsed), expectedToken(PLAIN));
      same('signature length', parsed.signature.length, 64);
      same('result of the revoke', await client.revokeToken(token), {});
    });
  }
}

// What the SDKs were shown is what Usher itself means by such a token.
async function inspect({ token, expect }) {
  needsUsher();
  const { exit, answer } = await usher('inspect', token);
  same('exit status of usher inspect', exit, 0);
  same('inspected token', parsedToken(answer), expectedToken(expect));
  same('timestamp', answer.timestamp, expect.timestamp);
  same('hexadecimal digits of the signature', answer.signature.length, 2 * expect.signature_bytes);
}

async function main(folder) {
  const input = readInput(folder);
  const report = new Report(`js-${input.version.split('.')[0]}`, `pubnub ${input.version}`);
  const suite = new Suite(input, report);
  await suite.grants();
  await suite.refusedGrants();
  await suite.revokes();
  await suite.reservedToken();
  await suite.ed25519();
  await report.run('inspect: usher reads that token as the SDK does', () => inspect(input.reserved));
  await report.run('walk: publish and subscribe, allowed, then denied after a revoke', () => walk(suite));
  const operations = new Operations(suite);
  await operations.run();
  await credentials(operations);
  await subscriptions(operations);
  return report.failed ? 1 : 0;
}

// The SDK keeps timers of its own, so the process has to be told that it is done.
main(process.argv[2]).then(process.exit, (error) => {
  process.stderr.write(`the driver stopped: ${error.message}\n`);
  process.exit(2);
});
