# Copyright (c) 2026, the linux.lvs contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sysctls of IPVS, net.ipv4.vs.*: which there are, what they take, when two values mean the same.

Private to linux.lvs: may change in any release.

A value has a normal form, a number or text, in which values that mean the same to the kernel are equal. What a user
wrote is brought into it (``parse``), and so is what the kernel shows (``normal``). Some values that the kernel takes
make no sense and are refused here. Behaviour is that of net/netfilter/ipvs/ip_vs_ctl.c.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from functools import partial
from typing import AbstractSet, Any, Iterator, Mapping, Match, Sequence, Union

from ._model import MAX_INT
from ._options import Reader, parse_boolean, parse_integer

Value = Union[int, str]

PREFIX = "net.ipv4.vs."
# The kernel keeps seconds as jiffies in an int: more of them than this don't fit where there are 1000 a second
MAX_SECONDS = MAX_INT // 1000
MAX_CONNECTIONS = 1 << 30  # IP_VS_CONN_MAX
MAX_SYNC_PORTS = 64  # IPVS_SYNC_PORTS_MAX: more are taken, and not used
MAX_SYNC_MESSAGES = 4294967295

_WHOLE_NUMBER = re.compile(r"-?[0-9]+")
_NAME = re.compile(r"[A-Za-z0-9_-]+")
_TEXT = re.compile(r"[ -~\t]{0,1000}")
_REGION = re.compile(
    r"(?:(?P<all>[Aa][Ll][Ll])|(?P<first>[0-9]{1,9}|N)(?:-(?P<last>[0-9]{1,9}|N))?)"
    r"(?::(?P<used>[0-9]{1,9})/(?P<group>[0-9]{1,9}))?"
)
_SEPARATORS = re.compile(r"[\s,]+")
_ANY_CPUS = frozenset(range(8192))  # CONFIG_NR_CPUS at most


class Kind:
    """What a sysctl takes. This is the kind of those that are not known: any line of text, white space folded."""

    def parse(self, value: Any, cpus: AbstractSet[int] | None) -> Value:
        """The normal form of what a user wrote, on a host with these CPUs, or on any (None). Raises ValueError."""
        if isinstance(value, bool):
            return int(value)
        if not isinstance(value, (int, str)) or not _TEXT.fullmatch(str(value)):
            raise ValueError(f"{value!r} is neither a number nor a line of text")
        return self.normal(str(value))

    def normal(self, text: str) -> Value:
        """The normal form of what the kernel shows."""
        folded = " ".join(text.split())
        return int(folded) if _WHOLE_NUMBER.fullmatch(folded) else folded


@dataclass(frozen=True)
class Range(Kind):
    """Whole numbers."""

    low: int
    high: int

    def parse(self, value: Any, cpus: AbstractSet[int] | None) -> Value:
        return parse_integer(value, self.low, self.high)


class Boolean(Kind):
    """Off or on. The kernel takes any number, shows it again, and asks only whether it is 0."""

    def parse(self, value: Any, cpus: AbstractSet[int] | None) -> Value:
        return int(parse_boolean(value))

    def normal(self, text: str) -> Value:
        value = super().normal(text)
        return int(value != 0) if isinstance(value, int) else value


@dataclass(frozen=True)
class Defence(Range):
    """0 is never, 3 is always, 1 and 2 are automatic: the kernel shows 2 while memory is short and 1 otherwise."""

    low: int = 0
    high: int = 3

    def parse(self, value: Any, cpus: AbstractSet[int] | None) -> Value:
        return _automatic(super().parse(value, cpus))

    def normal(self, text: str) -> Value:
        return _automatic(super().normal(text))


def _automatic(mode: Value) -> Value:
    return 1 if mode == 2 else mode


class PowerOfTwo(Range):
    """Numbers that halve down to 1."""

    def parse(self, value: Any, cpus: AbstractSet[int] | None) -> Value:
        number = parse_integer(value, self.low, self.high)
        if number & (number - 1):
            raise ValueError(f"{number} is not a power of two between {self.low} and {self.high}")
        return number


class Threshold(Kind):
    """How many packets a connection has before it is synchronised, and after how many more again; 0 is never again."""

    def parse(self, value: Any, cpus: AbstractSet[int] | None) -> Value:
        words = value.split() if isinstance(value, str) else value
        if not isinstance(words, (list, tuple)) or len(words) != 2:
            raise ValueError(f"{value!r} is not two whole numbers such as '3 50'")
        threshold, period = (parse_integer(word, 0, MAX_INT) for word in words)
        if period and threshold >= period:
            raise ValueError(f"threshold {threshold} is not below the period {period}, which may be 0 for once only")
        return f"{threshold} {period}"


class CpuList(Kind):
    """CPUs, such as 0-3,8; all; or an empty text for none. Equal lists are equal sets, on a host that is known."""

    def parse(self, value: Any, cpus: AbstractSet[int] | None) -> Value:
        words = value if isinstance(value, (list, tuple)) else [value]
        items = [item for word in words for item in _SEPARATORS.split(str(word)) if item]
        found: set[int] = set()
        for item in items:
            region = _REGION.fullmatch(item)
            if not region:
                raise ValueError(f"{value!r} is not a list of CPUs such as 0-3,8 or all, or an empty text for none")
            found.update(_expanded(region, _ANY_CPUS if cpus is None else cpus))
        return ",".join(items) if cpus is None else format_cpus(found)

    def normal(self, text: str) -> Value:
        try:
            return format_cpus(parse_cpus(text))
        except ValueError:
            return super().normal(text)


