// Subscriptions that go on: with both of the SDK's engines.
import { Origin } from './origin.mjs';
import { same } from './report.mjs';
import { tokenFor } from './operations.mjs';

const ROOMS = { channels: { 'room-1': ['read'], 'room-2': ['read'], 'room-3': ['read'] } };
const ENGINES = [
  { name: 'event engine', settings: {} },
  { name: 'subscription manager', settings: { enableEventEngine: false } },
];
const CONNECTED = ['PNConnectedCategory', 'PNSubscriptionChangedCategory', 'PNReconnectedCategory'];
const connected = (status) => CONNECTED.includes(status.category) && !status.error;

/** The status of a poll that the gateway ended, as each engine shows it. */
function lost(engine, data, message) {
  if (engine.name === 'event engine') {
    const category = 'PNDisconnectedUnexpectedlyCategory';
    return {
      is: (status) => status.category === category,
      check: (status) => same('error of the status', status.error, 'PNAccessDeniedCategory'),
    };
  }
  return {
    is: (status) => status.category === 'PNAccessDeniedCategory',
    check: (status) => same('error data', status.errorData, data.tokens[message]),
  };
}

export async function subscriptions({ suite, report, data }) {
  const origin = new Origin(suite);
  const scenario = (name, action) =>
    report.run(name, async () => {
      try {
        await action();
      } finally {
        origin.close();
      }
    });
  const start = async (engine, token) => {
    const { client, statuses } = origin.connect({ token }, engine.settings);
    client.subscribe({ channels: ['room-1'] });
    await statuses.next('a connected subscription', connected);
    return { client, statuses };
  };
  /** Waits until the SDK has polled with `token`: its next loop begins with another channel. */
  const change = async ({ client, statuses }, channel) => {
    client.subscribe({ channels: [channel] });
    await statuses.next(`a subscription to ${channel} too`, connected);
  };

  for (const engine of ENGINES) {
    const ended = lost(engine, data, 'revoked');
    await scenario(`running subscription, ${engine.name}: goes on with a new token`, async () => {
      const [old, fresh] = [await tokenFor(suite, ROOMS), await tokenFor(suite, ROOMS)];
      const [running, left] = [await start(engine, old), await start(engine, old)];
      running.client.setToken(fresh);
      await change(running, 'room-2');
      await suite.client().revokeToken(old);
      // Who stayed with the old token has lost it by now; who moved has not.
      ended.check(await left.statuses.next('the end of the old token', ended.is));
      await change(running, 'room-3');
      same('other statuses', running.statuses.rest(), []);
      // And it is the new token that holds the poll.
      await suite.client().revokeToken(fresh);
      ended.check(await running.statuses.next('the end of the new token', ended.is));
    });
    for (const end of ['revoked', 'expired']) {
      const name = `running subscription, ${engine.name}: its token is ${end}; a new token and it goes on`;
      await scenario(name, async () => {
        const token = end === 'expired' ? await suite.shortToken() : await tokenFor(suite, ROOMS);
        const { client, statuses } = await start(engine, token);
        if (end === 'revoked') await suite.client().revokeToken(token);
        const wanted = lost(engine, data, end);
        wanted.check(await statuses.next(`the end of a token that is ${end}`, wanted.is));
        client.setToken(await tokenFor(suite, ROOMS));
        client.reconnect();
        await change({ client, statuses }, 'room-2');
      });
    }
  }
  await scenario('subscription, event engine: the token does not grant it', async () => {
    const token = await tokenFor(suite, { channels: { elsewhere: ['read'] } });
    const { client, statuses } = origin.connect({ token });
    client.subscribe({ channels: ['room-1'] });
    const refused = (status) => status.category === 'PNConnectionErrorCategory';
    const status = await statuses.next('a refused subscription', refused);
    same('error of the status', status.error, 'PNAccessDeniedCategory');
  });
}
