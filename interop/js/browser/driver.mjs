// The JavaScript SDK in a page of another origin, in a real Chromium.
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { connect as connectTo, createServer as createRelay } from 'node:net';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { deniedBody, readOperations, tokenFor } from '../operations.mjs';
import { Report, Skip, same } from '../report.mjs';
import { grantByHand } from '../grant.mjs';

const require = createRequire(import.meta.url);
const PROGRAMS = [process.env.USHER_CHROMIUM, '/usr/bin/chromium', '/usr/bin/google-chrome'];
const FILES = {
  '/': ['browser/index.html', 'text/html'],
  '/browser/page.mjs': ['browser/page.mjs', 'text/javascript'],
  '/calls.mjs': ['calls.mjs', 'text/javascript'],
  '/origin.mjs': ['origin.mjs', 'text/javascript'],
  '/pubnub.js': ['browser/node_modules/pubnub/dist/web/pubnub.min.js', 'text/javascript'],
};
/** A page has no Node, and files go through an upload that the sandbox has not. */
const NODE_ONLY = ['send_file', 'publish_file', 'download_file'];
/** Methods that no page may send elsewhere without asking (Fetch standard). */
const ASKED_FIRST = ['PATCH', 'DELETE', 'POST'];

/** The server of the page: another port is another origin. */
async function pages() {
  const server = createServer((request, response) => {
    const [file, type] = FILES[request.url] ?? [];
    if (!file) return response.writeHead(404).end();
    response.writeHead(200, { 'content-type': `${type}; charset=utf-8` });
    return response.end(readFileSync(fileURLToPath(new URL(`../${file}`, import.meta.url))));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, url: `http://127.0.0.1:${server.address().port}/` };
}

/** Between the page and the gateway: which requests there were, and their answers. */
async function relay(target) {
  const seen = [];
  const { hostname: host, port } = new URL(target);
  const server = createRelay((page) => {
    const gateway = connectTo({ host, port });
    const asked = [];
    // The browser sends no request before the one before is answered.
    page.on('data', (bytes) => {
      const [, method] = /^([A-Z]+) \S+ HTTP\/1\.1\r\n/.exec(bytes.toString('latin1')) ?? [];
      if (method) asked.push(method);
    });
    gateway.on('data', (bytes) => {
      const [, status] = /^HTTP\/1\.1 (\d+) /.exec(bytes.toString('latin1')) ?? [];
      if (status) seen.push({ method: asked.shift(), status: Number(status) });
    });
    page.pipe(gateway).pipe(page);
    for (const socket of [page, gateway]) socket.on('error', () => socket.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, seen, url: `http://127.0.0.1:${server.address().port}` };
}

/** The page, and the requests that it sent to the gateway. */
class Page {
  static async open(executablePath, url, seen) {
    const { chromium } = require('playwright-core');
    const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--no-proxy-server'] });
    const page = await browser.newPage();
    await page.goto(url);
    await page.waitForFunction(() => window.usherCall && window.PubNub);
    return Object.assign(new Page(), { browser, page, seen });
  }

  /** Calls a function of page.mjs; its outcome, and the requests that it made. */
  async run(name, ...given) {
    this.seen.length = 0;
    const outcome = await this.page.evaluate(([name, given]) => window[name](...given), [name, given]);
    return { outcome, requests: [...this.seen] };
  }
}

/** Whoever must ask first has asked, and was told yes. */
function askedFirst(requests, methods) {
  const sent = requests.filter(({ method }) => methods.includes(method));
  const preflights = requests.filter(({ method }) => method === 'OPTIONS');
  if (sent.length === 0 && preflights.length === 0) return;
  same('preflights', [preflights.map(({ status }) => status), sent.length], [[204], 1]);
}

class Suite {
  constructor(server, gateway, page, report) {
    Object.assign(this, { server, page, report, PubNub: require('pubnub'), data: readOperations() });
    this.open = {
      public: gateway,
      keysets: { default: { ...server.keysets.default, secret_key: undefined } },
    };
  }

  client(keyset = 'default') {
    const { subscribe_key: subscribeKey, publish_key: publishKey, secret_key: secretKey } = this.server.keysets[keyset];
    const origin = new URL(this.server.public).host;
    return new this.PubNub({ subscribeKey, publishKey, secretKey, userId: 'interop-server', origin, ssl: false });
  }

  async call(row, grant) {
    const token = grant && (await tokenFor(this, grant));
    const called = await this.page.run('usherCall', this.open, token, row);
    askedFirst(called.requests, ASKED_FIRST);
    return called.outcome;
  }

  async row(row) {
    const { operation, name } = row;
    await this.report.run(`in a page: ${name}: allowed`, async () => {
      const { marks = [], error } = await this.call(row, row.grant);
      if (error) throw new Error(JSON.stringify(error));
      const wanted = row.marks ?? [operation];
      if (!marks.some((mark) => wanted.includes(mark))) throw new Error(`the sandbox answered ${marks}, not ${operation}`);
    });
    if (row.no_token) return;
    await this.report.run(`in a page: ${name}: denied`, async () => {
      const { error } = await this.call(row, row.miss);
      if (!error) throw new Error('expected a denial, got success');
      same('denial', [error.name, error.category, error.statusCode], ['PubNubError', 'PNAccessDeniedCategory', 403]);
      same('body of the denial', error.errorData, deniedBody(this.data.families, row.denied));
    });
  }

  /** The chat of examples/chat, whose token is in a header. */
  async rules() {
    const url = `${this.open.public}/rooms/lobby/messages`;
    const token = (permission) =>
      grantByHand(this.server, 'chat', {
        ttl: 15,
        permissions: { resources: { channels: { lobby: permission } }, patterns: {}, meta: {}, uuid: 'alice' },
      });
    let asked = 0;
    const post = async (token, more = {}) => {
      const headers = { authorization: `Bearer ${token}`, 'x-request-id': '1', 'content-type': 'text/plain' };
      const called = await this.page.run('usherFetch', `${url}?asked=${++asked}`, { method: 'POST', headers, body: 'hello', ...more });
      if (!more.credentials) askedFirst(called.requests, ['POST']);
      else same('what was sent', called.requests, [{ method: 'OPTIONS', status: 204 }]);
      return called.outcome;
    };
    await this.report.run('in a page: a rule file: allowed', async () => {
      const { status, rule } = await post(await token(2));
      same('status and mark', [status, rule], [200, 'rule']);
    });
    await this.report.run('in a page: a rule file: denied', async () => {
      const { status, body } = await post(await token(1));
      same('status and body', [status, JSON.parse(body)], [403, { error: { message: 'Forbidden' } }]);
    });
    await this.report.run('in a page: a rule file: with its cookies it is not let through', async () => {
      const { status, error } = await post(await token(2), { credentials: 'include' });
      same('status and error', [status, error], [undefined, 'Failed to fetch']);
    });
  }

  async run() {
    const secret = (row) => row.grant === 'secret key' || row.miss === 'secret key';
    const rows = this.data.rows.filter((row) => !row.cannot?.js && !secret(row) && !NODE_ONLY.includes(row.call));
    for (const row of rows) await this.row(row);
    await this.rules();
  }
}

async function main() {
  const { version } = require('pubnub/package.json');
  const report = new Report('browser', `pubnub ${version} (web)`);
  const program = PROGRAMS.find((path) => path && existsSync(path));
  if (!program) {
    await report.run('in a page', () => Promise.reject(new Skip('chromium')));
    return report.failed ? 1 : 0;
  }
  const server = JSON.parse(process.env.USHER_INTEROP);
  const [site, gateway] = await Promise.all([pages(), relay(server.public)]);
  const page = await Page.open(program, site.url, gateway.seen);
  try {
    await new Suite(server, gateway.url, page, report).run();
  } finally {
    await page.browser.close();
  }
  return report.failed ? 1 : 0;
}

main().then(process.exit, (error) => {
  process.stderr.write(`the driver stopped: ${error.stack}\n`);
  process.exit(2);
});
