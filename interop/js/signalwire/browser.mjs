// What the SDK takes for granted of a browser.
import WebSocket from 'ws';

const storage = new Map();
globalThis.WebSocket = WebSocket;
globalThis.CloseEvent ??= class CloseEvent extends Event {
  constructor(type, { code = 1000, reason = '', wasClean = true } = {}) {
    super(type);
    Object.assign(this, { code, reason, wasClean });
  }
};
globalThis.window = globalThis;
globalThis.sessionStorage = {
  getItem: (key) => storage.get(key) ?? null,
  setItem: (key, value) => storage.set(key, `${value}`),
  removeItem: (key) => storage.delete(key),
};
globalThis.document = { addEventListener() {}, removeEventListener() {}, visibilityState: 'visible' };
// Standard output is for the report.
for (const name of ['log', 'info', 'debug', 'warn', 'error']) console[name] = () => {};
