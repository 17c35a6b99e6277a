"""What the scenarios say, said in the Python SDK."""

import json
import threading
import time
from contextlib import nullcontext
from unittest import mock

from pubnub.endpoints.access.grant_token import GrantToken
from pubnub.enums import PNOperationType, PNStatusCategory
from pubnub.exceptions import PubNubException
from pubnub.models.consumer.v3.category import Category
from pubnub.models.consumer.v3.channel import Channel
from pubnub.models.consumer.v3.group import Group
from pubnub.models.consumer.v3.space import Space
from pubnub.models.consumer.v3.user import User
from pubnub.models.consumer.v3.uuid import UUID

from report import Mismatch, same

PERMISSIONS = ("read", "write", "manage", "delete", "get", "update", "join")
BUILDERS = {"channels": Channel, "groups": Group, "uuids": UUID, "users": User, "spaces": Space}
RENAMED = {"users": "uuids", "spaces": "channels"}
# The SDK sends these sections a second time under the other name.
COPIED = {"uuids": "users", "channels": "spaces"}
CATEGORY = {400: PNStatusCategory.PNBadRequestCategory, 403: PNStatusCategory.PNAccessDeniedCategory}


class UncheckedGrantToken(GrantToken):
    """The SDK's grant without its local check, so that the server is the one to refuse."""

    def validate_params(self):
        pass


def clock_off_by(seconds):
    """A context in which `time.time` is wrong; only this process is fooled."""
    if not seconds:
        return nullcontext()
    real = time.time
    return mock.patch("time.time", lambda: real() + seconds)


def resources(scenario, kind):
    """Every resource and pattern of one kind, as the SDK's objects."""
    built = []
    for side, make in (("resources", BUILDERS[kind].id), ("patterns", BUILDERS[kind].pattern)):
        for name, permissions in scenario.get(side, {}).get(kind, {}).items():
            resource = make(name)
            for permission in permissions:
                resource = getattr(resource, permission)()
            built.append(resource)
    return built


def grant_endpoint(client, scenario, endpoint=GrantToken):
    """The SDK's grant for one scenario, not yet sent."""
    grant = endpoint(client).ttl(scenario["ttl"])
    for kind in BUILDERS:
        built = resources(scenario, kind)
        if built:
            grant = getattr(grant, kind)(built)
    if "categories" in scenario:
        grant = grant.categories([getattr(Category, name)().get() for name in scenario["categories"]])
    if "meta" in scenario:
        grant = grant.meta(scenario["meta"])
    if "authorized_uuid" in scenario:
        bind = grant.authorized_user if scenario.get("needs") == "users_and_spaces" else grant.authorized_uuid
        grant = bind(scenario["authorized_uuid"])
    return grant


def expected_token(scenario):
    """The same grant as `parse_token` should show it, kinds by their present names."""

    def side(name):
        shown = {"channels": {}, "groups": {}, "uuids": {}}
        for kind, entries in scenario.get(name, {}).items():
            shown[RENAMED.get(kind, kind)] = entries
        return shown

    return {
        "version": 2,
        "ttl": scenario["ttl"],
        "resources": side("resources"),
        "patterns": side("patterns"),
        "meta": scenario.get("meta", {}),
        "authorized_uuid": scenario.get("authorized_uuid"),
        "categories": {name: {"get": True} for name in scenario.get("categories", [])},
    }


def parsed_token(parsed):
    """What the SDK parsed, in the words of the scenarios; without the timestamp."""

    def names(flags):
        same("flags", sorted(flags), sorted(PERMISSIONS))
        return [permission for permission in PERMISSIONS if flags[permission] is True]

    def side(sections):
        return {kind: {name: names(flags) for name, flags in entries.items()} for kind, entries in sections.items()}

    shown = {**parsed, "resources": side(parsed["resources"]), "patterns": side(parsed["patterns"])}
    del shown["timestamp"]
    return {"categories": {}, **shown}


def send(endpoint):
    """Result and status as the SDK hands them to a callback."""
    done, answer = threading.Event(), []

    def callback(result, status):
        answer.extend((result, status))
        done.set()

    endpoint.pn_async(callback)
    if not done.wait(30):
        raise Mismatch("the SDK did not answer within 30 seconds")
    return answer


def refused(endpoint, expect, operation, copies=False):
    """Send; it must fail with the SDK's own error for the expected body."""
    result, status = send(endpoint)
    if not status.is_error():
        raise Mismatch(f"expected {expect['status']} {expect['message']}, got success {result}")
    error = status.error_data.exception
    same("error type", type(error).__name__, PubNubException.__name__)
    same(
        "error status",
        [status.category.name, status.status_code, status.operation],
        [CATEGORY[expect["status"]].name, expect["status"], operation],
    )
    same("status of the exception", error.get_status_code(), expect["status"])
    # The SDK keeps the body as text; `get_error_message` shows its `error` member.
    body = json.loads(error._errormsg)
    same("error of the exception", error.get_error_message(), body["error"])
    expected = expected_body(expect, copies)
    blank(body["error"], expected["error"])
    same("body", body, expected)


def expected_body(expect, copies):
    """The body of the refusal; with `copies`, a detail for every copied section too."""
    details = list(expect["details"])
    if copies:
        details += [copied for copied in map(copied_detail, details) if copied]
    error = {"message": expect["message"], "source": expect.get("source"), "details": details}
    return {"status": expect["status"], "service": "Access Manager", "error": error}


def blank(error, expected):
    """A detail of null stands for any text, a source of null for any source."""
    if expected["source"] is None and error["source"]:
        error["source"] = None
    for shown, wanted in zip(error["details"], expected["details"]):
        if wanted["message"] is None and shown["message"]:
            shown["message"] = None


def copied_detail(detail):
    """The same fault in the section that the SDK copied, if it did."""
    for kind, copy in COPIED.items():
        for side in ("resources", "patterns"):
            old, new = f"permissions.{side}.{kind}.", f"permissions.{side}.{copy}."
            if detail["location"].startswith(old):
                message = detail["message"] and detail["message"].replace(old, new)
                return {**detail, "message": message, "location": detail["location"].replace(old, new)}
    return None


def refused_locally(endpoint, message):
    """The SDK must refuse by itself, with its own exception."""
    try:
        endpoint.sync()
    except PubNubException as error:
        same("local refusal", [error.get_status_code(), error._pn_error], [0, message])
        return
    raise Mismatch("expected a local refusal, got success")


GRANT = PNOperationType.PNAccessManagerGrantToken
REVOKE = PNOperationType.PNAccessManagerRevokeToken