def _expanded(region: Match[str], cpus: AbstractSet[int]) -> Iterator[int]:
    """The CPUs of a region such as 3, 0-N, all:1/2 (the first of every two)."""
    ends = ("0", "N") if region["all"] else (region["first"], region["last"] or region["first"])
    first, last = (max(cpus) if end == "N" else int(end) for end in ends)
    used, group = int(region["used"] or 1), int(region["group"] or 1)
    if first > last:
        raise ValueError(f"{region[0]!r} begins after its end")
    if not 1 <= used <= group:
        raise ValueError(f"{region[0]!r} asks for {used} of every {group} CPUs")
    if not region["all"] and not {first, last} <= cpus:
        raise ValueError(f"{region[0]!r} is not within the CPUs of this host, {format_cpus(cpus)}")
    return (cpu for cpu in range(first, last + 1) if (cpu - first) % group < used and cpu in cpus)


def parse_cpus(text: str) -> frozenset[int]:
    """CPUs as the kernel lists them. Raises ValueError."""
    found: set[int] = set()
    for item in filter(None, text.strip().split(",")):
        first, _dash, last = item.partition("-")
        found.update(range(int(first), int(last or first) + 1))
    return frozenset(found)


def format_cpus(cpus: AbstractSet[int]) -> str:
    """CPUs as the kernel lists them: 0-3,8."""
    runs: list[list[int]] = []
    for cpu in sorted(cpus):
        if runs and cpu == runs[-1][1] + 1:
            runs[-1][1] = cpu
        else:
            runs.append([cpu, cpu])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)


@dataclass(frozen=True)
class Sysctl:
    """A sysctl of IPVS. ``default`` is the kernel's own, in normal form; None where that depends on the host."""

    kind: Kind
    default: Value | None
    since: str = ""  # the version of Linux that brought it, "" for all that matter
    needs: str = ""  # what else it depends on
    usual: bool = True  # hosts have what it depends on


_COUNT = Range(0, MAX_INT)
_LBLC = "with the scheduler's module {0} loaded, as the first service with scheduler {1} does"

SYSCTLS: Mapping[str, Sysctl] = {
    "am_droprate": Sysctl(Range(1, MAX_INT), 10),
    "amemthresh": Sysctl(_COUNT, 1024),
    "backup_only": Sysctl(Boolean(), 0, "3.9"),
    "cache_bypass": Sysctl(Boolean(), 0),
    "conn_lfactor": Sysctl(Range(-8, 8), None, "7.1"),
    "conn_max": Sysctl(Range(0, MAX_CONNECTIONS), MAX_CONNECTIONS, "7.2"),
    "conn_reuse_mode": Sysctl(Range(0, 3), 1, "4.1"),
    "conntrack": Sysctl(Boolean(), 0, needs="in kernels built with CONFIG_IP_VS_NFCT"),
    "debug_level": Sysctl(_COUNT, 0, needs="in kernels built with CONFIG_IP_VS_DEBUG, which few are", usual=False),
    "drop_entry": Sysctl(Defence(), 0),
    "drop_packet": Sysctl(Defence(), 0),
    "est_cpulist": Sysctl(CpuList(), None, "6.2"),
    "est_nice": Sysctl(Range(-20, 19), 0, "6.2"),
    "expire_nodest_conn": Sysctl(Boolean(), 0),
    "expire_quiescent_template": Sysctl(Boolean(), 0),
    "ignore_tunneled": Sysctl(Boolean(), 0, "4.3"),
    "lblc_expiration": Sysctl(Range(1, MAX_SECONDS), 86400, needs=_LBLC.format("ip_vs_lblc", "lblc"), usual=False),
    "lblcr_expiration": Sysctl(Range(1, MAX_SECONDS), 86400, needs=_LBLC.format("ip_vs_lblcr", "lblcr"), usual=False),
    "nat_icmp_send": Sysctl(Boolean(), 0),
    "pmtu_disc": Sysctl(Boolean(), 1, "3.7"),
    "run_estimation": Sysctl(Boolean(), 1, "5.16"),
    "schedule_icmp": Sysctl(Boolean(), 0, "4.3"),
    "secure_tcp": Sysctl(Defence(), 0),
    "sloppy_sctp": Sysctl(Boolean(), 0, "3.11"),
    "sloppy_tcp": Sysctl(Boolean(), 0, "3.11"),
    "snat_reroute": Sysctl(Boolean(), 1),
    "svc_lfactor": Sysctl(Range(-8, 8), None, "7.1"),
    "sync_persist_mode": Sysctl(Range(0, 1), 0, "3.11"),
    "sync_ports": Sysctl(PowerOfTwo(1, MAX_SYNC_PORTS), 1, "3.5"),
    "sync_qlen_max": Sysctl(Range(1, MAX_SYNC_MESSAGES), None, "3.5"),
    "sync_refresh_period": Sysctl(Range(0, MAX_SECONDS), 0, "3.5"),
    "sync_retries": Sysctl(Range(0, 3), 0, "3.5"),
    "sync_sock_size": Sysctl(_COUNT, 0, "3.5"),
    "sync_threshold": Sysctl(Threshold(), "3 50"),
    "sync_version": Sysctl(Range(0, 1), 1),
}
_UNKNOWN = Sysctl(Kind(), None)


