# Copyright (c) 2026, the linux.lvs contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The language of keepalived.conf(5): files to a tree of statements, each with the place where it stands.

Private to linux.lvs: may change in any release.

As keepalived 2.2 reads it: comments, quoted strings, ``include`` and its variants, definitions of one and of several
lines, ``~SEQ`` and ``~LST``, lines for hosts with a certain name (``@name``). What the words mean is not known here.
Whatever stands in a file, reading ends and gives what could be read; the rest are warnings.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Callable, Iterator, NamedTuple, Sequence

from ._model import Place

MAX_LINES = 200_000  # of what comes out of all definitions and sequences
MAX_LENGTH = 4096  # of a line, more than keepalived itself takes
MAX_DEPTH = 40  # of files in files, definitions in definitions, sequences in sequences
_BLANKS = " \t"
_DEFINITION = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]*)=[ \t]*(.*)", re.DOTALL)
_USE = re.compile(r"\$(?:\{([A-Za-z_][A-Za-z0-9_]*)\}|([A-Za-z_][A-Za-z0-9_]*)(?=[ \t,)]|$))")
_SEQUENCE = re.compile(r"~SEQ(x?)[ \t]*\([ \t]*([^\s,()]+)[ \t]*,([^()]*)\)[ \t]*(.*)", re.DOTALL)
_NUMBER = re.compile(r"[+-]?(?:0[xX][0-9A-Fa-f]{1,15}|[0-9]{1,18})")
_NO_SEQUENCE = "is no sequence that can be read"
_LIST = re.compile(r"~LST[ \t]*\(([^()]*)\)[ \t]*(.*)", re.DOTALL)
_INCLUDE = re.compile(r"include[a-z]?")
_PIECES = re.compile(r'[{}]|(?:"[^"]*"|"[^"]*$|[^{}"])+')
_WORDS = re.compile(r'"([^"]*)"?|([^ \t\r\f\v"]+)')
_ITEMS = re.compile(r"\{([^{}]*)\}|([^,{}]+)")
_BRACES = re.compile(r"\{([^{}]*,[^{}]*)\}")


class Source(NamedTuple):
    """A file and what stands in it."""

    path: str
    text: str


class Found(NamedTuple):
    """The files that a pattern found, in their order, and why others could not be read."""

    sources: Sequence[Source] = ()
    problems: Sequence[str] = ()


Find = Callable[[str], Found]  # takes the absolute name of a file, which may have wildcards


@dataclass(frozen=True)
class Statement:
    """Words, and the statements between the braces behind them; ``block`` is None without braces."""

    words: tuple[str, ...]
    place: Place
    block: tuple[Statement, ...] | None = None


class Tree(NamedTuple):
    """What a file says, with all that it includes."""

    statements: tuple[Statement, ...]
    warnings: tuple[str, ...]


class _TooMuchError(Exception):
    pass


def read_tree(source: Source, find: Find, name: str) -> Tree:
    """Reads a file and all that it includes; ``name`` is what ``@name`` at the beginning of a line is compared with."""
    reader = _Reader(find, name)
    statements = _nested(reader.pieces(source), reader.warnings)
    return Tree(statements, tuple(reader.warnings))


