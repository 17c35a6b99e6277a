// Clients of the gateway, and what went through them: in Node, and in a page.

/** Ends a wait that would hang the run; nothing waits this long when all is well. */
const DEADLINE_MS = 10_000;

/** The same promise with a deadline; `what` says what was waited for. */
export function within(what, promise) {
  let timer;
  const late = new Promise((_, fail) => {
    timer = setTimeout(() => fail(new Error(`${what()} did not come in ${DEADLINE_MS} ms`)), DEADLINE_MS);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** A logger of the SDK's own kind that keeps which operation the sandbox answered. */
class Marks {
  seen = [];
  trace() {}
  info() {}
  warn() {}
  error() {}
  debug({ messageType, message }) {
    const mark = messageType === 'network-response' && message.headers?.['x-usher-sandbox'];
    if (mark) this.seen.push(mark);
  }
}

const LOG_DEBUG = 1;
// Beside a logger of one's own the SDK always writes to the console too, and
// stdout belongs to the report.
for (const level of ['debug', 'info', 'log', 'warn', 'error']) console[level] = () => {};

/** The status events of one client, in order; each is waited for once. */
class Statuses {
  #arrived = [];
  #waiting;

  constructor(client) {
    client.addListener({
      status: (status) => {
        this.#arrived.push(status);
        this.#waiting?.();
      },
    });
  }

  /** The next status for which `wanted` holds; earlier ones are dropped. */
  async next(what, wanted) {
    const dropped = [];
    const arrival = async () => {
      for (;;) {
        while (this.#arrived.length > 0) {
          const status = this.#arrived.shift();
          if (wanted(status)) return status;
          dropped.push(status.category);
        }
        await new Promise((done) => (this.#waiting = done));
      }
    };
    return within(() => `${what} (among ${dropped.join(', ') || 'no statuses'})`, arrival());
  }

  /** Categories that arrived and were not waited for. */
  rest() {
    return this.#arrived.splice(0).map((status) => status.category);
  }
}

export class Origin {
  constructor({ PubNub, server }) {
    Object.assign(this, { PubNub, server });
    this.clients = [];
  }

  /** A client, its marks and its statuses; `as` says with which credential. */
  connect({ token, secretOf, keyset = 'default', userId = 'alice' }, settings = {}) {
    const keys = this.server.keysets[keyset];
    const marks = new Marks();
    const client = new this.PubNub({
      subscribeKey: keys.subscribe_key,
      publishKey: keys.publish_key,
      ...(secretOf ? { secretKey: this.server.keysets[secretOf].secret_key } : {}),
      userId,
      origin: new URL(this.server.public).host,
      ssl: false,
      suppressLeaveEvents: true,
      loggers: [marks],
      logLevel: LOG_DEBUG,
      ...settings,
    });
    if (token) client.setToken(token);
    this.clients.push(client);
    return { client, marks, statuses: new Statuses(client) };
  }

  /** Ends what the clients still hold. */
  close() {
    for (const client of this.clients.splice(0)) client.destroy(true);
  }
}
