"""One JSON line per scenario on stdout, and what the exit status will be."""

import json


class Mismatch(Exception):
    """A comparison that did not hold."""


def same(what, actual, expected):
    """Raise with both sides when they differ in any field or type."""
    left, right = (json.dumps(side, sort_keys=True, ensure_ascii=False) for side in (expected, actual))
    if left != right:
        raise Mismatch(f"{what}: expected {left}, got {right}")


class Report:
    """Prints outcomes and remembers whether one failed."""

    def __init__(self, driver, sdk):
        self._driver = driver
        self._sdk = sdk
        self.failed = False

    def _line(self, name, ok, detail, covers):
        line = {"driver": self._driver, "sdk": self._sdk, "name": name, "ok": ok, "detail": detail} | covers
        print(json.dumps(line, ensure_ascii=False), flush=True)

    def not_possible(self, name, reason, **covers):
        self._line(name, None, f"not possible: {reason}", covers)

    def run(self, name, scenario, **covers):
        """Run one scenario; `covers` names the operation and the outcome that it stands for."""
        try:
            scenario()
        except Exception as error:  # any error of a scenario is its outcome
            self.failed = True
            self._line(name, False, f"{type(error).__name__}: {error}", covers)
        else:
            self._line(name, True, "", covers)
