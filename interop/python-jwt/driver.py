"""PyJWT verifies customer access tokens by the published keys alone, across a rotation."""

import json
import os
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

import jwt

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "python"))
from report import Report, same  # noqa: E402

USHER = os.environ["USHER_BIN"]


def usher(*arguments):
    """What `usher` answers, as JSON."""
    return json.loads(subprocess.run([USHER, *arguments, "--json"], check=True, capture_output=True).stdout)


class World:
    """A server with one account, one application and one customer."""

    def __init__(self, folder):
        data = ("--data-dir", str(Path(folder) / "data"))
        self.api_key = usher("account", "create", "--name", "Partner", *data)["api_key"]
        usher("keyset", "create", "--name", "demo", "--subscribe-key", "sub-demo", *data)
        self.application = usher("application", "create", "--name", "Game", *data)["id"]
        added = usher("application", "add-keyset", str(self.application), "--keyset", "sub-demo", *data)
        usher("customer", "create", "--external-id", "acme", "--name", "Acme", "--keyset", str(added["id"]), *data)
        self.admin_key = usher("admin-key", "rotate", *data)["admin_key"]
        serve = [USHER, "serve", *data, "--listen", "127.0.0.1:0", "--internal-listen", "127.0.0.1:0"]
        self.child = subprocess.Popen(serve, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        addresses = {}
        while len(addresses) < 2:
            name, _, address = self.child.stdout.readline().partition(" ")
            if address.startswith("http"):
                addresses[name] = address.strip()
        self.public, self.internal = addresses["public"], addresses["internal"]
        self.keys = jwt.PyJWKClient(f"{self.public}/.well-known/jwks.json")
        with urllib.request.urlopen(f"{self.public}/.well-known/oauth-authorization-server") as answer:
            self.issuer = json.load(answer)["issuer"]

    def token(self, permissions=("dashboard:read",)):
        body = {"permissions": permissions, "externalId": "acme", "customerUserId": "u-1", "appId": self.application}
        headers = {"Authorization": self.api_key, "PubNub-Version": "2026-02-09", "Content-Type": "application/json"}
        request = urllib.request.Request(
            f"{self.public}/v2/oem/access-token", json.dumps(body).encode(), headers, method="POST"
        )
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)["accessToken"]

    def verify(self, token, **changes):
        key = self.keys.get_signing_key_from_jwt(token).key
        named = {"algorithms": ["EdDSA"], "audience": "illuminate", "issuer": self.issuer} | changes
        return jwt.decode(token, key, leeway=2, **named)

    def rotate(self):
        usher("account", "rotate", "--emergency", "--server", self.internal, "--admin-key", self.admin_key)


def refused(world, token, **changes):
    try:
        world.verify(token, **changes)
    except jwt.PyJWTError:
        return
    raise AssertionError("it was taken")


def main():
    report = Report("python-jwt", f"PyJWT {jwt.__version__}")
    with tempfile.TemporaryDirectory() as folder:
        world = World(folder)
        try:
            first = world.token()

            def verifies():
                claims = world.verify(first)
                same("permissions", claims["permissions"], ["dashboard:read"])
                same("life", claims["exp"] - claims["iat"], 3600)
                same("type", jwt.get_unverified_header(first)["typ"], "at+jwt")

            def rotates():
                world.rotate()
                second = world.token(("metric:read",))
                assert jwt.get_unverified_header(first)["kid"] != jwt.get_unverified_header(second)["kid"]
                same("scope", world.verify(second)["scope"], "metric:read")
                world.verify(first)

            head, body, signature = first.split(".")
            flipped = ("A" if signature[0] != "A" else "B") + signature[1:]
            report.run("a token verifies by the key set", verifies)
            report.run("a token verifies across a rotation, old and new", rotates)
            report.run("another signature is refused", lambda: refused(world, f"{head}.{body}.{flipped}"))
            report.run("another audience is refused", lambda: refused(world, first, audience="other"))
            report.run("another issuer is refused", lambda: refused(world, first, issuer="http://other"))
        finally:
            world.child.terminate()
            world.child.wait()
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
