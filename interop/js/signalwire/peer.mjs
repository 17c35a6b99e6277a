// The service that channels live on, reduced to what the SDK says to it
// (JSON-RPC over WebSocket). It decides nothing: every connect, subscribe and
// publish is a question to `/v1/check`.
import { randomUUID } from 'node:crypto';
import { WebSocketServer } from 'ws';

const claimsOf = (token) => JSON.parse(Buffer.from(token.split('.')[1], 'base64url'));

class Denied extends Error {}

/** A connection: who it is by the token that it showed last. */
class Session {
  channels = new Set();
  waiting = new Map();

  constructor(peer, socket) {
    Object.assign(this, { peer, socket });
    socket.on('message', (data) => this.take(JSON.parse(data)));
  }

  async take({ id, method, params }) {
    if (!method) return; // an acknowledgement of ours
    try {
      const result = await this.answer(method, params);
      this.socket.send(JSON.stringify({ jsonrpc: '2.0', id, result }));
    } catch (error) {
      const code = error instanceof Denied ? -32002 : -32603;
      this.socket.send(JSON.stringify({ jsonrpc: '2.0', id, error: { code, message: error.message } }));
    }
  }

  answer(method, params) {
    switch (method) {
      case 'signalwire.connect': return this.connect(params.authentication.jwt_token);
      case 'signalwire.reauthenticate': return this.renew(params.authentication.jwt_token);
      case 'chat.subscribe': return this.subscribe(params.channels.map(({ name }) => name));
      case 'chat.unsubscribe': params.channels.forEach(({ name }) => this.channels.delete(name)); return {};
      case 'chat.publish': return this.publish(params.channel, params.content);
      default: return {};
    }
  }

  async check(operation, channels, token = this.token) {
    await this.peer.check({ token, uuid: claimsOf(token).m, operation, channels });
  }

  /** Any good token may connect. */
  async connect(token) {
    await this.check('leave', Object.keys(claimsOf(token).chls), token);
    this.token = token;
    const { aud, sub, chls, exp, m, t } = claimsOf(token);
    const authorization = { type: aud === 'chat' ? 'chat' : 'pubsub', channels: chls, expires_at: exp, member_id: m,
      project: sub, project_id: sub, resource: randomUUID(), scope_id: randomUUID(), scopes: [aud], ttl: t };
    return { identity: randomUUID(), protocol: randomUUID(), authorization };
  }

  async renew(token) {
    const result = await this.connect(token);
    for (const name of this.channels) {
      await this.check('subscribe', [name]).catch(() => this.channels.delete(name));
    }
    return result;
  }

  async subscribe(names) {
    await this.check('subscribe', names);
    names.forEach((name) => this.channels.add(name));
    return {};
  }

  async publish(channel, content) {
    await this.check('publish', [channel]);
    await this.peer.deliver(channel, { id: randomUUID(), sender_id: claimsOf(this.token).m, content, published_at: Date.now() / 1000 });
    return {};
  }

  /** Receiving needs what subscribing needs, each time. */
  async receive(channel, message) {
    if (!this.channels.has(channel)) return;
    try {
      await this.check('subscribe', [channel]);
    } catch {
      this.channels.delete(channel);
      return;
    }
    const params = { event_type: 'chat.channel.message', event_channel: channel, timestamp: message.published_at, params: { channel, message } };
    this.socket.send(JSON.stringify({ jsonrpc: '2.0', id: randomUUID(), method: 'signalwire.event', params }));
  }
}

export class Peer {
  #sessions = new Set();
  /** Every question, with its answer. */
  asked = [];

  /** `ask` is what `/v1/check` answers to a body. */
  async start(ask) {
    this.ask = ask;
    this.server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
    this.server.on('connection', (socket) => {
      const session = new Session(this, socket);
      this.#sessions.add(session);
      socket.on('close', () => this.#sessions.delete(session));
    });
    await new Promise((ready) => this.server.once('listening', ready));
    this.address = `ws://127.0.0.1:${this.server.address().port}`;
  }

  async check(question) {
    const { decision, reason } = await this.ask(question);
    this.asked.push([question.operation, question.channels.join(), decision, reason.code].join(' '));
    if (decision !== 'allow') throw new Denied(reason.code);
  }

  async deliver(channel, message) {
    for (const session of this.#sessions) await session.receive(channel, message);
  }

  stop() {
    for (const { socket } of this.#sessions) socket.terminate();
    this.server.close();
  }
}
