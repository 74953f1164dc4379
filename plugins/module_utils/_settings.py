# Copyright (c) 2026, the linux.lvs contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sync daemons, time-outs and counters: what was asked for, on top of what the kernel has, and what is to be done.

Private to linux.lvs: may change in any release.

Options that were left out keep what a running daemon of the role has, or what the time-outs are. The kernel can't
change a daemon: one that is to be another is stopped and started.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Callable, Mapping, Sequence

from ._address import family_of, is_multicast, parse_address
from ._errors import InvalidInput
from ._model import (
    DEFAULT_MTU,
    MAX_INTERFACE,
    MAX_SYNC_ID,
    MAX_TIMEOUT,
    ROLES,
    TIMEOUTS,
    Counters,
    Interface,
    SyncDaemon,
    Table,
    Timeouts,
    daemon_problems,
    derived_maxlen,
    sorted_keys,
)
from ._options import Reader

START, STOP = "start", "stop"
MAX_MAXLEN = 65507  # bytes that UDP carries over IPv4


@dataclass(frozen=True)
class DaemonSpec:
    """A sync daemon as far as it was described."""

    role: str
    given: Mapping[str, Any]  # by names of DAEMON_ATTRIBUTES


@dataclass(frozen=True)
class DaemonStep:
    """Something that is done to a daemon."""

    verb: str  # START, STOP
    daemon: SyncDaemon

    def __str__(self) -> str:
        return f"{self.verb} the {self.daemon.role} daemon on {self.daemon.interface}"


def read_daemon(options: Reader, present: bool) -> DaemonSpec | None:
    """A sync daemon; None when it is wrong, with the reasons noted. ``present``: it is to run."""
    noted = len(options.problems)
    role = options.choice("role", ROLES)
    if not options.given("role"):
        options.problem("role", f"is required: {' or '.join(ROLES)}")
    given: dict[str, Any] = {}
    for name, value in (
        ("interface", options.read("interface", parse_interface)),
        ("sync_id", options.integer("sync_id", 0, MAX_SYNC_ID)),
        ("sync_maxlen", options.integer("sync_maxlen", 0, MAX_MAXLEN)),
        ("multicast_group", options.read("multicast_group", _parse_group)),
        ("multicast_port", options.integer("multicast_port", 1, 65535)),
        ("multicast_ttl", options.integer("multicast_ttl", 1, 255)),
    ):
        if value is not None:
            given[name] = value
    if present:
        for name in ("interface", "sync_id"):
            if not options.given(name):
                options.problem(name, "is required with state present")
    return DaemonSpec(role, given) if len(options.problems) == noted else None


def parse_interface(value: Any) -> str:
    """The name of a network interface as the kernel takes it. Raises ValueError."""
    if (
        not isinstance(value, str)
        or not 1 <= len(value.encode(errors="replace")) <= MAX_INTERFACE
        or value in (".", "..")
        or not value.isprintable()
        or any(character in "/: " for character in value)
    ):
        raise ValueError(
            f"{value!r} is not the name of a network interface: up to {MAX_INTERFACE} bytes without spaces, / and :"
        )
    return value


def _parse_group(value: Any) -> str:
    address = parse_address(value)
    if not is_multicast(address):
        raise ValueError(
            f"{address} is not a multicast address, which is one from 224.0.0.0 to 239.255.255.255 or from ff00:: on"
        )
    return address


def merge_daemon(
    spec: DaemonSpec, current: SyncDaemon | None, mtu_of: Callable[[str], int] = lambda interface: DEFAULT_MTU
) -> SyncDaemon:
    """The daemon with what was given, everything else kept. Raises InvalidInput.

    What the kernel derived from one family of groups is no choice of anybody's for the other, so it is not kept.
    """
    given = {**spec.given, **({"sync_maxlen": None} if spec.given.get("sync_maxlen") == 0 else {})}
    if current and "sync_maxlen" not in given and _is_of_other_family(given.get("multicast_group"), current):
        derived = derived_maxlen(current.role, current.multicast_group, mtu_of(current.interface))
        if current.sync_maxlen == derived:
            given["sync_maxlen"] = None
    merged = replace(current, **given) if current else SyncDaemon(role=spec.role, **given)
    problems = daemon_problems(merged)
    if problems and merged != current:
        raise InvalidInput(problems)
    return merged


def _is_of_other_family(group: str | None, current: SyncDaemon) -> bool:
    return group is not None and family_of(group) != family_of(current.multicast_group)


def daemon_steps(current: SyncDaemon | None, desired: SyncDaemon | None) -> tuple[DaemonStep, ...]:
    """What leads from one daemon to the other, or to none."""
    if current == desired:
        return ()
    stop = (DaemonStep(STOP, current),) if current else ()
    return stop + ((DaemonStep(START, desired),) if desired else ())


def interface_problem(name: str, interface: Interface | None, others: Sequence[str]) -> str | None:
    """Why a daemon could do nothing on an interface; ``others`` are the names of those that there are."""
    if interface is None:
        return f"interface: {name} does not exist in this network namespace; there are {', '.join(others)}"
    if not interface.up:
        return f"interface: {name} is down; bring it up first (ip link set {name} up)"
    return None


def mixed_family_problem(table: Table) -> str | None:
    """Why no daemon can be started while there is such a table (ip_vs_ctl.c counts servers of the other family)."""
    for key in sorted_keys(table):
        for server in sorted_keys(table[key].servers):
            if family_of(server.address) != key.family:
                return (
                    f"role: no sync daemon can run while a service has a server of the other family, as {key} has"
                    f" {server}"
                )
    return None


def daemon_warnings(daemon: SyncDaemon) -> tuple[str, ...]:
    """What the user should know about a daemon that is to run."""
    if daemon.role == "backup" and daemon.sync_id == 0:
        return ("sync_id: 0 lets a backup take the connections of every cluster on that network, whatever their id",)
    return ()


def read_timeouts(options: Reader) -> Timeouts:
    """The time-outs that were given."""
    given = {name: options.integer(name, 1, MAX_TIMEOUT) for name in TIMEOUTS}
    if not any(options.given(name) for name in TIMEOUTS):
        options.problem(TIMEOUTS[0], f"at least one of {', '.join(TIMEOUTS)} is required")
    return Timeouts(**given)


def merge_timeouts(given: Timeouts, current: Timeouts) -> Timeouts:
    """The time-outs with what was given, the others kept."""
    return replace(current, **given.to_options())


def timeouts_change(current: Timeouts, desired: Timeouts) -> Timeouts | None:
    """Only what differs, the rest None; None when nothing does."""
    if current == desired:
        return None
    differing = {name for name in TIMEOUTS if getattr(current, name) != getattr(desired, name)}
    return Timeouts(**{name: getattr(desired, name) for name in differing})


def parse_totals(text: str) -> Counters:
    """The counters of the whole namespace, as /proc/net/ip_vs_stats writes them; zeros for an empty text."""
    numbers = text.splitlines()[2].split() if text else []
    return Counters(*(int(number, 16) for number in numbers))