class _Reader:
    """Files to pieces: braces, and the text between them."""

    def __init__(self, find: Find, name: str) -> None:
        self.warnings: list[str] = []
        self._find = find
        self._name = name
        self._left = MAX_LINES
        # those of several lines are told apart by their line ends
        self._definitions: dict[str, str] = {"_INSTANCE": name, "_HASH": "#", "_BANG": "!"}

    def pieces(self, source: Source) -> Iterator[tuple[str, Place]]:
        """The pieces of a file and of all that it includes."""
        place = Place(source.path, 1)
        try:
            yield from self._file(source, 0)
        except _TooMuchError:
            self._warn(place, f"is not read further: its definitions and sequences make more than {MAX_LINES} lines")

    def _warn(self, place: Place, text: str) -> None:
        self.warnings.append(f"{place}: {text}")

    def _file(self, source: Source, depth: int) -> Iterator[tuple[str, Place]]:
        defining = ""  # the name of a definition that goes on
        for number, raw in enumerate(source.text.split("\n"), 1):
            place = Place(source.path, number)
            line = self._without_comment(raw, place)
            if len(line) > MAX_LENGTH:
                self._warn(place, f"is longer than {MAX_LENGTH} characters, and not read")
                continue
            if defining:
                self._definitions[defining] += _without_backslash(line) + "\n"
                defining = defining if line.endswith("\\") else ""
                continue
            line = self._if_for_this_host(line)
            definition = _DEFINITION.fullmatch(line)
            if definition and line.endswith("\\"):
                defining = definition[1]
                self._definitions[defining] = _without_backslash(definition[2]) + "\n"
                continue
            yield from self._line(line, place, depth)

    def _without_comment(self, raw: str, place: Place) -> str:
        """A line without its comment and without blanks around; a backslash at its end stays, also behind a comment."""
        text, kept, quoted, at = raw.strip(" \t\r\f\v\0"), "", False, 0
        goes_on = (len(text) - len(text.rstrip("\\"))) % 2 == 1
        text = text[:-1] if goes_on else text
        while at < len(text):
            sign = text[at]
            if sign == "\\" and at + 1 < len(text):
                kept += text[at + 1] if not quoted and text[at + 1] in "#!" else text[at : at + 2]
                at += 2
                continue
            if sign in "#!" and not quoted:
                break
            quoted ^= sign == '"'
            kept += sign
            at += 1
        if quoted:
            self._warn(place, "a quoted string has no end")
        return kept.rstrip(_BLANKS) + ("\\" if goes_on else "")

    def _if_for_this_host(self, line: str) -> str:
        """The line without the condition at its beginning; empty when that is not met."""
        while line.startswith("@"):
            condition, _blank, rest = line.replace("\t", " ").partition(" ")
            others = condition.startswith("@^")
            if (condition[1 + others :] == self._name) == others:
                return ""
            line = rest.lstrip(_BLANKS)
        return line

    def _line(self, line: str, place: Place, depth: int) -> Iterator[tuple[str, Place]]:
        """The pieces that a line comes to."""
        while line:
            self._count()
            line = self._if_for_this_host(line)
            others = self._instead_of(line, place, depth)
            if others is not None:
                yield from others
                return
            piece = _PIECES.match(line)
            if piece is None:
                return
            yield piece[0], place
            line = line[piece.end() :].strip(_BLANKS)

    def _count(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise _TooMuchError

    def _instead_of(self, line: str, place: Place, depth: int) -> Iterator[tuple[str, Place]] | None:
        """The pieces that come in place of a line; None when it stands for itself."""
        definition = _DEFINITION.fullmatch(line)
        if definition:
            self._definitions[definition[1]] = definition[2]
            return iter(())
        if line.startswith("~"):
            return self._repeated(line, place, depth)
        replaced = self._replaced(line, place)
        if replaced != line:
            return self._lines(replaced, place, depth)
        words = split_words(line)
        if len(words) == 2 and _INCLUDE.fullmatch(words[0]):
            return self._included(words[1], place, depth)
        return None

    def _lines(self, text: str, place: Place, depth: int) -> Iterator[tuple[str, Place]]:
        """The pieces of a line whose definitions were replaced, by several lines perhaps."""
        lines = text.rstrip("\n").split("\n")
        if depth == MAX_DEPTH or len(max(lines, key=len)) > MAX_LENGTH:
            self._warn(place, "a definition is too long, or made of itself")
            return
        for line in lines:
            yield from self._line(line, place, depth + 1)

    def _replaced(self, line: str, place: Place) -> str:
        """The line with the definitions that it uses; what is not defined stays as it is."""

        def value(use: re.Match[str]) -> str:
            name = use[1] or use[2]
            if name == "_PWD" and name not in self._definitions:
                return _directory(place.path)
            text = self._definitions.get(name, use[0])
            # one of several lines counts at the end of a line only
            return use[0] if "\n" in text and use.end() != len(line) else text

        return _USE.sub(value, line)

    def _repeated(self, line: str, place: Place, depth: int) -> Iterator[tuple[str, Place]]:
        """The pieces of the rest of a line that begins with a sequence, for every value of that."""
        try:
            if depth == MAX_DEPTH:
                raise ValueError("is one sequence in too many others")
            names, rows, rest = self._rows(line, place)
        except ValueError as error:
            self._warn(place, f"{line!r} {error}")
            return
        for row in rows:
            self._count()
            self._definitions.update(zip(names, row))
            yield from self._line(rest, place, depth + 1)

    def _rows(self, line: str, place: Place) -> tuple[Sequence[str], Iterator[Sequence[str]], str]:
        """Which names get which values, one row after the other, and the rest of the line. Raises ValueError."""
        sequence, listed = _SEQUENCE.fullmatch(line), _LIST.fullmatch(line)
        if sequence:
            hexadecimal, name, numbers, rest = sequence.groups()
            values = _sequence(self._replaced(numbers.strip(_BLANKS), place))
            return [name], ([f"{value:x}" if hexadecimal else str(value)] for value in values), rest
        if listed:
            items = [(row or item).strip() for row, item in _ITEMS.findall(listed[1]) if (row or item).strip()]
            names, *rows = [[word.strip() for word in item.split(",")] for item in items] or [[]]
            if names and rows and all(len(row) == len(names) for row in rows):
                return names, iter(rows), listed[2]
        raise ValueError(_NO_SEQUENCE)

    def _included(self, pattern: str, place: Place, depth: int) -> Iterator[tuple[str, Place]]:
        if depth == MAX_DEPTH:
            self._warn(place, f"include {pattern}: is one file in too many others")
            return
        for name in expand_braces(pattern):
            found = self._find(name if name.startswith("/") else f"{_directory(place.path)}/{name}")
            for problem in found.problems:
                self._warn(place, f"include {pattern}: {problem}")
            for source in found.sources:
                yield from self._file(source, depth + 1)


def _without_backslash(line: str) -> str:
    return line[:-1].rstrip(_BLANKS) if line.endswith("\\") else line


def _directory(path: str) -> str:
    return path.rpartition("/")[0] or "/"


def _sequence(text: str) -> Sequence[int]:
    """The numbers of ~SEQ, of its second parameter on: end, or start and end, or start, step and end."""
    words = [word.strip() for word in text.split(",")]
    if not 1 <= len(words) <= 3 or not all(_NUMBER.fullmatch(word) for word in words):
        raise ValueError(_NO_SEQUENCE)
    numbers = [int(word, 16 if "x" in word.lower() else 10) for word in words]
    if len(numbers) == 1:
        sign = -1 if numbers[0] < 1 else 1
        numbers = [sign, sign, *numbers]
    elif len(numbers) == 2:
        numbers = [numbers[0], 1 if numbers[0] <= numbers[1] else -1, numbers[1]]
    start, step, end = numbers
    if not step or (end - start) * step < 0:
        raise ValueError(_NO_SEQUENCE)
    return range(start, end + (1 if step > 0 else -1), step)


def expand_braces(pattern: str) -> Sequence[str]:
    """A name with ``{a,b}`` as the names that a shell makes of it; of too many, the first ones."""
    names = [pattern]
    for _round in range(MAX_DEPTH):
        opened = [name for name in names if _BRACES.search(name)]
        if not opened or len(names) > MAX_DEPTH:
            break
        names = [
            name[: found.start()] + choice + name[found.end() :] if found else name
            for name in names
            for found in [_BRACES.search(name)]
            for choice in (found[1].split(",") if found else [""])
        ]
    return names


def split_words(text: str) -> tuple[str, ...]:
    """The words of a statement. A quoted string is one word, also where it touches another."""
    return tuple(word[1] if word[2] is None else word[2] for word in _WORDS.finditer(text))


def _nested(pieces: Iterator[tuple[str, Place]], warnings: list[str]) -> tuple[Statement, ...]:
    """The statements at the top, with what is between braces in them."""
    levels: list[list[Statement]] = [[]]
    for piece, place in pieces:
        here = levels[-1]
        if piece == "{":
            if not here or here[-1].block is not None:
                warnings.append(f"{place}: a brace opens, and nothing is before it")
                here.append(Statement((), place))
            levels.append([])
        elif piece == "}" and len(levels) > 1:
            _close(levels)
        elif piece == "}":
            warnings.append(f"{place}: a brace closes that was not opened")
        else:
            words = split_words(piece)
            if words:
                here.append(Statement(words, place))
    while len(levels) > 1:
        warnings.append(f"{levels[-2][-1].place}: this brace is never closed")
        _close(levels)
    return tuple(levels[0])


def _close(levels: list[list[Statement]]) -> None:
    block = tuple(levels.pop())
    head = levels[-1].pop()
    levels[-1].append(Statement(head.words, head.place, block))
