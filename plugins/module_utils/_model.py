# Copyright (c) 2026, the linux.lvs contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The nouns of IPVS: virtual services, real servers, the table that holds them; sync daemons and time-outs.

Private to linux.lvs: may change in any release.

Everything is frozen; what there may be ten thousand of is a named tuple, which the interpreter makes and compares three
times as fast as a frozen dataclass. ``.key`` is identity, ``==`` is configuration. What is observed (connections, counters) is
of other types, so that it can't leak into a comparison. Values are in a normal form in which options that mean
nothing in an entry are None, as the kernel returns arbitrary values for them (a netmask of a service that is
not persistent, a tunnel type of a server that is not behind a tunnel).

The kernel may hold what this collection would not create (another protocol, tunnel type 3, forwarding 4): such
values have names like ``protocol-47``, so that reading never fails and nothing of them is lost.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Container, Dict, Mapping, NamedTuple, Sequence

from ._address import FAMILIES, IPV6, endpoint, family_of, is_host, pack

PROTOCOLS = ("tcp", "udp", "sctp")
SCHEDULERS = ("rr", "wrr", "lc", "wlc", "fo", "ovf", "lblc", "lblcr", "dh", "sh", "mh", "sed", "nq", "twos")
FORWARDINGS = ("nat", "direct", "tunnel")
TUNNEL_TYPES = ("ipip", "gue", "gre")
TUNNEL_CHECKSUMS = ("none", "csum", "remcsum")
CONNECTION_KINDS = ("active", "inactive", "persistent")
ROLES = ("master", "backup")

# What the three flags of a service mean to the schedulers that look at them (ip_vs_sh.c, ip_vs_mh.c).
FLAG_NAMES: Mapping[str, Mapping[int, str]] = {
    "sh": {1: "sh-fallback", 2: "sh-port"},
    "mh": {1: "mh-fallback", 2: "mh-port"},
}
GENERIC_FLAG_NAMES: Mapping[int, str] = {1: "flag-1", 2: "flag-2", 3: "flag-3"}
ALL_FLAG_NAMES = tuple(name for names in (*FLAG_NAMES.values(), GENERIC_FLAG_NAMES) for name in names.values())

MAX_INT = 2**31 - 1  # weights and thresholds: signed in the kernel (ip_vs_ctl.c answers ERANGE above)
MAX_U32 = 2**32 - 1
MAX_MARK = MAX_U32
MAX_PERSISTENCE = 31 * 24 * 60 * 60  # s, what ipvsadm takes; the kernel itself has no limit
MAX_NAME = 15  # IP_VS_SCHEDNAME_MAXLEN and IP_VS_PENAME_MAXLEN without the closing zero
MAX_TIMEOUT = MAX_PERSISTENCE  # s, likewise; the kernel's own limit depends on how it was built
MAX_SYNC_ID = 255  # a byte of the daemons' messages (ip_vs_sync.c)
MAX_INTERFACE = 15  # bytes, IP_VS_IFNAME_MAXLEN without the closing zero
DEFAULT_SCHEDULER = "wlc"
DEFAULT_FORWARDING = "direct"
DEFAULT_WEIGHT = 1
DEFAULT_MULTICAST_GROUP = "224.0.0.81"
DEFAULT_MULTICAST_PORT = 8848
DEFAULT_MULTICAST_TTL = 1
DEFAULT_MTU = 1500  # of an interface that is not there yet; the kernel takes no less for its own choice

SERVICE_IDENTITY = ("address", "port", "protocol", "fwmark", "family")
SERVICE_ATTRIBUTES = (
    "scheduler",
    "scheduler_flags",
    "persistence_timeout",
    "persistence_netmask",
    "persistence_engine",
    "one_packet",
)
SERVER_IDENTITY = ("address", "port")
SERVER_ATTRIBUTES = (
    "forwarding",
    "weight",
    "upper_threshold",
    "lower_threshold",
    "tunnel_type",
    "tunnel_port",
    "tunnel_checksum",
)
DAEMON_ATTRIBUTES = (
    "interface",
    "sync_id",
    "sync_maxlen",
    "multicast_group",
    "multicast_port",
    "multicast_ttl",
)
TIMEOUTS = ("tcp", "tcp_fin", "udp")


class ServiceKey(NamedTuple):
    """Which virtual service: (family, protocol, address, port), or (family, fwmark) with fwmark > 0."""

    family: str
    protocol: str | None = None
    address: str | None = None
    port: int = 0
    fwmark: int = 0

    def __str__(self) -> str:
        if self.fwmark:
            return f"fwmark {self.fwmark} ({self.family})"
        return f"{self.protocol} {endpoint(self.address or '', self.port)}"

    @property
    def order(self) -> tuple[int, int, str, bytes, int]:
        """Sorts services by address before marks, IPv4 before IPv6."""
        return (
            self.fwmark,
            FAMILIES.index(self.family),
            self.protocol or "",
            pack(self.address) if self.address else b"",
            self.port,
        )

    def to_options(self) -> dict[str, Any]:
        """The options by which the modules name this service."""
        if self.fwmark:
            return {"fwmark": self.fwmark, "family": self.family}
        return {"address": self.address, "port": self.port, "protocol": self.protocol}


