"""The calls of operations.json, said in the Python SDK.

Each takes a client and the arguments, and returns endpoints that are not yet sent.
"""

from pubnub.endpoints.file_operations.publish_file_message import PublishFileMessage
from pubnub.endpoints.presence.heartbeat import Heartbeat
from pubnub.endpoints.presence.leave import Leave
from pubnub.endpoints.pubsub.subscribe import Subscribe
from pubnub.enums import PNPushEnvironment, PNPushType
from pubnub.models.consumer.message_actions import PNMessageAction
from pubnub.models.consumer.objects_v2.channel_members import PNUserMember
from pubnub.models.consumer.objects_v2.memberships import PNChannelMembership


def subscribe(client, channels=(), groups=(), presence=False):
    """The request of the subscribe loop, once."""
    both = ("", "-pnpres") if presence else ("",)
    names = [name + suffix for suffix in both for name in channels]
    return Subscribe(client).channels(names).channel_groups([name + suffix for suffix in both for name in groups])


def push(call):
    """A push call, for either gateway."""

    def made(client, device, gateway, **given):
        endpoint = getattr(client, call)().device_id(device)
        if "channels" in given:
            endpoint = endpoint.channels(given["channels"])
        if gateway == "apns2":
            endpoint = endpoint.push_type(PNPushType.APNS2).environment(PNPushEnvironment.PRODUCTION)
            return endpoint.topic("com.example.app")
        return endpoint.push_type(PNPushType.FCM)

    return made


def publish_file(client, channel, file, id):
    """The message about a file that was uploaded."""
    return PublishFileMessage(client).channel(channel).file_id(id).file_name(file).message("a note")


def add_action(client, channel, timetoken, type, value):
    """A message action."""
    action = PNMessageAction({"type": type, "value": value, "messageTimetoken": timetoken, "uuid": "alice",
                              "actionTimetoken": None})
    return client.add_message_action(channel, action)


def presence(call):
    """A presence call on channels and groups."""

    def made(client, channels=(), groups=()):
        return call(client).channels(list(channels)).channel_groups(list(groups))

    return made


def memberships(call):
    """A change of memberships."""

    def made(client, uuid, channels):
        return getattr(client, call)().uuid(uuid).channel_memberships([PNChannelMembership(name) for name in channels])

    return made


def members(call):
    """A change of members."""

    def made(client, channel, uuids):
        return getattr(client, call)().channel(channel).uuids([PNUserMember(uuid) for uuid in uuids])

    return made


def remove_memberships(client, uuid, channels):
    """`remove_memberships` of the client is of an older API; this is what it stands for now."""
    both = [PNChannelMembership(name) for name in channels]
    return client.manage_memberships().uuid(uuid).set([]).remove(both)


CALLS = {
    "publish": lambda client, channel, message, post=False: client.publish(channel, message).use_post(post),
    "fire": lambda client, channel, message: client.fire(channel, message),
    "signal": lambda client, channel, message: client.signal(channel, message),
    "subscribe": subscribe,
    "heartbeat": presence(Heartbeat),
    "leave": presence(Leave),
    "here_now": presence(lambda client: client.here_now()),
    "where_now": lambda client, uuid: client.where_now(uuid),
    "get_state": presence(lambda client: client.get_state()),
    "set_state": lambda client, state, **given: presence(lambda each: each.set_state())(client, **given).state(state),
    "history": lambda client, channel: client.history().channel(channel),
    "fetch_messages": lambda client, channels, actions=False: client.fetch_messages(
        channels, include_message_actions=actions
    ),
    "message_counts": lambda client, channels, timetoken: client.message_counts(
        channels, [timetoken] * len(channels)
    ),
    "delete_messages": lambda client, channel: client.delete_messages(channel),
    "add_action": add_action,
    "remove_action": lambda client, channel, timetoken, action: client.remove_message_action(
        channel, timetoken, action
    ),
    "get_actions": lambda client, channel: client.get_message_actions(channel),
    "list_files": lambda client, channel: client.list_files(channel),
    "send_file": lambda client, channel, file, content: client.send_file()
    .channel(channel)
    .file_name(file)
    .file_object(content.encode()),
    "publish_file": publish_file,
    "download_file": lambda client, channel, file, id: client.download_file()
    .channel(channel)
    .file_name(file)
    .file_id(id),
    "delete_file": lambda client, channel, file, id: client.delete_file(channel, file, id),
    "add_to_group": lambda client, group, channels: client.add_channel_to_channel_group(channels, group),
    "remove_from_group": lambda client, group, channels: client.remove_channel_from_channel_group(channels, group),
    "list_group": lambda client, group: client.list_channels_in_channel_group(group),
    "delete_group": lambda client, group: client.remove_channel_group().channel_group(group),
    "get_user": lambda client, uuid: client.get_uuid_metadata(uuid),
    "set_user": lambda client, uuid, name: client.set_uuid_metadata(uuid).set_name(name),
    "remove_user": lambda client, uuid: client.remove_uuid_metadata(uuid),
    "list_users": lambda client: client.get_all_uuid_metadata(),
    "get_channel": lambda client, channel: client.get_channel_metadata(channel),
    "set_channel": lambda client, channel, name: client.set_channel_metadata(channel).set_name(name),
    "remove_channel": lambda client, channel: client.remove_channel_metadata(channel),
    "list_channels": lambda client: client.get_all_channel_metadata(),
    "get_members": lambda client, channel: client.get_channel_members(channel),
    "set_members": members("set_channel_members"),
    "remove_members": members("remove_channel_members"),
    "get_memberships": lambda client, uuid: client.get_memberships(uuid),
    "set_memberships": memberships("set_memberships"),
    "remove_memberships": remove_memberships,
    "add_push": push("add_channels_to_push"),
    "remove_push": push("remove_channels_from_push"),
    "list_push": push("list_push_channels"),
    "remove_push_device": push("remove_device_from_push"),
    "time": lambda client: client.time(),
}

# On an error the SDK hands these callbacks one argument in place of two; their exception is asserted.
NO_CALLBACK = ("send_file", "download_file")
