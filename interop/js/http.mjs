// What no pinned SDK asks, as raw requests: DataSync, time with a bad token, and
// the preflight of a page from another origin.
import { once } from 'node:events';
import { request } from 'node:http';
import { grantByHand } from './grant.mjs';
import { readOperations } from './operations.mjs';
import { Report, same } from './report.mjs';

const PAGE = 'https://app.example.com';

class Http {
  constructor(server, report) {
    Object.assign(this, { server, report, keys: server.keysets.default });
  }

  /** Sends one request as it is written, which `fetch` would not for a preflight. */
  async send({ method, path, headers = {}, body }, token) {
    const target = path.replace('{sub}', this.keys.subscribe_key).replace('{pub}', this.keys.publish_key);
    const query = new URLSearchParams({ uuid: 'alice', ...(token ? { auth: token } : {}) });
    const text = body && JSON.stringify(body);
    const sent = request(`${this.server.public}${target}${target.includes('?') ? '&' : '?'}${query}`, {
      method,
      headers: { ...(text ? { 'content-type': 'application/json' } : {}), ...headers },
    });
    sent.end(text);
    const [response] = await once(sent, 'response');
    let received = '';
    for await (const part of response) received += part;
    return { status: response.statusCode, headers: response.headers, body: received && JSON.parse(received) };
  }

  async token(permissions) {
    if (typeof permissions === 'string') return permissions;
    if (!permissions) return undefined;
    const { resources = {}, patterns = {}, ...rest } = permissions;
    return grantByHand(this.server, 'default', { ttl: 15, permissions: { resources, patterns, meta: {}, ...rest } });
  }

  async row({ operation, name, request: asked, grant, miss, status, denied }) {
    await this.report.run(
      `${name}: allowed`,
      async () => {
        const answer = await this.send(asked, await this.token(grant));
        same('status and operation', [answer.status, answer.headers['x-usher-sandbox']], [status, operation]);
      },
      { operation, outcome: 'allowed' },
    );
    await this.report.run(
      `${name}: denied`,
      async () => {
        const answer = await this.send(asked, await this.token(miss));
        same('status and body', [answer.status, answer.body], [denied.status, denied.body]);
      },
      { operation, outcome: 'denied' },
    );
  }

  /** What a browser asks first, and then the call; the page may read a refusal too. */
  async preflight({ name, request: asked, preflight, status }) {
    await this.report.run(`from another origin: ${name}`, async () => {
      const headers = { origin: PAGE, ...asked.headers };
      const { headers: allowed, status: answered } = await this.send({
        method: 'OPTIONS',
        path: asked.path,
        headers: {
          origin: PAGE,
          'access-control-request-method': asked.method,
          'access-control-request-headers': preflight,
        },
      });
      same('status of the preflight', answered, 204);
      const list = (name) => allowed[name].toLowerCase().split(/, */);
      const missing = (name, wanted) => wanted.filter((each) => !list(name).includes(each.toLowerCase()));
      same('allowed origin', allowed['access-control-allow-origin'], '*');
      same('credentials', allowed['access-control-allow-credentials'], undefined);
      same('methods that are not allowed', missing('access-control-allow-methods', [asked.method]), []);
      same('headers that are not allowed', missing('access-control-allow-headers', preflight.split(',')), []);
      const answer = await this.send({ ...asked, headers });
      same('status and origin', [answer.status, answer.headers['access-control-allow-origin']], [status, '*']);
    });
  }

  async refusedPreflight({ name, request: asked, status }) {
    await this.report.run(`from another origin: ${name}`, async () => {
      const headers = { origin: PAGE, 'access-control-request-method': asked.method };
      const answer = await this.send({ method: 'OPTIONS', path: asked.path, headers });
      same('status', [answer.status, answer.headers['access-control-allow-origin']], [status, undefined]);
    });
  }
}

async function main() {
  const { raw } = readOperations();
  const report = new Report('http', 'node:http');
  const http = new Http(JSON.parse(process.env.USHER_INTEROP), report);
  for (const row of raw.rows) await http.row(row);
  for (const row of raw.preflights) await http.preflight(row);
  for (const row of raw.refused_preflights) await http.refusedPreflight(row);
  return report.failed ? 1 : 0;
}

main().then(process.exit, (error) => {
  process.stderr.write(`the driver stopped: ${error.message}\n`);
  process.exit(2);
});