class ServerKey(NamedTuple):
    """Which real server of a service."""

    address: str
    port: int

    def __str__(self) -> str:
        return endpoint(self.address, self.port)

    @property
    def order(self) -> tuple[int, bytes, int]:
        """Sorts IPv4 before IPv6, then by number."""
        return (FAMILIES.index(family_of(self.address)), pack(self.address), self.port)


class Service(NamedTuple):
    """The configuration of a virtual service, without its servers."""

    key: ServiceKey
    scheduler: str = DEFAULT_SCHEDULER
    scheduler_flags: frozenset[int] = frozenset()  # of 1, 2, 3
    persistence_timeout: int | None = None  # s; None is not persistent, 0 only the kernel can hold
    persistence_netmask: str | None = None  # as parse_netmask makes it; None when not persistent
    persistence_engine: str = ""
    one_packet: bool = False

    def to_options(self) -> dict[str, Any]:
        """The service in the shape of the options of ipvs_service."""
        options = self.key.to_options()
        options["scheduler"] = self.scheduler
        options["scheduler_flags"] = list(flag_names(self.scheduler, self.scheduler_flags))
        options["persistence_timeout"] = self.persistence_timeout or 0
        # a timeout of 0 turns persistence off, so what would go with it is left out: declared again it were an error
        if self.persistence_timeout:
            options["persistence_netmask"] = self.persistence_netmask
        if self.persistence_timeout or (self.persistence_engine and self.persistence_timeout is None):
            options["persistence_engine"] = self.persistence_engine
        options["one_packet"] = self.one_packet
        return options


class Server(NamedTuple):
    """The configuration of a real server of one service."""

    key: ServerKey
    forwarding: str = DEFAULT_FORWARDING
    weight: int = DEFAULT_WEIGHT
    upper_threshold: int = 0  # connections, 0 is no limit
    lower_threshold: int = 0
    tunnel_type: str | None = None  # with forwarding tunnel only
    tunnel_port: int | None = None  # with tunnel type gue only
    tunnel_checksum: str | None = None  # with tunnel types gue and gre only

    def to_options(self) -> dict[str, Any]:
        """The server in the shape of the options of ipvs_server (without ``service``)."""
        options: dict[str, Any] = {"address": self.key.address, "port": self.key.port}
        for name in SERVER_ATTRIBUTES:
            value = getattr(self, name)
            if value is not None:
                options[name] = value
        return options


class Entry(NamedTuple):
    """A virtual service with its real servers."""

    service: Service
    servers: Mapping[ServerKey, Server]

    def to_options(self) -> dict[str, Any]:
        """The entry in the shape of an element of ipvs_table's ``services``."""
        options = self.service.to_options()
        options["servers"] = [self.servers[key].to_options() for key in sorted_keys(self.servers)]
        return options


Table = Dict[ServiceKey, Entry]


@dataclass(frozen=True)
class SyncDaemon:
    """The configuration of the kernel's daemon that sends connections to other directors, or receives theirs."""

    role: str
    interface: str
    sync_id: int
    sync_maxlen: int | None = None  # bytes in a UDP packet; None leaves it to the kernel
    multicast_group: str = DEFAULT_MULTICAST_GROUP
    multicast_port: int = DEFAULT_MULTICAST_PORT
    multicast_ttl: int = DEFAULT_MULTICAST_TTL

    @property
    def key(self) -> str:
        """Which daemon: there is one of each role in a network namespace."""
        return self.role

    def to_options(self) -> dict[str, Any]:
        """The daemon in the shape of the options of ipvs_sync_daemon."""
        return {"role": self.role, **_without_none({name: getattr(self, name) for name in DAEMON_ATTRIBUTES})}


@dataclass(frozen=True)
class Timeouts:
    """After how many seconds without a packet a connection is forgotten, by protocol and state.

    None is a protocol that this kernel's IPVS was built without; in a change, what stays as it is.
    """

    tcp: int | None = None
    tcp_fin: int | None = None
    udp: int | None = None

    def to_options(self) -> dict[str, Any]:
        """The time-outs in the shape of the options of ipvs_timeouts."""
        return _without_none({name: getattr(self, name) for name in TIMEOUTS})


KERNEL_TIMEOUTS = Timeouts(tcp=15 * 60, tcp_fin=2 * 60, udp=5 * 60)  # ip_vs_proto_tcp.c, ip_vs_proto_udp.c


