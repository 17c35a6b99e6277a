"""Subscriptions that go on: a new token, and a token that ends."""

import threading
from queue import Empty, Queue

from pubnub.callbacks import SubscribeCallback
from pubnub.enums import PNStatusCategory

from operations import shown
from report import Mismatch, same

ROOMS = {"channels": {name: ["read"] for name in ("room-1", "room-2", "room-3")}}
# Ends a wait that would hang the run; nothing waits this long when all is well.
DEADLINE_SECONDS = 10


class Statuses(SubscribeCallback):
    """The statuses of one client, in order."""

    def __init__(self):
        self.arrived = Queue()

    def status(self, pubnub, status):
        self.arrived.put((status, threading.current_thread()))

    def message(self, pubnub, message):
        pass

    def presence(self, pubnub, presence):
        pass

    def next(self, what, category):
        """The next status of `category`; earlier ones are dropped.

        The SDK announces a status and only then does what follows from it, so
        its thread is waited for too.
        """
        dropped = []
        while True:
            try:
                status, thread = self.arrived.get(timeout=DEADLINE_SECONDS)
            except Empty:
                raise Mismatch(f"{what} did not come in {DEADLINE_SECONDS} s, among {dropped}") from None
            if status.category == category:
                thread.join(DEADLINE_SECONDS)
                return status
            dropped.append(status.category and status.category.name)


class Running:
    """A subscription to `room-1` that has been connected."""

    def __init__(self, operations, token):
        self.polls = Queue()
        self.client, _ = operations.connect(token=token, sent=lambda request: self.polls.put(request.url.path))
        self.statuses = Statuses()
        self.client.add_listener(self.statuses)
        self.client.subscribe().channels(["room-1"]).execute()
        self.connected()

    def connected(self):
        self.statuses.next("a connected subscription", PNStatusCategory.PNConnectedCategory)

    def add(self, channel):
        """Begins the next poll, with whatever token is set now; the SDK announces nothing."""
        self.client.subscribe().channels([channel]).execute()
        while channel not in self.polls.get(timeout=DEADLINE_SECONDS):
            pass

    def ends(self, body):
        """The next status is that the token ended."""
        status = self.statuses.next(body["message"], PNStatusCategory.PNAccessDeniedCategory)
        same("status", status.status_code, 403)
        same("body", shown(status.error_data.exception), body)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.client.stop()


def moved(operations):
    """The old token is revoked under a subscription that has a new one."""
    old, fresh = operations.token(ROOMS), operations.token(ROOMS)
    revoked = operations.data["tokens"]["revoked"]
    with Running(operations, old) as running, Running(operations, old) as left:
        running.client.set_token(fresh)
        running.add("room-2")
        operations.suite.client().revoke_token(old).sync()
        # Who stayed with the old token has lost it by now; who moved has not.
        left.ends(revoked)
        running.add("room-3")
        same("channels", sorted(running.client.get_subscribed_channels()), ["room-1", "room-2", "room-3"])
        # And it is the new token that holds the poll.
        operations.suite.client().revoke_token(fresh).sync()
        running.ends(revoked)


def ended(operations, end):
    """The token ends under a subscription, which then goes on with a new one."""
    token = operations.suite.short_token() if end == "expired" else operations.token(ROOMS)
    with Running(operations, token) as running:
        if end == "revoked":
            operations.suite.client().revoke_token(token).sync()
        running.ends(operations.data["tokens"][end])
        # The SDK has left every channel.
        running.client.set_token(operations.token(ROOMS))
        running.client.subscribe().channels(["room-1"]).execute()
        running.connected()


def subscriptions(operations):
    report = operations.report
    report.run("running subscription: goes on with a new token", lambda: moved(operations))
    for end in ("revoked", "expired"):
        report.run(
            f"running subscription: its token is {end}; a new token and it goes on",
            lambda: ended(operations, end),
        )
