"""Every row of operations.json: allowed by its grant, denied by the one that just misses, and signed."""

import json
import os
from pathlib import Path

from pubnub.enums import PNStatusCategory
from pubnub.exceptions import PubNubException
from pubnub.request_handlers.httpx import HttpxRequestHandler

import sdk
from calls import CALLS, NO_CALLBACK
from report import Mismatch, same

ALL = ("read", "write", "manage", "delete", "get", "update", "join")
EVERYTHING = {
    "patterns": {
        "channels": {".*": ALL},
        "groups": {".*": ("read", "manage")},
        "uuids": {".*": ("get", "update", "delete")},
    }
}


def denied_body(families, denied):
    """The body of a denial, as the data describes it."""
    family = families[denied["family"]]
    names = {"channels": denied.get("channels"), "channel-groups": denied.get("groups")}
    filled = {kind: listed for kind, listed in names.items() if listed}
    if not filled or "names" not in family:
        return family["body"]
    return family["body"] | ({"payload": filled} if family["names"] == "payload" else filled)


def shown(error):
    """The body that an exception of the SDK carries."""
    same("type of the error", type(error).__name__, PubNubException.__name__)
    return json.loads(error._errormsg)


def denied(send, body):
    """What the SDK shows of a denial: the category, the status and the body, whole."""
    try:
        result = send()
    except PubNubException as error:
        same("status and body of the denial", [error.get_status_code(), shown(error)], [403, body])
        # The SDK's own accessor shows the `error` member, whatever that is.
        message = body.get("error") or "Client Error"
        same("get_error_message", error.get_error_message(), message)
        return
    raise Mismatch(f"expected a denial, got success {result}")


def denied_status(endpoint, body):
    """The same denial as a callback is told of it: the category is in its status."""
    _, status = sdk.send(endpoint)
    if not status.is_error():
        raise Mismatch("expected a denial, got success")
    same(
        "category and status of the denial",
        [status.category.name, status.status_code],
        [PNStatusCategory.PNAccessDeniedCategory.name, 403],
    )
    same("body of the denial", shown(status.error_data.exception), body)


