# Copyright (c) 2026, the linux.lvs contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module ipvs_sysctls: what it is asked for, how it is done, what it returns.

Private to linux.lvs: may change in any release.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any, Callable, Iterable, Mapping, Sequence

from . import _host
from ._errors import LvsError, Refused, Unsettled, Unsupported
from ._module import COMMON, LvsModule, Spec, errors_told
from ._netlink import load
from ._options import Reader
from ._sysctls import Value, Wish, command, differing, missing, parse_cpus, read_wishes, unknown, unproven, why_not_kept

SYSCTLS_SPEC: Spec = {**COMMON, "values": {"type": "dict", "required": True}}
_ATTEMPTS = 5  # to settle values that somebody else sets too

Values = Mapping[str, Value]


@dataclass(frozen=True)
class Outcome:
    """What a run found, did and left."""

    before: Values  # without those that can't be known
    after: Values
    done: tuple[Wish, ...] = ()
    warnings: tuple[str, ...] = ()


def run_sysctls() -> None:
    """The module ipvs_sysctls."""
    module = LvsModule(SYSCTLS_SPEC, _sysctls_request)
    wishes, netns = module.request, module.params["netns"]
    with errors_told(module), _host.network_namespace(netns):
        if module.check_mode:
            outcome = _predict(wishes)
        else:
            with _host.lock(module._name):
                outcome = _converge(wishes, netns, module.log)
        for warning in outcome.warnings:
            module.warn(warning)
        result = _result(outcome, netns)
        if module._diff:
            names = [wish.name for wish in outcome.done]
            result["diff"] = {key: _only(names, result[key]) for key in ("before", "after")}
        module.exit_json(**result)


def _sysctls_request(options: Reader, check_mode: bool) -> tuple[Wish, ...]:
    return read_wishes(options, parse_cpus(_host.possible_cpus()))


def _result(outcome: Outcome, netns: str | None) -> dict[str, Any]:
    return {
        "changed": bool(outcome.done),
        "commands": [command(wish.name, wish.value, netns) for wish in outcome.done],
        "before": dict(outcome.before),
        "after": dict(outcome.after),
    }


def _only(names: Sequence[str], values: Values) -> Values:
    return {name: values[name] for name in names if name in values}


def _predict(wishes: Sequence[Wish]) -> Outcome:
    """What a run would do; nothing is written or loaded. A kernel without IPVS will begin with its defaults."""
    names, release = _host.sysctl_names(), os.uname().release
    warnings = [text for wish in wishes for text in unknown(wish)]
    if names is None:
        before = {wish.name: default for wish in wishes for default in [wish.sysctl.default] if default is not None}
        warnings += [text for wish in wishes for text in unproven(wish, release)]
    else:
        _refuse_missing(wishes, names)
        before = _normal(wishes, _read(wishes))
        _refuse_unchangeable(differing(wishes, before))
    return Outcome(before, {wish.name: wish.value for wish in wishes}, differing(wishes, before), tuple(warnings))


def _converge(wishes: Sequence[Wish], netns: str | None, log: Callable[[str], None]) -> Outcome:
    """Sets what differs, and proves it. Raises Refused, after leading back what this run set, and other errors."""
    names = _host.sysctl_names()
    if names is None:
        load()
        names = _host.sysctl_names()
    if names is None:
        raise Unsupported("this kernel has IPVS without its sysctls: /proc/sys/net/ipv4/vs does not exist")
    _refuse_missing(wishes, names)
    run = _Run(wishes, netns, log, _read(wishes))
    before = _normal(wishes, run.snapshot)
    _refuse_unchangeable(differing(wishes, before))
    try:
        after = run.settle(before)
    except LvsError as error:
        error.done = tuple(command(wish.name, wish.value, netns) for wish in run.journal.values())
        raise
    warnings = tuple(text for wish in wishes for text in unknown(wish))
    return Outcome(before, after, tuple(run.journal[name] for name in sorted(run.journal)), warnings)


def _read(wishes: Iterable[Wish]) -> dict[str, str]:
    return {wish.name: _folded(_host.read_sysctl(wish.name)) for wish in wishes}


def _folded(text: str) -> str:
    return " ".join(text.split())


def _normal(wishes: Iterable[Wish], texts: Mapping[str, str]) -> dict[str, Value]:
    return {wish.name: wish.sysctl.kind.normal(texts[wish.name]) for wish in wishes}


def _refuse_missing(wishes: Sequence[Wish], names: frozenset[str]) -> None:
    if not names and _host.in_user_namespace():
        raise Unsupported("values: this kernel shows no sysctls of IPVS to a rootless container or user namespace")
    problems = [missing(wish, names, os.uname().release) for wish in wishes if wish.name not in names]
    if problems:
        raise Unsupported("; ".join(problems))


def _refuse_unchangeable(wishes: Sequence[Wish]) -> None:
    problems = []
    for wish in wishes:
        why = _host.why_read_only(wish.name) or why_not_kept(wish, _host.allowed_cpus())
        if why:
            problems.append(f"{wish.path}: can't be set to {wish.value!r} here: {why}")
    if problems:
        raise Unsupported("; ".join(problems))


@dataclass
class _Run:
    wishes: Sequence[Wish]
    netns: str | None
    log: Callable[[str], None]
    snapshot: Mapping[str, str]  # as the kernel showed it
    journal: dict[str, Wish] = field(default_factory=dict)

    def settle(self, values: Values) -> Values:
        """Sets what differs until a reading shows that nothing does."""
        for _attempt in range(_ATTEMPTS):
            for wish in differing(self.wishes, values):
                self._set(wish)
            values = _normal(self.wishes, _read(self.wishes))
            left = differing(self.wishes, values)
            if not left:
                return values
        raise Unsettled(
            f"after {_ATTEMPTS} attempts the kernel still differs: another process keeps changing it, or the kernel"
            " takes but does not keep what was asked for: "
            + ", ".join(f"{wish.path} is {values[wish.name]!r} instead of {wish.value!r}" for wish in left)
        )

    def _set(self, wish: Wish) -> None:
        try:
            _host.write_sysctl(wish.name, str(wish.value))
        except Refused as error:
            raise Refused(f"{wish.path}: {error}; {self._lead_back()}") from None
        self.journal[wish.name] = wish
        self.log(command(wish.name, wish.value, self.netns))

    def _lead_back(self) -> str:
        """Undoes what this run did, where the kernel still shows it; returns how that went, in words."""
        if not self.journal:
            return "nothing was changed"
        journal, self.journal = self.journal, {}
        told: dict[str, list[str]] = {"set before and led back": [], "left as somebody else changed it meanwhile": []}
        back, foreign = told.values()
        for name in reversed(journal):
            try:
                text = _folded(_host.read_sysctl(name))
                if journal[name].sysctl.kind.normal(text) != journal[name].value:
                    foreign.append(f"{name}, which is {text}")
                    continue
                self.log(f"leading back: {command(name, self.snapshot[name], self.netns)}")
                _host.write_sysctl(name, self.snapshot[name])
                back.append(f"{name} from {journal[name].value} to {self.snapshot[name]}")
            except LvsError as error:
                self.journal[name] = journal[name]
                told[f"leading back {name} failed"] = [str(error)]
        return "; ".join(f"{title}: {', '.join(names)}" for title, names in told.items() if names)
