// Every row of operations.json: allowed by its grant, denied by the one that
// just misses, and signed with the secret key.
import { readFileSync } from 'node:fs';
import { CALLS } from './calls.mjs';
import { grantByHand } from './grant.mjs';
import { Origin } from './origin.mjs';
import { same } from './report.mjs';
import { grantParameters } from './sdk.mjs';

const BITS = { read: 1, write: 2, manage: 4, delete: 8, create: 16, get: 32, update: 64, join: 128 };

/** The data that the drivers share. */
export function readOperations() {
  return JSON.parse(readFileSync(process.env.USHER_OPERATIONS || 'operations.json', 'utf8'));
}

/** The body of a denial, as the data describes it. */
export function deniedBody(families, { family, channels = [], groups = [] }) {
  const { body, names } = families[family];
  const filled = {
    ...(channels.length > 0 ? { channels } : {}),
    ...(groups.length > 0 ? { 'channel-groups': groups } : {}),
  };
  if (Object.keys(filled).length === 0 || !names) return body;
  return { ...body, ...(names === 'payload' ? { payload: filled } : filled) };
}

/** What the SDK shows of a denial: category, status and the body, whole. */
export async function denied(action, body) {
  const error = await action().then(
    (value) => {
      throw new Error(`expected a denial, got success ${JSON.stringify(value)}`);
    },
    (reason) => reason,
  );
  if (error.name !== 'PubNubError') throw error;
  const { category, statusCode, errorData } = error.status;
  same('category and status of the denial', [category, statusCode], ['PNAccessDeniedCategory', 403]);
  same('body of the denial', errorData, body);
}

function bits(section = {}) {
  const number = (names) => names.reduce((sum, name) => sum + BITS[name], 0);
  return Object.fromEntries(
    Object.entries(section).map(([kind, entries]) => [
      kind,
      Object.fromEntries(Object.entries(entries).map(([name, names]) => [name, number(names)])),
    ]),
  );
}

// Two grants of the same in one second are one token, and one revoke ends both.
let granted = 0;

/** A token of its own for a grant of operations.json; by the SDK where it can say it. */
export async function tokenFor(suite, { patterns, categories, authorized_uuid, ...resources }, keyset = 'default') {
  const meta = { number: ++granted };
  if (!categories) {
    return suite.client(keyset).grantToken(grantParameters({ ttl: 15, resources, patterns, meta, authorized_uuid }));
  }
  const lists = Object.fromEntries(categories.map((name) => [name, BITS.get]));
  const permissions = { resources: bits(resources), patterns: bits(patterns), categories: lists, meta };
  return grantByHand(suite.server, keyset, { ttl: 15, permissions });
}

export class Operations {
  constructor(suite) {
    this.suite = suite;
    this.report = suite.report;
    this.origin = new Origin(suite);
    this.data = readOperations();
  }

  /** Carries out the row with one credential; the operations that the sandbox says it answered. */
  async call(row, credential) {
    const seen = [];
    const connect = (settings) => {
      const connected = this.origin.connect(credential, settings);
      seen.push(connected.marks);
      return connected;
    };
    try {
      await CALLS[row.call](connect, row.with);
    } finally {
      this.origin.close();
    }
    return seen.flatMap((marks) => marks.seen);
  }

  async allowed(row, credential) {
    const seen = await this.call(row, credential);
    const marks = row.marks ?? [row.operation];
    if (!seen.some((mark) => marks.includes(mark))) {
      throw new Error(`the sandbox answered ${seen.join(', ') || 'nothing'}, not ${row.operation}`);
    }
  }

  async credential(grant) {
    if (grant === 'secret key') return { secretOf: 'default' };
    return { token: grant && (await tokenFor(this.suite, grant)) };
  }

  async row(row) {
    const { operation, name } = row;
    const reason = row.cannot?.js;
    if (reason) return this.report.notPossible(name, reason, { operation });
    await this.report.run(`${name}: allowed`, async () => this.allowed(row, await this.credential(row.grant)), {
      operation,
      outcome: 'allowed',
    });
    if (row.no_token) {
      this.report.notPossible(`${name}: denied`, row.no_token, { operation, outcome: 'denied' });
      return undefined;
    }
    await this.report.run(
      `${name}: denied`,
      async () => {
        const credential = await this.credential(row.miss);
        await denied(() => this.call(row, credential), deniedBody(this.data.families, row.denied));
      },
      { operation, outcome: 'denied' },
    );
    return this.signed(row);
  }

  async signed(row) {
    const reason = row.unsigned?.js;
    if (reason) return this.report.notPossible(`${row.name}: signed`, reason);
    await this.report.run(`${row.name}: signed`, () => this.allowed(row, { secretOf: 'default' }));
    await this.report.run(`${row.name}: signed with a wrong secret`, () =>
      denied(() => this.call(row, { secretOf: 'wrong_secret' }), this.data.tokens.wrong_secret),
    );
    return undefined;
  }

  async run() {
    for (const row of this.data.rows) await this.row(row);
    for (const operation of this.data.raw.operations) {
      this.report.notPossible(operation, this.data.raw.reason, { operation });
    }
  }
}