def _without_none(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


@dataclass(frozen=True)
class Interface:
    """What matters of a network interface to a sync daemon."""

    name: str
    up: bool
    mtu: int


@dataclass(frozen=True)
class Connections:
    """How many connections a server has, as the kernel counts them."""

    active: int = 0
    inactive: int = 0
    persistent: int = 0

    def to_options(self) -> dict[str, int]:
        """By kind."""
        return {kind: getattr(self, kind) for kind in CONNECTION_KINDS}


@dataclass(frozen=True)
class Counters:
    """What a service or server has done since it was added or zeroed (totals), and lately (per second)."""

    connections: int = 0
    packets_in: int = 0
    packets_out: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    connections_per_second: int = 0
    packets_in_per_second: int = 0
    packets_out_per_second: int = 0
    bytes_in_per_second: int = 0
    bytes_out_per_second: int = 0


@dataclass(frozen=True)
class ServerStatus:
    """What the kernel observed of a server."""

    connections: Connections
    counters: Counters


@dataclass(frozen=True)
class ServiceStatus:
    """What the kernel observed of a service and its servers."""

    counters: Counters
    servers: Mapping[ServerKey, ServerStatus]


@dataclass(frozen=True)
class Place:
    """Where something stands in a file; lines are counted from 1."""

    path: str
    line: int

    def __str__(self) -> str:
        return f"{self.path}:{self.line}"


@dataclass(frozen=True)
class Claim:
    """A virtual service that another program's file declares."""

    key: ServiceKey
    place: Place

    def to_options(self) -> dict[str, Any]:
        """As ipvs_owner_info returns it."""
        return {"service": self.key.to_options()}


@dataclass(frozen=True)
class Setting:
    """What another program's file sets, and concerns more than the services that it declares."""

    name: str
    value: str
    place: Place

    def to_options(self) -> dict[str, Any]:
        """As ipvs_owner_info returns it."""
        return {"name": self.name, "value": self.value}


class Declared(NamedTuple):
    """What a configuration of another program declares, and what of it could not be understood."""

    claims: Sequence[Claim]
    warnings: Sequence[str]
    netns: str | None = None  # the name of the network namespace whose table is meant, when that is said
    settings: Sequence[Setting] = ()


def sorted_keys(mapping: Mapping[Any, Any]) -> list[Any]:
    """The keys of a table or of an entry's servers in their canonical order."""
    return sorted(mapping, key=lambda key: key.order)


def table_to_options(table: Table) -> list[dict[str, Any]]:
    """A table in the shape of ipvs_table's ``services``, in canonical order."""
    return [table[key].to_options() for key in sorted_keys(table)]


def flag_names(scheduler: str, flags: frozenset[int]) -> tuple[str, ...]:
    """Flags by the names that their scheduler gives them."""
    return tuple(FLAG_NAMES.get(scheduler, {}).get(bit, GENERIC_FLAG_NAMES[bit]) for bit in sorted(flags))


def flag_bits(scheduler: str, names: frozenset[str]) -> frozenset[int]:
    """Flags by number. Raises ValueError for a flag of another scheduler."""
    known = {name: bit for bit, name in GENERIC_FLAG_NAMES.items()}
    known.update({name: bit for bit, name in FLAG_NAMES.get(scheduler, {}).items()})
    wrong = sorted(names - set(known))
    if wrong:
        raise ValueError(f"{', '.join(wrong)} is not a flag of scheduler {scheduler}, which takes {', '.join(known)}")
    return frozenset(known[name] for name in names)


def kept_flags(old_scheduler: str, new_scheduler: str, flags: frozenset[int]) -> frozenset[int]:
    """What stays of a service's flags when its scheduler changes: those that the new one knows."""
    if old_scheduler == new_scheduler:
        return flags
    return flags & frozenset(FLAG_NAMES.get(new_scheduler, {})) & frozenset(FLAG_NAMES.get(old_scheduler, {}))


def key_problems(key: ServiceKey) -> tuple[str, ...]:
    """What makes no sense in the name of a service, whatever else it has; each with the option's name."""
    problems = []
    if key.protocol not in (None, *PROTOCOLS):
        problems.append(f"protocol: {key.protocol} is not one of {', '.join(PROTOCOLS)}")
    if key.address is not None and not is_host(key.address):
        problems.append(f"address: {key.address} is not a unicast address, so IPVS takes no client's packets for it")
    return tuple(problems)


def service_problems(service: Service) -> tuple[str, ...]:
    """What of a service the kernel would take though it makes no sense, or refuse; each with the option's name."""
    key = service.key
    problems = [*key_problems(key)]
    persistent = service.persistence_timeout is not None
    if not key.fwmark and key.port == 0 and not persistent:
        problems.append("port: 0 (all ports) needs a persistent service: give persistence_timeout")
    if service.persistence_netmask is not None and not persistent:
        problems.append("persistence_netmask: needs persistence_timeout above 0")
    if service.persistence_engine and not persistent:
        problems.append("persistence_engine: needs persistence_timeout above 0")
    if service.persistence_engine == "sip" and key.protocol not in (None, "udp"):
        problems.append(f"persistence_engine: sip works for protocol udp only, not for {key.protocol}")
    if service.one_packet and key.protocol not in (None, "udp"):
        problems.append(f"one_packet: one-packet scheduling is for protocol udp only, not for {key.protocol}")
    return tuple(problems)


def server_problems(service: ServiceKey, server: Server, given: Container[str] = SERVER_ATTRIBUTES) -> tuple[str, ...]:
    """What of a server the kernel would take though it makes no sense, or refuse; each with the option's name.

    Of two options that contradict each other the one is named that was ``given``.
    """
    problems = []
    tunnel = server.forwarding == "tunnel"
    for name, value, allowed in (
        ("forwarding", server.forwarding, FORWARDINGS),
        ("tunnel_type", server.tunnel_type, TUNNEL_TYPES),
        ("tunnel_checksum", server.tunnel_checksum, TUNNEL_CHECKSUMS),
    ):
        if value is not None and value not in allowed:
            problems.append(f"{name}: {value} is not one of {', '.join(allowed)}")
    if not is_host(server.key.address):
        problems.append(f"address: {server.key.address} is not a unicast address")
    if family_of(server.key.address) != service.family and not tunnel:
        problems.append(
            f"address: {server.key.address} is not {service.family} as service {service} is;"
            f" servers of the other family need forwarding tunnel, not {server.forwarding}"
        )
    if server.key.port != service.port and server.forwarding != "nat":
        problems.append(
            f"port: {server.key.port} is not the service's port {service.port};"
            f" another port needs forwarding nat, not {server.forwarding}"
        )
    if server.lower_threshold > server.upper_threshold:
        problems.append(_threshold_problem(server, "lower_threshold" in given, "upper_threshold" in given))
    if tunnel:
        problems.extend(_tunnel_problems(server))
    else:
        for name in ("tunnel_type", "tunnel_port", "tunnel_checksum"):
            if getattr(server, name) is not None:
                problems.append(f"{name}: needs forwarding tunnel, not {server.forwarding}")
    return tuple(problems)


def _threshold_problem(server: Server, lower_given: bool, upper_given: bool) -> str:
    lower, upper = server.lower_threshold, server.upper_threshold
    left_out = ", which was left out" if lower_given != upper_given else ""
    if upper_given and not lower_given:
        return f"upper_threshold: {upper} is below lower_threshold {lower}{left_out}"
    return f"lower_threshold: {lower} is above upper_threshold {upper}{left_out}"


def _tunnel_problems(server: Server) -> tuple[str, ...]:
    problems = []
    if server.tunnel_type == "gue" and not server.tunnel_port:
        problems.append("tunnel_port: tunnel_type gue needs a UDP port between 1 and 65535")
    if server.tunnel_type != "gue" and server.tunnel_port is not None:
        problems.append(f"tunnel_port: needs tunnel_type gue, not {server.tunnel_type}")
    if server.tunnel_type == "ipip" and server.tunnel_checksum is not None:
        problems.append("tunnel_checksum: needs tunnel_type gue or gre, not ipip")
    if server.tunnel_type == "gre" and server.tunnel_checksum == "remcsum":
        problems.append("tunnel_checksum: remcsum needs tunnel_type gue, not gre; gre takes none, csum")
    return tuple(problems)


def _headers(group: str) -> int:
    """Bytes of a packet to this group that are IP's and UDP's."""
    return 48 if family_of(group) == IPV6 else 28


def derived_maxlen(role: str, group: str, mtu: int) -> int:
    """What the kernel takes for sync_maxlen where none was given (start_sync_thread in ip_vs_sync.c)."""
    return (min(max(mtu, DEFAULT_MTU), 65535) if role == "backup" else DEFAULT_MTU) - _headers(group)


def daemon_problems(daemon: SyncDaemon) -> tuple[str, ...]:
    """What of a daemon the kernel would silently take as something else; each with the option's name."""
    low, high = 1024 if daemon.role == "backup" else 1, 65535 - _headers(daemon.multicast_group)
    if daemon.sync_maxlen is None or low <= daemon.sync_maxlen <= high:
        return ()
    family = family_of(daemon.multicast_group)
    return (
        f"sync_maxlen: {daemon.sync_maxlen} is not between {low} and {high}, which is what the kernel takes for a"
        f" {daemon.role} with an {family} group",
    )
