# Copyright (c) 2026, the linux.lvs contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What popt(3), with which ipvsadm reads its command line, makes of words.

Private to linux.lvs: may change in any release.

The standard library's argparse and getopt differ: they take abbreviations of long names, keep the equals sign
behind a letter, and know no option whose value may be left out.
"""

from __future__ import annotations

from typing import Iterator, Mapping, NamedTuple, Sequence

# Whether an option takes a value; OPTIONAL takes the next word unless that looks like an option
NEVER, ALWAYS, OPTIONAL = "never", "always", "optional"


class Found(NamedTuple):
    """An option; ``name`` is empty for a word that is none."""

    name: str
    value: str | None
    word: str  # as it was written


def read_words(words: Sequence[str], letters: Mapping[str, str], values: Mapping[str, str]) -> Iterator[Found]:
    """The options of a command line in their order.

    ``letters`` are the short names of long ones, ``values`` says of every long name whether it takes a value.
    Raises ValueError.
    """
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word == "--":
            yield from (Found("", None, left) for left in rest)
            return
        if word.startswith("--"):
            name, equals, value = word[2:].partition("=")
            yield _long(name, value if equals else None, word, rest, values)
        elif word.startswith("-") and len(word) > 1:
            yield from _short(word, rest, letters, values)
        else:
            yield Found("", None, word)


def _long(name: str, value: str | None, word: str, rest: list[str], values: Mapping[str, str]) -> Found:
    if name not in values:
        return Found("", None, word)
    takes = values[name]
    if takes == NEVER and value is not None:
        raise ValueError(f"--{name} takes no value")
    if takes != NEVER and value is None and rest and (takes == ALWAYS or not rest[0].startswith("-")):
        value = rest.pop(0)
    return Found(name, value, word)


def _short(word: str, rest: list[str], letters: Mapping[str, str], values: Mapping[str, str]) -> Iterator[Found]:
    left = word[1:]
    while left:
        letter, left, value = left[0], left[1:], None
        name = letters.get(letter, "")
        # letters without a value may stand together, the value of the last one behind it
        if left and (left.startswith("=") or values.get(name) in (ALWAYS, OPTIONAL)):
            value, left = left[1:] if left.startswith("=") else left, ""
        yield _long(name, value, f"-{letter}", rest, values)
