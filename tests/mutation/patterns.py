"""Mutants of regular expressions, to mutmut plain strings: a quantifier, a set or an alternative changed."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_TOKEN: Final = re.compile(
    r"(?P<escape>\\.)|(?P<group>\(\?(?:P<\w+>|[:=!]))|(?P<set>\[\^?(?:\\.|[^\]\\])+\])|(?P<bounds>\{\d+(?:,\d*)?\})"
    r"|(?P<quantifier>[?*+])"
)
_OTHER_QUANTIFIER: Final = {"?": "", "*": "+", "+": "*"}
_MEMBER: Final = re.compile(r"\\.|[^\\]-[^\\]|[^\\]")
_STRUCTURE: Final = re.compile(r"\\.|\[\^?(?:\\.|[^\]\\])+\]|\((?:\?(?:P<\w+>|[:=!]))?|\||\)")


def mutants_of(pattern: str) -> Iterator[str]:
    """Yield the pattern with one thing changed each, as far as it still compiles."""
    for mutant in (*_with_other_tokens(pattern), *_without_a_choice(pattern)):
        try:
            re.compile(mutant)
        except re.error:
            continue
        yield mutant


def _with_other_tokens(pattern: str) -> Iterator[str]:
    for token in _TOKEN.finditer(pattern):
        for other in _others(token.lastgroup or "", token[0]):
            yield pattern[: token.start()] + other + pattern[token.end() :]


def _others(kind: str, text: str) -> list[str]:
    match kind:
        case "quantifier":
            return [_OTHER_QUANTIFIER[text]]
        case "bounds":
            return [
                text[: number.start()] + str(int(number[0]) + 1) + text[number.end() :]
                for number in re.finditer(r"\d+", text)
            ]
        case "set":
            opening = "[^" if text.startswith("[^") else "["
            members = _MEMBER.findall(text[len(opening) : -1])
            return [
                opening + "".join(members[:place] + members[place + 1 :]) + "]"
                for place in range(len(members) if len(members) > 1 else 0)
            ]
        case "group" if text in ("(?=", "(?!"):
            return ["(?!" if text == "(?=" else "(?="]
        case _:
            return []


def _without_a_choice(pattern: str) -> Iterator[str]:
    opened = [[0]]
    for token in _STRUCTURE.finditer(pattern):
        if token[0].startswith("("):
            opened.append([token.end()])
        elif token[0] == "|":
            opened[-1].append(token.end())
        elif token[0] == ")":
            yield from _without_each(pattern, opened.pop(), token.start())
    yield from _without_each(pattern, opened.pop(), len(pattern))


def _without_each(pattern: str, starts: list[int], end: int) -> Iterator[str]:
    """Yield the pattern without each of the alternatives that begin at `starts`; one alone stays."""
    if len(starts) > 1:
        yield pattern[: starts[0]] + pattern[starts[1] :]
        for start, behind in pairwise([*starts[1:], end + 1]):
            yield pattern[: start - 1] + pattern[behind - 1 :]
