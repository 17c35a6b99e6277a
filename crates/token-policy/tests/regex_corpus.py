"""Regular expressions that people wrote, for tests/it/pattern_corpus.rs.

Prints one JSON string a line, each once, in byte order: the patterns of every
lexer of Pygments and those of Matomo's device detector, as they are and with
their groups not capturing. Needs Pygments and device-detector.
"""

import importlib.util
import json
import pathlib
import re

from pygments.lexer import RegexLexer, default, include
from pygments.lexers import find_lexer_class, get_all_lexers


def of_pygments():
    for name, *_ in get_all_lexers(plugins=False):
        lexer = find_lexer_class(name)
        if not issubclass(lexer, RegexLexer):
            continue
        for ancestor in lexer.__mro__:
            for rules in vars(ancestor).get("tokens", {}).values():
                yield from (text_of(rule) for rule in rules)


def text_of(rule):
    if isinstance(rule, (include, default)) or not isinstance(rule, tuple):
        return None
    # A list of words makes its pattern when it is asked for.
    pattern = rule[0].get() if hasattr(rule[0], "get") else rule[0]
    return pattern if isinstance(pattern, str) else None


def of_device_detector():
    spec = importlib.util.find_spec("device_detector")
    for root in spec.submodule_search_locations:
        for path in sorted(pathlib.Path(root).rglob("*.yml")):
            for line in path.read_text(encoding="utf-8").splitlines():
                written = re.match(r"[\s-]*regex: *(.*\S)", line)
                if written:
                    yield scalar(written[1])


def scalar(text):
    """A value of YAML that stands on one line."""
    if len(text) > 1 and text[0] == text[-1] == "'":
        return text[1:-1].replace("''", "'")
    if len(text) > 1 and text[0] == text[-1] == '"':
        return text[1:-1].replace('\\"', '"').replace("\\\\", "\\")
    return text


def not_capturing(pattern):
    """The pattern with `(?:` in place of each `(` that captures."""
    made, in_class, at = [], False, 0
    while at < len(pattern):
        piece = pattern[at : at + 2] if pattern[at] == "\\" else pattern[at]
        at += len(piece)
        if in_class:
            in_class = piece != "]"
        elif piece == "[":
            in_class = True
            # `]` is itself where a class begins.
            lead = re.match(r"\^?\]?", pattern[at:])[0]
            piece += lead
            at += len(lead)
        elif piece == "(" and pattern[at : at + 1] != "?":
            piece = "(?:"
        made.append(piece)
    return "".join(made)


def main():
    patterns = set()
    for pattern in [*of_pygments(), *of_device_detector()]:
        # Half of a pair of UTF-16 is no text elsewhere.
        if pattern is not None and not re.search("[\ud800-\udfff]", pattern):
            patterns.update((pattern, not_capturing(pattern)))
    for pattern in sorted(patterns):
        print(json.dumps(pattern))


if __name__ == "__main__":
    main()
