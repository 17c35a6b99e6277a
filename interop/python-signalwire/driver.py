"""signalwire-sdk asks for PubSub and Chat tokens, and meets every refusal as its own error."""

import base64
import json
import os
import subprocess
import sys
import tempfile
import urllib.request
from importlib.metadata import version
from pathlib import Path

from signalwire.rest import RestClient, SignalWireRestError

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "python"))
from report import Report, same  # noqa: E402

USHER = os.environ["USHER_BIN"]


def usher(*arguments):
    """What `usher` answers, as JSON."""
    return json.loads(subprocess.run([USHER, *arguments, "--json"], check=True, capture_output=True).stdout)


class World:
    """A server with a project whose API token may ask for both kinds, and one for Chat alone."""

    def __init__(self, folder):
        data = ("--data-dir", str(Path(folder) / "data"))
        usher("keyset", "create", "--name", "demo", "--subscribe-key", "sub-demo", *data)
        made = usher("keyset", "api-token", "create", "--keyset", "demo", *data)
        self.project, self.token = made["project_id"], made["token"]
        chat = ("--project-id", self.project, "--scope", "chat")
        self.chat_token = usher("keyset", "api-token", "create", "--keyset", "demo", *chat, *data)["token"]
        serve = [USHER, "serve", *data, "--listen", "127.0.0.1:0", "--internal-listen", "127.0.0.1:0"]
        self.child = subprocess.Popen(serve, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        addresses = {}
        while len(addresses) < 2:
            name, _, address = self.child.stdout.readline().partition(" ")
            if address.startswith("http"):
                addresses[name] = address.strip()
        self.host = addresses["public"].removeprefix("http://")
        self.internal = addresses["internal"]

    def client(self, **changes):
        named = {"project": self.project, "token": self.token, "host": self.host} | changes
        return RestClient(**named)

    def check(self, token, operation, channel, uuid="alice"):
        body = {"subscribe_key": "sub-demo", "token": token, "uuid": uuid, "operation": operation, "channels": [channel]}
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.internal}/v1/check", json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)["reason"]["code"]


def part(token, number):
    text = token.split(".")[number]
    return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))


def refused(status, ask):
    """The body of an error of the SDK's own type."""
    try:
        ask()
    except SignalWireRestError as error:
        same("status", error.status_code, status)
        return error.body
    raise AssertionError("it was answered")


CHANNELS = {"a": {"read": True, "write": False}, "b": {"read": True, "write": True}}


def creates(world, product):
    client = getattr(world.client(), product)
    asked = {"ttl": 15, "channels": CHANNELS, "member_id": "alice", "state": {"display_name": "Al"}}
    token = client.create_token(**asked)["token"]
    header, claims = part(token, 0), part(token, 1)
    same("header", [header["alg"], header["typ"]], ["HS512", "CRT"])
    same("claims", [claims[name] for name in ("t", "chls", "m", "sub")], [15, CHANNELS, "alice", world.project])
    same("life", claims["exp"] - claims["iat"], 15 * 60)
    same("read is subscribe", world.check(token, "subscribe", "a"), "allowed")
    same("write is publish", world.check(token, "publish", "b"), "allowed")
    same("read is no publish", world.check(token, "publish", "a"), "permission_missing")
    same("the member", world.check(token, "subscribe", "a", "bob"), "uuid_mismatch")


def codes(body):
    return sorted((item["attribute"], item["code"]) for item in body["errors"])


def validates(world, product):
    create = getattr(world.client(), product).create_token
    body = refused(422, lambda: create(ttl=0, channels={}, state={"s": "x" * 2001}))
    same("attributes", [attribute for attribute, _ in codes(body)], ["channels", "state", "ttl"])
    for item in body["errors"]:
        same("item", sorted(item), ["attribute", "code", "message", "type", "url"])
    for channels, code in [
        ({"a": {"read": "yes"}}, "not_a_boolean"),
        ({"a": {}}, "channel_has_missing_properties"),
        (["a"], "not_a_valid_json"),
        ({"a" * 251: {"read": True}}, "channel_name_size_limit_exceeded"),
        ({f"c{number}": {"read": True} for number in range(501)}, "channel_size_limit_exceeded"),
    ]:
        body = refused(422, lambda channels=channels: create(ttl=15, channels=channels))
        same("codes", codes(body), [["channels", code]])


def unauthorized(world):
    asked = {"ttl": 15, "channels": CHANNELS}
    bodies = [
        refused(401, lambda: world.client(token="PTother").pubsub.create_token(**asked)),
        refused(401, lambda: world.client(project="7b981d06-1111-4111-8111-111111111111").chat.create_token(**asked)),
        refused(401, lambda: world.client(token=world.chat_token).pubsub.create_token(**asked)),
    ]
    same("one answer for all", bodies, [{"error": "Unauthorized"}] * 3)
    assert world.client(token=world.chat_token).chat.create_token(**asked)["token"]


def main():
    report = Report("python-signalwire", f"signalwire-sdk {version('signalwire-sdk')}")
    with tempfile.TemporaryDirectory() as folder:
        world = World(folder)
        try:
            for product in ("pubsub", "chat"):
                report.run(f"{product}: a token says and allows what was asked", lambda p=product: creates(world, p))
                report.run(f"{product}: everything that is wrong is said at once", lambda p=product: validates(world, p))
            report.run("wrong credentials and missing scopes are 401", lambda: unauthorized(world))
        finally:
            world.child.terminate()
            world.child.wait()
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