class Operations:
    """The rows of operations.json against one server."""

    def __init__(self, suite):
        self.suite = suite
        self.report = suite.report
        self.granted = 0
        path = os.environ.get("USHER_OPERATIONS") or "operations.json"
        self.data = json.loads(Path(path).read_text(encoding="utf-8"))

    def connect(self, token=None, keyset="default", secret_of=None, user_id="alice", sent=None):
        """A client with one credential, and the operations that the sandbox says it answered.

        `sent` is told of every request.
        """
        client = self.suite.client(keyset, user_id)
        client.config.secret_key = self.suite.server["keysets"][secret_of]["secret_key"] if secret_of else None
        if token:
            client.set_token(token)
        seen = []

        class Watched(HttpxRequestHandler):
            """The SDK's own handler, with a hook of its HTTP library."""

            def _ensure_session(self):
                session = super()._ensure_session()
                session.event_hooks = {
                    "request": [sent] if sent else [],
                    "response": [lambda answer: seen.append(answer.headers.get("x-usher-sandbox"))],
                }
                return session

        client.set_request_handler(Watched(client))
        return client, seen

    def token(self, grant, keyset="default", user=None):
        """A token for a grant of operations.json, granted by the SDK."""
        resources = {kind: grant[kind] for kind in ("channels", "groups", "uuids") if kind in grant}
        # Two grants of the same in one second are one token, and one revoke ends both.
        self.granted += 1
        meta = {"number": self.granted}
        scenario = {"ttl": 15, "resources": resources, "patterns": grant.get("patterns", {}), "meta": meta}
        scenario |= {"categories": grant["categories"]} if "categories" in grant else {}
        scenario |= {"authorized_uuid": user} if user else {}
        return self.suite.grant(scenario, keyset)

    def credential(self, grant):
        if grant == "secret key":
            return {"secret_of": "default"}
        return {"token": self.token(grant)} if grant else {}

    def call(self, row, credential):
        """Carries out the row; the operations that the sandbox says it answered."""
        client, seen = self.connect(**credential)
        try:
            CALLS[row["call"]](client, **row["with"]).sync()
        finally:
            client.stop()
        return seen

    def allowed(self, row, credential):
        seen = self.call(row, credential)
        if not set(row.get("marks", [row["operation"]])) & set(seen):
            raise Mismatch(f"the sandbox answered {seen}, not {row['operation']}")

    def refused(self, row, credential, body):
        denied(lambda: self.call(row, credential), body)
        if row["call"] in NO_CALLBACK:
            return
        client, _ = self.connect(**credential)
        try:
            denied_status(CALLS[row["call"]](client, **row["with"]), body)
        finally:
            client.stop()

    def row(self, row):
        operation, name = row["operation"], row["name"]
        if "python" in row.get("cannot", {}):
            self.report.not_possible(name, row["cannot"]["python"], operation=operation)
            return
        covers = {"operation": operation, "outcome": "allowed"}
        self.report.run(f"{name}: allowed", lambda: self.allowed(row, self.credential(row.get("grant"))), **covers)
        covers["outcome"] = "denied"
        if "no_token" in row:
            self.report.not_possible(f"{name}: denied", row["no_token"], **covers)
            return
        body = denied_body(self.data["families"], row["denied"])
        self.report.run(f"{name}: denied", lambda: self.refused(row, self.credential(row["miss"]), body), **covers)
        self.signed(row)

    def signed(self, row):
        if "python" in row.get("unsigned", {}):
            self.report.not_possible(f"{row['name']}: signed", row["unsigned"]["python"])
            return
        self.report.run(f"{row['name']}: signed", lambda: self.allowed(row, {"secret_of": "default"}))
        wrong = self.data["tokens"]["wrong_secret"]
        self.report.run(
            f"{row['name']}: signed with a wrong secret",
            lambda: self.refused(row, {"secret_of": "wrong_secret"}, wrong),
        )

    def run(self):
        for row in self.data["rows"]:
            self.row(row)
        for operation in self.data["raw"]["operations"]:
            self.report.not_possible(operation, self.data["raw"]["reason"], operation=operation)

    def bad_tokens(self):
        """Tokens that are not good, whatever they grant."""
        by_name = {row["name"]: row for row in self.data["rows"]}
        rows = [by_name[name] for name in self.data["bad_tokens"]["rows"]]
        for case in self.data["bad_tokens"]["tokens"]:
            body = self.data["tokens"][case["expect"]]
            self.report.run(
                f"{case['name']}: denied to every family", lambda: self.all_refused(rows, self.bad(case["token"]), body)
            )
        self.report.run("a token for no uuid: good for every user", lambda: self.every_user(rows[0]))
        self.report.run("a token for one uuid: good for that user", lambda: self.bound(rows))
        off = {"keyset": "access_manager_off"}
        body = self.data["tokens"]["access_manager_off"]
        for name, credential in (("no token", off), ("the secret key", off | {"secret_of": "access_manager_off"})):
            self.report.run(
                f"a keyset without Access Manager: denied with {name}",
                lambda: self.all_refused(rows, credential, body),
            )

    def all_refused(self, rows, credential, body):
        for row in rows:
            try:
                denied(lambda: self.call(row, credential), body)
            except Mismatch as error:
                raise Mismatch(f"{row['name']}: {error}") from error

    def every_user(self, row):
        token = self.token(EVERYTHING)
        for user_id in ("alice", "bob"):
            self.allowed(row, {"token": token, "user_id": user_id})

    def bound(self, rows):
        token = self.token(EVERYTHING, user="alice")
        for row in rows:
            self.allowed(row, {"token": token})

    def bad(self, kind):
        match kind:
            case "of another user":
                token = self.token(EVERYTHING, user="bob")
            case "foreign":
                token = self.token(EVERYTHING, "foreign")
            case "revoked" | "expired" | "altered":
                token = self.suite.token({"token": kind})
            case text:
                token = text
        return {"token": token}