@dataclass(frozen=True)
class Wish:
    """A value that a sysctl is to have."""

    path: str  # of the option, for messages
    name: str
    value: Value  # in normal form

    @property
    def sysctl(self) -> Sysctl:
        """What is known of the sysctl."""
        return SYSCTLS.get(self.name, _UNKNOWN)


def read_wishes(options: Reader, cpus: AbstractSet[int] | None) -> tuple[Wish, ...]:
    """What is to be set, by name; every wrong one is noted. ``cpus`` are those of the host, None where it is not known."""
    if not options.given("values"):
        options.problem("values", "is required: a dictionary such as {conntrack: true, sync_threshold: 3 50}")
        return ()
    values = options.sub("values")
    if values is None:
        return ()
    if not values.names():
        options.problem("values", "is empty; give at least one sysctl, such as conntrack")
    wishes: dict[str, Wish] = {}
    for key in values.names():
        name = short_name(key)
        if not _NAME.fullmatch(name):
            values.problem(key, f"{key!r} is not the name of a sysctl of IPVS, such as conntrack or {PREFIX}conntrack")
            continue
        value = values.read(key, partial(SYSCTLS.get(name, _UNKNOWN).kind.parse, cpus=cpus))
        if name in wishes:
            values.problem(key, f"is the same sysctl as {wishes[name].path}; give it once")
        wishes.setdefault(name, Wish(f"values.{key}", name, value))
    return tuple(wishes[name] for name in sorted(wishes))


def short_name(key: str) -> str:
    """The name below net.ipv4.vs of a sysctl, also from its full name or its path."""
    name = key.strip().replace("/", ".")
    for prefix in (".proc.sys.", PREFIX):
        if name.startswith(prefix):
            name = name[len(prefix) :]
    return name


def differing(wishes: Sequence[Wish], values: Mapping[str, Value]) -> tuple[Wish, ...]:
    """Those that are not fulfilled."""
    return tuple(wish for wish in wishes if values.get(wish.name) != wish.value)


def command(name: str, value: Value, netns: str | None = None) -> str:
    """The command line that sets a sysctl."""
    prefix = f"ip netns exec {shlex.quote(netns)} " if netns else ""
    return f"{prefix}sysctl -w {shlex.quote(f'{PREFIX}{name}={value}')}"


def missing(wish: Wish, names: AbstractSet[str], release: str) -> str:
    """The sentence about a sysctl that this kernel does not have, among those that it has."""
    text = f"{wish.path}: this kernel ({release}) has no {PREFIX}{wish.name}"
    if wish.name not in SYSCTLS:
        return f"{text}; there are {', '.join(sorted(names)) or 'none'}"
    provided = _provided(wish.sysctl)
    return f"{text}, which there is {provided}" if provided else text


def why_not_kept(wish: Wish, allowed: str | None) -> str | None:
    """Why the kernel would keep less than what was asked for, in words; None when it would not.

    It leaves CPUs out of est_cpulist, and says nothing, on which the process that sets it may not run.
    """
    if wish.name != "est_cpulist" or allowed is None or parse_cpus(str(wish.value)) <= parse_cpus(allowed):
        return None
    return f"the kernel takes only those CPUs that this process may run on, {allowed}"


def unproven(wish: Wish, release: str) -> Iterator[str]:
    """What can't be known of a sysctl before IPVS is loaded, in sentences; mostly nothing."""
    sysctl = wish.sysctl
    if wish.name not in SYSCTLS:
        yield f"{wish.path}: whether this kernel ({release}) has it can't be told before IPVS is loaded"
    elif not sysctl.usual or _version(release) < _version(sysctl.since):
        yield (
            f"{wish.path}: whether this kernel ({release}) has it can't be told before IPVS is loaded;"
            f" there is {PREFIX}{wish.name} {_provided(sysctl)}"
        )
    if sysctl.default is None:
        yield f"{wish.path}: what the kernel has by default can't be told before IPVS is loaded; assuming a change"


def unknown(wish: Wish) -> Iterator[str]:
    """The warning about a sysctl that is not known here; mostly nothing."""
    if wish.name not in SYSCTLS:
        yield (
            f"{wish.path}: {PREFIX}{wish.name} is not known to this collection, so its value is not checked and"
            " compared as text"
        )


def _provided(sysctl: Sysctl) -> str:
    since = f"since Linux {sysctl.since}" if sysctl.since else ""
    return ", ".join(filter(None, (since, f"only {sysctl.needs}" if sysctl.needs else "")))


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"[0-9]+", text)[:2])
