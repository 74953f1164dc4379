# Copyright (c) 2026, the linux.lvs contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The closed set of errors of this collection.

Private to linux.lvs: may change in any release.
"""

from __future__ import annotations

from typing import Iterable, Sequence

_REPEATED = 10  # times that a sentence is told in full
_TOLD = 3  # of more places than these


class LvsError(Exception):
    """Whatever a user is told in one sentence instead of a traceback.

    ``done`` are the command lines of what was done before, and was not undone; ``told`` when the sentence says so
    already.
    """

    done: tuple[str, ...] = ()
    told = False

    def __str__(self) -> str:
        text = super().__str__()
        return f"{text}; done before, and left so: {', '.join(self.done)}" if self.done and not self.told else text


class InvalidInput(LvsError):
    """What was asked for is wrong; raised before anything is changed.

    ``problems`` are sentences of the form ``path: what is wrong and what is allowed``.
    """

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__(in_one(self.problems))


def in_one(problems: Sequence[str]) -> str:
    """Problems as one text; of a sentence that many places have in common, the first of them and how many more."""
    places: dict[str, list[str]] = {}
    for problem in problems:
        place, _colon, sentence = problem.partition(": ")
        places.setdefault(sentence, []).append(place)
    return "; ".join(dict.fromkeys(_gathered(problem, places) for problem in problems))


def _gathered(problem: str, places: dict[str, list[str]]) -> str:
    sentence = problem.partition(": ")[2]
    found = places[sentence]
    if not sentence or len(found) <= _REPEATED:
        return problem
    return f"{', '.join(found[:_TOLD])} and {len(found) - _TOLD} more: {sentence}"


class Unsupported(LvsError):
    """This host can't do it: no pyroute2, no IPVS in the kernel, no permission, no such namespace."""


class Refused(LvsError):
    """The kernel refused an operation for a reason that trying again would not change."""


class Conflict(LvsError):
    """An entry appeared or vanished under our hands: somebody else works on the table too."""


class Unsettled(LvsError):
    """The kernel still differs from what was asked for after several attempts."""


class Busy(LvsError):
    """Another run of this collection holds the lock."""
