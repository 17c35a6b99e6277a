"""What RE2 itself says, for tests/it/pattern_re2.rs.

Reads one JSON object a line, answers each with one, in order:

  {"pattern": P, "names": [N, ..]}  ->  {"matched": "0110.."}, one digit a name
  {"universe": [[first, last], ..]} ->  {"universe": how many characters}
  {"members": C}                    ->  {"members": [[first, last], ..]}, the
      characters of the universe that the one-character pattern C matches

A pattern that RE2 refuses is answered {"refused": why}. Needs google-re2.
"""

import json
import sys

import re2

OPTIONS = re2.Options()
OPTIONS.log_errors = False


def matched(request):
    search = re2.compile(request["pattern"].encode(), OPTIONS).search
    names = (name.encode() for name in request["names"])
    return {"matched": "".join("01"[search(name) is not None] for name in names)}


def characters(ranges):
    for first, last in ranges:
        for point in range(first, last + 1):
            if not 0xD800 <= point <= 0xDFFF:
                yield point


def members(universe, one_character):
    text, points, point_at = universe
    whole = re2.compile(b"(?:" + one_character.encode() + b")+", OPTIONS)
    found = []
    for match in whole.finditer(text):
        start, end = match.span()
        for index in range(point_at[start], point_at[end]):
            point = points[index]
            if found and found[-1][1] == point - 1:
                found[-1][1] = point
            else:
                found.append([point, point])
    return {"members": found}


def make_universe(ranges):
    points = list(characters(ranges))
    encoded = [chr(point).encode() for point in points]
    point_at = {}
    offset = 0
    for index, piece in enumerate(encoded):
        point_at[offset] = index
        offset += len(piece)
    point_at[offset] = len(points)
    return b"".join(encoded), points, point_at


def main():
    universe = make_universe([])
    for line in sys.stdin.buffer:
        request = json.loads(line)
        try:
            if "pattern" in request:
                reply = matched(request)
            elif "universe" in request:
                universe = make_universe(request["universe"])
                reply = {"universe": len(universe[1])}
            else:
                reply = members(universe, request["members"])
        except re2.error as error:
            reply = {"refused": str(error)}
        sys.stdout.write(json.dumps(reply) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
