"""Drives the Python SDK against a running server; see ../README.md."""

import base64
import json
import logging
import os
import sys
import time
from importlib.metadata import version
from pathlib import Path
from urllib.parse import urlsplit

from pubnub.pnconfiguration import PNConfiguration
from pubnub.pubnub import PubNub

import sdk
from operations import Operations
from report import Mismatch, Report, same
from subscriptions import subscriptions

PLAIN = {"ttl": 15, "resources": {"channels": {"room-1": ["read"]}}}
# Born with a clock that is 57 seconds slow, a token of one minute lives three seconds.
SHORT = {"ttl": 1, "resources": PLAIN["resources"]}
SHORT_CLOCK_SECONDS = -57


class Suite:
    """Every scenario, against one server."""

    def __init__(self, server, scenarios, reserved, report):
        self.server = server
        self.scenarios = scenarios
        self.reserved = reserved
        self.report = report

    def client(self, keyset="default", user_id="interop-server"):
        keys = self.server["keysets"][keyset]
        config = PNConfiguration()
        config.subscribe_key = keys["subscribe_key"]
        config.publish_key = keys["publish_key"]
        config.secret_key = keys["secret_key"]
        config.user_id = user_id
        config.origin = urlsplit(self.server["public"]).netloc
        config.ssl = False
        config.daemon = True
        return PubNub(config)

    def grant(self, scenario=PLAIN, keyset="default", clock=0):
        with sdk.clock_off_by(clock):
            return sdk.grant_endpoint(self.client(keyset), scenario).sync().result.token

    def grants(self):
        cannot = self.scenarios["sdk_cannot"]["python"]
        for scenario in self.scenarios["grants"]:
            name = f"grant: {scenario['name']}"
            if scenario.get("needs") in cannot:
                self.report.not_possible(name, cannot[scenario["needs"]])
                continue
            self.report.run(name, lambda: self.one_grant(scenario))

    def one_grant(self, scenario):
        client = self.client(user_id=scenario.get("user_id", "interop-server"))
        if scenario.get("with_token"):
            client.set_token(self.grant())
        before = int(time.time())
        token = sdk.grant_endpoint(client, scenario).sync().result.get_token()
        after = int(time.time())
        parsed = client.parse_token(token)
        same("parsed token", sdk.parsed_token(parsed), sdk.expected_token(scenario))
        if not before <= parsed["timestamp"] <= after:
            raise Mismatch(f"timestamp {parsed['timestamp']} is not between {before} and {after}")

    def refused_grants(self):
        for scenario in self.scenarios["refused_grants"]:
            self.report.run(f"refused grant: {scenario['name']}", lambda: self.one_refused_grant(scenario))

    def one_refused_grant(self, scenario):
        client = self.client(scenario.get("keyset", "default"))
        endpoint = sdk.GrantToken
        local = scenario.get("local", {}).get("python")
        if local:
            sdk.refused_locally(sdk.grant_endpoint(client, scenario), local)
            endpoint = sdk.UncheckedGrantToken
        with sdk.clock_off_by(scenario.get("clock_offset_seconds")):
            sdk.refused(sdk.grant_endpoint(client, scenario, endpoint), scenario["expect"], sdk.GRANT, copies=True)

    def token(self, scenario):
        match scenario["token"]:
            case "granted":
                return self.grant(keyset=scenario.get("grant_keyset", "default"))
            case "revoked":
                token = self.grant()
                self.client().revoke_token(token).sync()
                return token
            case "expired":
                token = self.short_token()
                self.await_expiry(token)
                return token
            case "foreign":
                return self.grant(keyset="foreign")
            case "altered":
                token = self.grant()
                at = len(token) - 12
                return token[:at] + ("B" if token[at] == "A" else "A") + token[at + 1 :]
            case text:
                return text

    def short_token(self):
        """A token of three more seconds."""
        return self.grant(SHORT, clock=SHORT_CLOCK_SECONDS)

    def await_expiry(self, token):
        parsed = self.client().parse_token(token)
        left = parsed["timestamp"] + parsed["ttl"] * 60 - time.time()
        if left > 5:
            raise Mismatch(f"the token lives {left} s longer than meant")
        time.sleep(max(left, 0) + 0.001)

    def revokes(self):
        for scenario in self.scenarios["revokes"]:
            self.report.run(f"revoke: {scenario['name']}", lambda: self.one_revoke(scenario))

    def one_revoke(self, scenario):
        token = self.token(scenario)
        endpoint = self.client(scenario.get("keyset", "default")).revoke_token(token)
        if scenario["expect"]["status"] == 200:
            same("result", endpoint.sync().result.status, 200)
        else:
            sdk.refused(endpoint, scenario["expect"], sdk.REVOKE)

    def reserved_token(self):
        self.report.run("parse: a token with par, kid and a 64-byte signature", self.one_reserved_token)

    def one_reserved_token(self):
        expect = self.reserved["expect"]
        parsed = self.client().parse_token(self.reserved["token"])
        same("parsed token", sdk.parsed_token(parsed), sdk.expected_token(expect))
        same("timestamp", parsed["timestamp"], expect["timestamp"])

    def ed25519(self):
        self.report.run("grant: a keyset that signs with Ed25519", self.one_ed25519)

    def one_ed25519(self):
        client = self.client("ed25519")
        token = self.grant(keyset="ed25519")
        parsed = client.parse_token(token)
        same("parsed token", sdk.parsed_token(parsed), sdk.expected_token(PLAIN))
        # The SDK shows no signature: it is the last of the token, after its length.
        bytes_of = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        same("signature of 64 bytes", bytes_of[-66:-64].hex(), "5840")
        same("result of the revoke", client.revoke_token(token).sync().result.status, 200)


def read_input():
    path = Path(os.environ.get("USHER_SCENARIOS") or "scenarios.json")
    scenarios = json.loads(path.read_text(encoding="utf-8"))
    reserved = json.loads(path.with_name("reserved-token.json").read_text(encoding="utf-8"))
    server = json.loads(os.environ["USHER_INTEROP"])
    for name, changed in scenarios["derived_keysets"].items():
        of = changed.pop("of")
        server["keysets"][name] = {**server["keysets"][of], **changed}
    return server, scenarios, reserved


def main():
    try:
        server, scenarios, reserved = read_input()
    except (KeyError, ValueError, OSError) as error:
        print(f"cannot read the description: {error!r}", file=sys.stderr)
        return 2
    # The SDK logs each refusal with its trace; every refusal here is meant.
    logging.getLogger("pubnub").setLevel(logging.CRITICAL)
    report = Report("python", f"pubnub {version('pubnub')}")
    suite = Suite(server, scenarios, reserved, report)
    suite.grants()
    suite.refused_grants()
    suite.revokes()
    suite.reserved_token()
    suite.ed25519()
    operations = Operations(suite)
    operations.run()
    operations.bad_tokens()
    subscriptions(operations)
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
