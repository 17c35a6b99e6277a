// The calls of operations.json, said in the JavaScript SDK.
// Each takes `connect`, which makes a client, and the arguments.
import { within } from './origin.mjs';

const PUSH = { apns2: { pushGateway: 'apns2', environment: 'production', topic: 'com.example.app' }, fcm: { pushGateway: 'fcm' } };

// Where an error comes as a status, it is thrown as the SDK's promises throw it.
function thrown(status) {
  return Object.assign(new Error('a status with an error'), { name: 'PubNubError', status });
}

async function announced(statuses, operation) {
  const status = await statuses.next(operation, (each) => each.operation === operation);
  if (status.error) throw thrown(status);
}

// The subscription manager: it alone hands on the body of a denial. The event
// engine, the default, names a category only; subscriptions.mjs has that.
const MANAGER = { enableEventEngine: false };

async function subscribe(connect, { channels = [], groups = [], presence = false }) {
  const { client, statuses } = connect(MANAGER);
  client.subscribe({ channels, channelGroups: groups, withPresence: presence });
  await announced(statuses, 'PNSubscribeOperation');
}

async function heartbeat(connect, { channels = [], groups = [] }) {
  const { client, statuses } = connect({ ...MANAGER, heartbeatInterval: 60, announceSuccessfulHeartbeats: true });
  client.presence({ connected: true, channels, channelGroups: groups });
  await announced(statuses, 'PNHeartbeatOperation');
}

async function leave(connect, { channels = [], groups = [] }) {
  const { client, statuses } = connect({ ...MANAGER, suppressLeaveEvents: false });
  client.presence({ connected: false, channels, channelGroups: groups });
  await announced(statuses, 'PNUnsubscribeOperation');
}

// Its promise hides an error; its callback shows it.
async function fire(connect, { channel, message }) {
  const status = await within(() => 'an answer to fire', new Promise((done) => connect().client.fire({ channel, message }, done)));
  if (status.error) throw thrown(status);
}

const of = (call) => (connect, given) => call(connect().client, given);
const push = (call) =>
  of((client, { device, gateway, ...given }) => call(client.push, { device, ...given, ...PUSH[gateway] }));
const metadata = (call) => of((client, given) => call(client.objects, given));

export const CALLS = {
  publish: of((client, { channel, message, post = false }) => client.publish({ channel, message, sendByPost: post })),
  fire,
  signal: of((client, { channel, message }) => client.signal({ channel, message })),
  subscribe,
  heartbeat,
  leave,
  here_now: of((client, { channels, groups }) => client.hereNow({ channels, channelGroups: groups })),
  where_now: of((client, { uuid }) => client.whereNow({ uuid })),
  get_state: of((client, { channels, groups }) => client.getState({ channels, channelGroups: groups })),
  set_state: of((client, { channels, groups, state }) => client.setState({ channels, channelGroups: groups, state })),
  history: of((client, { channel }) => client.history({ channel })),
  fetch_messages: of((client, { channels, actions = false }) =>
    client.fetchMessages({ channels, includeMessageActions: actions }),
  ),
  message_counts: of((client, { channels, timetoken }) =>
    client.messageCounts({ channels, channelTimetokens: [timetoken] }),
  ),
  delete_messages: of((client, { channel }) => client.deleteMessages({ channel })),
  add_action: of((client, { channel, timetoken, type, value }) =>
    client.addMessageAction({ channel, messageTimetoken: timetoken, action: { type, value } }),
  ),
  remove_action: of((client, { channel, timetoken, action }) =>
    client.removeMessageAction({ channel, messageTimetoken: timetoken, actionTimetoken: action }),
  ),
  get_actions: of((client, { channel }) => client.getMessageActions({ channel })),
  list_files: of((client, { channel }) => client.listFiles({ channel })),
  send_file: of((client, { channel, file, content }) =>
    client.sendFile({ channel, file: { data: Buffer.from(content), name: file, mimeType: 'text/plain' } }),
  ),
  publish_file: of((client, { channel, file, id }) => client.publishFile({ channel, fileId: id, fileName: file })),
  download_file: of((client, { channel, file, id }) => client.downloadFile({ channel, id, name: file })),
  delete_file: of((client, { channel, file, id }) => client.deleteFile({ channel, id, name: file })),
  add_to_group: of((client, { group, channels }) =>
    client.channelGroups.addChannels({ channelGroup: group, channels }),
  ),
  remove_from_group: of((client, { group, channels }) =>
    client.channelGroups.removeChannels({ channelGroup: group, channels }),
  ),
  list_group: of((client, { group }) => client.channelGroups.listChannels({ channelGroup: group })),
  delete_group: of((client, { group }) => client.channelGroups.deleteGroup({ channelGroup: group })),
  list_groups: of((client) => client.channelGroups.listGroups()),
  get_user: metadata((objects, { uuid }) => objects.getUUIDMetadata({ uuid })),
  set_user: metadata((objects, { uuid, name }) => objects.setUUIDMetadata({ uuid, data: { name } })),
  remove_user: metadata((objects, { uuid }) => objects.removeUUIDMetadata({ uuid })),
  list_users: metadata((objects) => objects.getAllUUIDMetadata()),
  get_channel: metadata((objects, { channel }) => objects.getChannelMetadata({ channel })),
  set_channel: metadata((objects, { channel, name }) => objects.setChannelMetadata({ channel, data: { name } })),
  remove_channel: metadata((objects, { channel }) => objects.removeChannelMetadata({ channel })),
  list_channels: metadata((objects) => objects.getAllChannelMetadata()),
  get_members: metadata((objects, { channel }) => objects.getChannelMembers({ channel })),
  set_members: metadata((objects, { channel, uuids }) => objects.setChannelMembers({ channel, uuids })),
  remove_members: metadata((objects, { channel, uuids }) => objects.removeChannelMembers({ channel, uuids })),
  get_memberships: metadata((objects, { uuid }) => objects.getMemberships({ uuid })),
  set_memberships: metadata((objects, { uuid, channels }) => objects.setMemberships({ uuid, channels })),
  remove_memberships: metadata((objects, { uuid, channels }) => objects.removeMemberships({ uuid, channels })),
  add_push: push((client, given) => client.addChannels(given)),
  remove_push: push((client, given) => client.removeChannels(given)),
  list_push: push((client, given) => client.listChannels(given)),
  remove_push_device: push((client, given) => client.deleteDevice(given)),
  time: of((client) => client.time()),
};
