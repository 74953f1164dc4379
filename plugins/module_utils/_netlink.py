# Copyright (c) 2026, the linux.lvs contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""IPVS over generic netlink: the messages, reading the table, one verb an operation.

Private to linux.lvs: may change in any release.

Names and numbers are those of include/uapi/linux/ip_vs.h, behaviour is that of net/netfilter/ipvs/ip_vs_ctl.c.
pyroute2 gives the socket, the family and the attribute codec; its own IPVS classes are not used. A message is::

    nlmsghdr | genlmsghdr (cmd, version 1) | IPVS_CMD_ATTR_SERVICE { IPVS_SVC_ATTR_* }
                                           | IPVS_CMD_ATTR_DEST    { IPVS_DEST_ATTR_* }

Ports are in network order, addresses are 16 bytes of which IPv4 uses four, flags are two u32 (flags, mask), the
netmask is an IPv4 mask in network order or an IPv6 prefix length in host order; all else is in host order.
"""

from __future__ import annotations

import errno
import importlib.util
import os
import socket
import struct
import sys
import traceback
from typing import Any, Callable, Iterator, List, Mapping, NoReturn, Tuple, TypeVar

from . import _host
from ._address import IPV4, IPV6, family_of, host_netmask, pack, unpack
from ._errors import Conflict, Refused, Unsettled, Unsupported
from ._model import (
    DEFAULT_MULTICAST_GROUP,
    DEFAULT_MULTICAST_PORT,
    DEFAULT_MULTICAST_TTL,
    KERNEL_TIMEOUTS,
    TIMEOUTS,
    Connections,
    Counters,
    Entry,
    Server,
    ServerKey,
    ServerStatus,
    Service,
    ServiceKey,
    ServiceStatus,
    SyncDaemon,
    Table,
    Timeouts,
)
from ._plan import ADD, REMOVE, UPDATE, Operation

PYROUTE2_ERROR: str | None = None
try:
    from pyroute2.netlink import NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, genlmsg, nla
    from pyroute2.netlink.exceptions import NetlinkError
    from pyroute2.netlink.generic import GenericNetlinkSocket
except Exception:  # a broken pyroute2 (0.9.2 on Python 3.8: TypeError) is to be told like a missing one
    PYROUTE2_ERROR = traceback.format_exc()
    genlmsg = nla = object
    NetlinkError = OSError
    NLM_F_ACK = NLM_F_DUMP = NLM_F_REQUEST = 0

GENL_NAME, GENL_VERSION = "IPVS", 1

COMMANDS = (
    "UNSPEC",
    "NEW_SERVICE",
    "SET_SERVICE",
    "DEL_SERVICE",
    "GET_SERVICE",
    "NEW_DEST",
    "SET_DEST",
    "DEL_DEST",
    "GET_DEST",
    "NEW_DAEMON",
    "DEL_DAEMON",
    "GET_DAEMON",
    "SET_CONFIG",
    "GET_CONFIG",
    "SET_INFO",
    "GET_INFO",
    "ZERO",
    "FLUSH",
)

SVC_F_PERSISTENT = 0x0001
SVC_F_ONEPACKET = 0x0004
SVC_F_SCHED = {1: 0x0008, 2: 0x0010, 3: 0x0020}
# HASHED and whatever the kernel may add stays the kernel's: the mask covers only what the model knows.
SVC_F_MASK = SVC_F_PERSISTENT | SVC_F_ONEPACKET | sum(SVC_F_SCHED.values())

CONN_F_FWD_MASK = 0x0007
FORWARDING = {0: "nat", 1: "local", 2: "tunnel", 3: "direct", 4: "bypass"}
TUNNEL_TYPE = {0: "ipip", 1: "gue", 2: "gre"}
TUNNEL_FLAGS = {0: "none", 1: "csum", 2: "remcsum"}
PROTOCOL = {6: "tcp", 17: "udp", 132: "sctp"}
FAMILY = {2: IPV4, 10: IPV6}  # AF_INET, AF_INET6
ROLE = {1: "master", 2: "backup"}  # IP_VS_STATE_*

_GENERIC = 16  # NETLINK_GENERIC
_GROUPS = {IPV4: "IPVS_DAEMON_ATTR_MCAST_GROUP", IPV6: "IPVS_DAEMON_ATTR_MCAST_GROUP6"}
_TIMEOUTS = {name: f"IPVS_CMD_ATTR_TIMEOUT_{name.upper()}" for name in TIMEOUTS}

_READ_ATTEMPTS = 10
# A server takes some 350 bytes of a dump, and a chunk may be no more than a page (pyroute2 0.7.7 to 0.8.1 read so):
# a longer list may have come in several chunks, and what others change between two of them makes unchanged servers
# vanish from it or come twice.
_ONE_CHUNK = 8
_TORN = f"another process keeps changing the IPVS table: {_READ_ATTEMPTS} times it changed while it was read"


class stats_attributes(nla):  # type: ignore[misc]
    """IPVS_STATS_ATTR_*, once with u32 (STATS) and once with u64 (STATS64)."""

    nla_map = (
        ("IPVS_STATS_ATTR_UNSPEC", "none"),
        ("IPVS_STATS_ATTR_CONNS", "uint64"),
        ("IPVS_STATS_ATTR_INPKTS", "uint64"),
        ("IPVS_STATS_ATTR_OUTPKTS", "uint64"),
        ("IPVS_STATS_ATTR_INBYTES", "uint64"),
        ("IPVS_STATS_ATTR_OUTBYTES", "uint64"),
        ("IPVS_STATS_ATTR_CPS", "uint64"),
        ("IPVS_STATS_ATTR_INPPS", "uint64"),
        ("IPVS_STATS_ATTR_OUTPPS", "uint64"),
        ("IPVS_STATS_ATTR_INBPS", "uint64"),
        ("IPVS_STATS_ATTR_OUTBPS", "uint64"),
        ("IPVS_STATS_ATTR_PAD", "none"),
    )


class service_attributes(nla):  # type: ignore[misc]
    """IPVS_SVC_ATTR_*."""

    nla_map = (
        ("IPVS_SVC_ATTR_UNSPEC", "none"),
        ("IPVS_SVC_ATTR_AF", "uint16"),
        ("IPVS_SVC_ATTR_PROTOCOL", "uint16"),
        ("IPVS_SVC_ATTR_ADDR", "cdata"),
        ("IPVS_SVC_ATTR_PORT", "be16"),
        ("IPVS_SVC_ATTR_FWMARK", "uint32"),
        ("IPVS_SVC_ATTR_SCHED_NAME", "asciiz"),
        ("IPVS_SVC_ATTR_FLAGS", "cdata"),
        ("IPVS_SVC_ATTR_TIMEOUT", "uint32"),
        ("IPVS_SVC_ATTR_NETMASK", "cdata"),
        ("IPVS_SVC_ATTR_STATS", "cdata"),
        ("IPVS_SVC_ATTR_PE_NAME", "asciiz"),
        ("IPVS_SVC_ATTR_STATS64", "stats"),
    )
    stats = stats_attributes


class dest_attributes(nla):  # type: ignore[misc]
    """IPVS_DEST_ATTR_*."""

    nla_map = (
        ("IPVS_DEST_ATTR_UNSPEC", "none"),
        ("IPVS_DEST_ATTR_ADDR", "cdata"),
        ("IPVS_DEST_ATTR_PORT", "be16"),
        ("IPVS_DEST_ATTR_FWD_METHOD", "uint32"),
        ("IPVS_DEST_ATTR_WEIGHT", "uint32"),
        ("IPVS_DEST_ATTR_U_THRESH", "uint32"),
        ("IPVS_DEST_ATTR_L_THRESH", "uint32"),
        ("IPVS_DEST_ATTR_ACTIVE_CONNS", "uint32"),
        ("IPVS_DEST_ATTR_INACT_CONNS", "uint32"),
        ("IPVS_DEST_ATTR_PERSIST_CONNS", "uint32"),
        ("IPVS_DEST_ATTR_STATS", "cdata"),
        ("IPVS_DEST_ATTR_ADDR_FAMILY", "uint16"),
        ("IPVS_DEST_ATTR_STATS64", "stats"),
        ("IPVS_DEST_ATTR_TUN_TYPE", "uint8"),
        ("IPVS_DEST_ATTR_TUN_PORT", "be16"),
        ("IPVS_DEST_ATTR_TUN_FLAGS", "uint16"),
    )
    stats = stats_attributes


class ipvsmsg(genlmsg):  # type: ignore[misc]
    """IPVS_CMD_ATTR_*, the first level of every command but GET_INFO's answer."""

    nla_map = (
        ("IPVS_CMD_ATTR_UNSPEC", "none"),
        ("IPVS_CMD_ATTR_SERVICE", "service"),
        ("IPVS_CMD_ATTR_DEST", "dest"),
        ("IPVS_CMD_ATTR_DAEMON", "cdata"),
        ("IPVS_CMD_ATTR_TIMEOUT_TCP", "uint32"),
        ("IPVS_CMD_ATTR_TIMEOUT_TCP_FIN", "uint32"),
        ("IPVS_CMD_ATTR_TIMEOUT_UDP", "uint32"),
    )
    service = service_attributes
    dest = dest_attributes


class ipvsinfo(genlmsg):  # type: ignore[misc]
    """IPVS_INFO_ATTR_*, the answer to GET_INFO."""

    nla_map = (
        ("IPVS_INFO_ATTR_UNSPEC", "none"),
        ("IPVS_INFO_ATTR_VERSION", "uint32"),
        ("IPVS_INFO_ATTR_CONN_TAB_SIZE", "uint32"),
    )


class daemon_attributes(nla):  # type: ignore[misc]
    """IPVS_DAEMON_ATTR_*; the port is in host order, unlike all others."""

    nla_map = (
        ("IPVS_DAEMON_ATTR_UNSPEC", "none"),
        ("IPVS_DAEMON_ATTR_STATE", "uint32"),
        ("IPVS_DAEMON_ATTR_MCAST_IFN", "asciiz"),
        ("IPVS_DAEMON_ATTR_SYNC_ID", "uint32"),
        ("IPVS_DAEMON_ATTR_SYNC_MAXLEN", "uint16"),
        ("IPVS_DAEMON_ATTR_MCAST_GROUP", "cdata"),
        ("IPVS_DAEMON_ATTR_MCAST_GROUP6", "cdata"),
        ("IPVS_DAEMON_ATTR_MCAST_PORT", "uint16"),
        ("IPVS_DAEMON_ATTR_MCAST_TTL", "uint8"),
    )


class settingsmsg(genlmsg):  # type: ignore[misc]
    """IPVS_CMD_ATTR_* of the commands about daemons, time-outs and counters."""

    nla_map = (
        ("IPVS_CMD_ATTR_UNSPEC", "none"),
        ("IPVS_CMD_ATTR_SERVICE", "service"),
        ("IPVS_CMD_ATTR_DEST", "cdata"),
        ("IPVS_CMD_ATTR_DAEMON", "daemon"),
        ("IPVS_CMD_ATTR_TIMEOUT_TCP", "uint32"),
        ("IPVS_CMD_ATTR_TIMEOUT_TCP_FIN", "uint32"),
        ("IPVS_CMD_ATTR_TIMEOUT_UDP", "uint32"),
    )
    service = service_attributes
    daemon = daemon_attributes


Attributes = List[Tuple[str, Any]]
_Value = TypeVar("_Value")


def pack_service_key(key: ServiceKey) -> Attributes:
    """What names a service in every command."""
    attributes: Attributes = [("IPVS_SVC_ATTR_AF", _number(FAMILY, key.family))]
    if key.fwmark:
        return attributes + [("IPVS_SVC_ATTR_FWMARK", key.fwmark)]
    return attributes + [
        ("IPVS_SVC_ATTR_PROTOCOL", _number(PROTOCOL, key.protocol or "")),
        ("IPVS_SVC_ATTR_ADDR", _pack_address(key.address or "")),
        ("IPVS_SVC_ATTR_PORT", key.port),
    ]


def pack_service(service: Service) -> Attributes:
    """A whole service; NEW and SET both need all of it, what is left out they reset or refuse."""
    persistent = service.persistence_timeout is not None
    flags = sum(SVC_F_SCHED[bit] for bit in service.scheduler_flags)
    flags |= SVC_F_PERSISTENT * persistent | SVC_F_ONEPACKET * service.one_packet
    netmask = service.persistence_netmask or host_netmask(service.key.family)
    attributes = pack_service_key(service.key) + [
        ("IPVS_SVC_ATTR_SCHED_NAME", service.scheduler),
        ("IPVS_SVC_ATTR_FLAGS", struct.pack("=II", flags, SVC_F_MASK)),
        ("IPVS_SVC_ATTR_TIMEOUT", service.persistence_timeout or 0),
        ("IPVS_SVC_ATTR_NETMASK", pack(netmask) if service.key.family == IPV4 else struct.pack("=I", int(netmask))),
    ]
    if service.persistence_engine:
        attributes.append(("IPVS_SVC_ATTR_PE_NAME", service.persistence_engine))
    return attributes


def unpack_service_key(get: Callable[[str], Any]) -> ServiceKey:
    """The identity of a service of the kernel's."""
    family = _name(FAMILY, get("IPVS_SVC_ATTR_AF"), "family")
    mark = get("IPVS_SVC_ATTR_FWMARK")
    if mark:
        return ServiceKey(family, fwmark=mark)
    return ServiceKey(
        family,
        protocol=_name(PROTOCOL, get("IPVS_SVC_ATTR_PROTOCOL"), "protocol"),
        address=unpack(family, get("IPVS_SVC_ATTR_ADDR")),
        port=get("IPVS_SVC_ATTR_PORT"),
    )


def unpack_service(get: Callable[[str], Any]) -> Service:
    """A service in normal form: the kernel returns timeout and netmask of services that are not persistent too."""
    key = unpack_service_key(get)
    (flags,) = struct.unpack_from("=I", get("IPVS_SVC_ATTR_FLAGS"))
    timeout = netmask = None
    if flags & SVC_F_PERSISTENT:
        timeout, raw = get("IPVS_SVC_ATTR_TIMEOUT"), get("IPVS_SVC_ATTR_NETMASK")
        netmask = unpack(IPV4, raw) if key.family == IPV4 else str(struct.unpack_from("=I", raw)[0])
    return Service(
        key=key,
        scheduler=get("IPVS_SVC_ATTR_SCHED_NAME"),
        scheduler_flags=frozenset(bit for bit, value in SVC_F_SCHED.items() if flags & value),
        persistence_timeout=timeout,
        persistence_netmask=netmask,
        persistence_engine=get("IPVS_SVC_ATTR_PE_NAME") or "",
        one_packet=bool(flags & SVC_F_ONEPACKET),
    )


def pack_server_key(key: ServerKey) -> Attributes:
    """What names a server within its service."""
    return [
        ("IPVS_DEST_ATTR_ADDR", _pack_address(key.address)),
        ("IPVS_DEST_ATTR_PORT", key.port),
        ("IPVS_DEST_ATTR_ADDR_FAMILY", _number(FAMILY, family_of(key.address))),
    ]


def pack_server(server: Server) -> Attributes:
    """A whole server; SET without the tunnel attributes would make it an ipip tunnel."""
    return pack_server_key(server.key) + [
        ("IPVS_DEST_ATTR_FWD_METHOD", _number(FORWARDING, server.forwarding)),
        ("IPVS_DEST_ATTR_WEIGHT", server.weight),
        ("IPVS_DEST_ATTR_U_THRESH", server.upper_threshold),
        ("IPVS_DEST_ATTR_L_THRESH", server.lower_threshold),
        ("IPVS_DEST_ATTR_TUN_TYPE", _number(TUNNEL_TYPE, server.tunnel_type or "ipip")),
        ("IPVS_DEST_ATTR_TUN_PORT", server.tunnel_port or 0),
        ("IPVS_DEST_ATTR_TUN_FLAGS", _number(TUNNEL_FLAGS, server.tunnel_checksum or "none")),
    ]


def unpack_server_key(get: Callable[[str], Any], service: ServiceKey) -> ServerKey:
    """The identity of a server; kernels before 3.18 do not say its family, which is the service's there."""
    number = get("IPVS_DEST_ATTR_ADDR_FAMILY")
    family = service.family if number is None else _name(FAMILY, number, "family")
    return ServerKey(unpack(family, get("IPVS_DEST_ATTR_ADDR")), get("IPVS_DEST_ATTR_PORT"))


def unpack_server(get: Callable[[str], Any], service: ServiceKey) -> Server:
    """A server in normal form: the kernel returns tunnel attributes of every server."""
    forwarding = _name(FORWARDING, get("IPVS_DEST_ATTR_FWD_METHOD") & CONN_F_FWD_MASK, "forwarding")
    kind = port = checksum = None
    if forwarding == "tunnel":
        kind = _name(TUNNEL_TYPE, get("IPVS_DEST_ATTR_TUN_TYPE") or 0, "type")
        port = get("IPVS_DEST_ATTR_TUN_PORT") if kind == "gue" else None
        if kind in ("gue", "gre"):
            checksum = _name(TUNNEL_FLAGS, get("IPVS_DEST_ATTR_TUN_FLAGS"), "flags")
    return Server(
        key=unpack_server_key(get, service),
        forwarding=forwarding,
        weight=get("IPVS_DEST_ATTR_WEIGHT"),
        upper_threshold=get("IPVS_DEST_ATTR_U_THRESH"),
        lower_threshold=get("IPVS_DEST_ATTR_L_THRESH"),
        tunnel_type=kind,
        tunnel_port=port,
        tunnel_checksum=checksum,
    )


def pack_operation(operation: Operation) -> Attributes:
    """What a command is about: whole entries where there is something to write, identities otherwise."""
    after = operation.after
    if operation.server is None:
        packed = pack_service(after) if isinstance(after, Service) else pack_service_key(operation.service)
        return [("IPVS_CMD_ATTR_SERVICE", {"attrs": packed})]
    packed = pack_server(after) if isinstance(after, Server) else pack_server_key(operation.server)
    return [
        ("IPVS_CMD_ATTR_SERVICE", {"attrs": pack_service_key(operation.service)}),
        ("IPVS_CMD_ATTR_DEST", {"attrs": packed}),
    ]


def unpack_connections(get: Callable[[str], Any]) -> Connections:
    """How many connections a server has."""
    return Connections(
        active=get("IPVS_DEST_ATTR_ACTIVE_CONNS"),
        inactive=get("IPVS_DEST_ATTR_INACT_CONNS"),
        persistent=get("IPVS_DEST_ATTR_PERSIST_CONNS"),
    )


def unpack_counters(stats: Any) -> Counters:
    """Counters and rates; kernels before 4.1 have no STATS64, and there they are all 0."""
    if stats is None:
        return Counters()
    names = ("CONNS", "INPKTS", "OUTPKTS", "INBYTES", "OUTBYTES", "CPS", "INPPS", "OUTPPS", "INBPS", "OUTBPS")
    return Counters(*(stats.get_attr(f"IPVS_STATS_ATTR_{name}") or 0 for name in names))


def _service_counters(get: Callable[[str], Any]) -> Counters:
    return unpack_counters(get("IPVS_SVC_ATTR_STATS64"))


def _server_status(get: Callable[[str], Any]) -> ServerStatus:
    return ServerStatus(unpack_connections(get), unpack_counters(get("IPVS_DEST_ATTR_STATS64")))


def pack_daemon(daemon: SyncDaemon) -> Attributes:
    """A whole daemon; what is left out the kernel chooses."""
    attributes: Attributes = [
        ("IPVS_DAEMON_ATTR_STATE", _number(ROLE, daemon.role)),
        ("IPVS_DAEMON_ATTR_MCAST_IFN", daemon.interface),
        ("IPVS_DAEMON_ATTR_SYNC_ID", daemon.sync_id),
    ]
    if daemon.sync_maxlen is not None:
        attributes.append(("IPVS_DAEMON_ATTR_SYNC_MAXLEN", daemon.sync_maxlen))
    name = _GROUPS[family_of(daemon.multicast_group)]
    return attributes + [
        (name, pack(daemon.multicast_group)),
        ("IPVS_DAEMON_ATTR_MCAST_PORT", daemon.multicast_port),
        ("IPVS_DAEMON_ATTR_MCAST_TTL", daemon.multicast_ttl),
    ]


def unpack_daemon(get: Callable[[str], Any]) -> SyncDaemon:
    """A daemon of the kernel's; kernels before 4.3 do not say what can't be chosen there."""
    groups = (unpack(family, get(name)) for family, name in _GROUPS.items() if get(name) is not None)
    return SyncDaemon(
        role=_name(ROLE, get("IPVS_DAEMON_ATTR_STATE"), "role"),
        interface=get("IPVS_DAEMON_ATTR_MCAST_IFN"),
        sync_id=get("IPVS_DAEMON_ATTR_SYNC_ID"),
        sync_maxlen=get("IPVS_DAEMON_ATTR_SYNC_MAXLEN"),
        multicast_group=next(groups, DEFAULT_MULTICAST_GROUP),
        multicast_port=get("IPVS_DAEMON_ATTR_MCAST_PORT") or DEFAULT_MULTICAST_PORT,
        multicast_ttl=get("IPVS_DAEMON_ATTR_MCAST_TTL") or DEFAULT_MULTICAST_TTL,
    )


def _pack_address(address: str) -> bytes:
    return pack(address).ljust(16, b"\0")


def _name(names: Mapping[int, str], number: int, noun: str) -> str:
    return names.get(number) or f"{noun}-{number}"


def _number(names: Mapping[int, str], name: str) -> int:
    for number, known in names.items():
        if known == name:
            return number
    return int(name.rpartition("-")[2])  # made by _name from what the kernel had


class Kernel:
    """The IPVS table of the network namespace that we are in when it is first used."""

    def __init__(self) -> None:
        self._socket: Any = None

    def close(self) -> None:
        """Closes the socket, if there is one."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def table(self) -> Table:
        """All services with their servers; nothing, without asking, when the kernel has no IPVS loaded."""
        if not _host.ipvs_loaded():
            return {}

        def read() -> tuple[Table, dict[ServiceKey, Service]]:
            services = self._services()
            return {key: Entry(service, self._servers(key)) for key, service in services.items()}, services

        return _consistent(read, self._services)

    def service(self, key: ServiceKey) -> Table:
        """A table with this service only, empty when it does not exist."""
        if not _host.ipvs_loaded():
            return {}

        def read() -> tuple[Table, Service | None]:
            service = self._service(key)
            return ({key: Entry(service, self._servers(key))} if service else {}), service

        return _consistent(read, lambda: self._service(key))

    def connections(self, key: ServiceKey) -> dict[ServerKey, Connections]:
        """The connections of the servers of a service; empty when it does not exist."""
        return self._per_server(key, unpack_connections)

    def status(self, only: ServiceKey | None = None) -> dict[ServiceKey, ServiceStatus]:
        """What the kernel observed of all services, or of one."""
        if not _host.ipvs_loaded():
            return {}

        def counters() -> dict[ServiceKey, Counters]:
            if only:
                get = self._get_service(only)
                return {only: _service_counters(get)} if get else {}
            dump = self._dump("GET_SERVICE", [], "IPVS_CMD_ATTR_SERVICE")
            return {unpack_service_key(get): _service_counters(get) for get in dump}

        def read() -> tuple[dict[ServiceKey, ServiceStatus], set[ServiceKey]]:
            services = counters()
            status = {
                key: ServiceStatus(value, self._per_server(key, _server_status)) for key, value in services.items()
            }
            return status, set(services)

        return _consistent(read, lambda: set(counters()))

    def version(self) -> dict[str, Any] | None:
        """IPVS's version and the size of its connection table; None when the kernel has no IPVS loaded."""
        if not _host.ipvs_loaded():
            return None
        with _open(ipvsinfo) as connection:
            (message,) = _request(connection, ipvsinfo, "GET_INFO", [], NLM_F_REQUEST)
            code = message.get_attr("IPVS_INFO_ATTR_VERSION")
            size = message.get_attr("IPVS_INFO_ATTR_CONN_TAB_SIZE")
        return {"ipvs": f"{code >> 16 & 0xFF}.{code >> 8 & 0xFF}.{code & 0xFF}", "connection_table_size": size}

    def apply(self, operation: Operation) -> None:
        """Carries out one operation.

        Raises Conflict when the entry is not as the operation supposes, Refused when the kernel does not take it.
        """
        verb = {ADD: "NEW", UPDATE: "SET", REMOVE: "DEL"}[operation.verb]
        noun = "SERVICE" if operation.server is None else "DEST"
        command, attributes = f"{verb}_{noun}", pack_operation(operation)
        try:
            self._request(command, attributes, NLM_F_REQUEST | NLM_F_ACK)
        except NetlinkError as error:
            _explain(command, error.code, operation)

    def _get_service(self, key: ServiceKey) -> Callable[[str], Any] | None:
        attributes = [("IPVS_CMD_ATTR_SERVICE", {"attrs": pack_service_key(key)})]
        try:
            (message,) = self._request("GET_SERVICE", attributes, NLM_F_REQUEST)
        except NetlinkError as error:
            if error.code == errno.ESRCH:
                return None
            raise Refused(f"can't read service {key}: {_reason(error.code)}") from None
        getter: Callable[[str], Any] = message.get_attr("IPVS_CMD_ATTR_SERVICE").get_attr
        return getter

    def _service(self, key: ServiceKey) -> Service | None:
        get = self._get_service(key)
        return unpack_service(get) if get else None

    def _services(self) -> dict[ServiceKey, Service]:
        services = (unpack_service(get) for get in self._dump("GET_SERVICE", [], "IPVS_CMD_ATTR_SERVICE"))
        return {service.key: service for service in services}

    def _servers(self, key: ServiceKey) -> dict[ServerKey, Server]:
        return self._per_server(key, lambda get: unpack_server(get, key))

    def _per_server(self, key: ServiceKey, unpack: Callable[[Callable[[str], Any]], _Value]) -> dict[ServerKey, _Value]:
        """What a dump says of each server of a service; none is missing that was there all the time."""

        def read() -> tuple[dict[ServerKey, _Value], set[ServerKey]]:
            servers = {unpack_server_key(get, key): unpack(get) for get in self._dump_servers(key)}
            return servers, set(servers)

        servers, names = read()
        if len(servers) <= _ONE_CHUNK:
            return servers
        for _attempt in range(_READ_ATTEMPTS):
            last, (servers, names) = names, read()
            if names == last:
                return servers
        raise Unsettled(_TORN)

    def _dump_servers(self, key: ServiceKey) -> Iterator[Callable[[str], Any]]:
        attributes = [("IPVS_CMD_ATTR_SERVICE", {"attrs": pack_service_key(key)})]
        return self._dump("GET_DEST", attributes, "IPVS_CMD_ATTR_DEST")

    def _dump(self, command: str, attributes: Attributes, wanted: str) -> Iterator[Callable[[str], Any]]:
        """The getters of the attributes that a dump returns; only what is asked of them is decoded."""
        try:
            messages = self._request(command, attributes, NLM_F_REQUEST | NLM_F_DUMP)
        except NetlinkError as error:
            raise Refused(f"can't read the table: {_reason(error.code)}") from None
        return (message.get_attr(wanted).get_attr for message in messages)

    def _request(self, command: str, attributes: Attributes, flags: int) -> tuple[Any, ...]:
        if self._socket is None:
            self._socket = _open(ipvsmsg)
        return _request(self._socket, ipvsmsg, command, attributes, flags)

    # Daemons, time-outs and counters

    def daemons(self) -> dict[str, SyncDaemon]:
        """The running sync daemons by role; nothing, without asking, when the kernel has no IPVS loaded."""
        if not _host.ipvs_loaded():
            return {}
        messages = _setting("GET_DAEMON", [], NLM_F_REQUEST | NLM_F_DUMP, "can't read the sync daemons")
        daemons = (unpack_daemon(message.get_attr("IPVS_CMD_ATTR_DAEMON").get_attr) for message in messages)
        return {daemon.key: daemon for daemon in daemons}

    def start_daemon(self, daemon: SyncDaemon) -> None:
        """Starts a sync daemon. Raises Conflict when one of the role runs, Refused when the kernel does not take it."""
        what = f"start the {daemon.role} daemon on {daemon.interface}"
        attributes = [("IPVS_CMD_ATTR_DAEMON", {"attrs": pack_daemon(daemon)})]
        _setting("NEW_DAEMON", attributes, NLM_F_REQUEST | NLM_F_ACK, what)

    def stop_daemon(self, role: str) -> None:
        """Stops a sync daemon. Raises Conflict when none of the role runs.

        When its thread has not run yet, the kernel stops it but has EINTR for it (kthread_stop), to which netlink gives
        no answer at all (netlink_rcv_skb). pyroute2 would wait for one forever. But netlink has done its work when
        sending returns, so that an answer that is not there then will not come.
        """
        with _open(settingsmsg) as family, socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _GENERIC) as connection:
            state = struct.pack("=HHI", 8, _attribute(daemon_attributes, "STATE"), _number(ROLE, role))
            daemon = struct.pack("=HH", 4 + len(state), _attribute(settingsmsg, "DAEMON")) + state
            body = struct.pack("=BBxx", COMMANDS.index("DEL_DAEMON"), GENL_VERSION) + daemon
            connection.send(struct.pack("=IHHII", 16 + len(body), family.prid, NLM_F_REQUEST | NLM_F_ACK, 1, 0) + body)
            try:
                answer = connection.recv(1 << 16, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return
        _told("DEL_DAEMON", -struct.unpack_from("=i", answer, 16)[0], f"stop the {role} daemon")

    def timeouts(self) -> Timeouts:
        """The time-outs; those that it would begin with, without asking, when the kernel has no IPVS loaded."""
        if not _host.ipvs_loaded():
            return KERNEL_TIMEOUTS
        (message,) = _setting("GET_CONFIG", [], NLM_F_REQUEST, "can't read the time-outs")
        return Timeouts(**{name: message.get_attr(attribute) for name, attribute in _TIMEOUTS.items()})

    def set_timeouts(self, change: Timeouts) -> None:
        """Sets those time-outs that are not None. Raises Refused."""
        attributes = [(_TIMEOUTS[name], value) for name, value in change.to_options().items()]
        _setting("SET_CONFIG", attributes, NLM_F_REQUEST | NLM_F_ACK, "set the time-outs")

    def zero(self, key: ServiceKey | None) -> None:
        """Zeroes the counters of a service and its servers, or all. Raises Conflict when the service does not exist."""
        attributes = [("IPVS_CMD_ATTR_SERVICE", {"attrs": pack_service_key(key)})] if key else []
        _setting("ZERO", attributes, NLM_F_REQUEST | NLM_F_ACK, f"zero the counters of {key or 'everything'}")


def _setting(command: str, attributes: Attributes, flags: int, what: str) -> tuple[Any, ...]:
    """Answers to a command about daemons, time-outs or counters; ``what`` is what it does, for messages."""
    with _open(settingsmsg) as connection:
        try:
            return _request(connection, settingsmsg, command, attributes, flags)
        except NetlinkError as error:
            _told(command, error.code, what)
            raise


def _told(command: str, number: int, what: str) -> None:
    """Turns what the kernel answered into an error with a sentence, unless it is success."""
    if number == errno.EPERM:
        raise Unsupported(_not_permitted())
    if (command, number) in _SETTING_CONFLICTS:
        raise Conflict(f"{what}: {os.strerror(number)}")
    if number:
        reason = _SETTING_REASONS.get((command, number))
        explained = f"{_reason(number)}: {reason}" if reason else _reason(number)
        raise Refused(f"{what}: the kernel refused it: {explained}")


def _attribute(message_class: Any, name: str) -> int:
    """The number of an attribute, which is its place."""
    names = [known.rpartition("_ATTR_")[2] for known, _format in message_class.nla_map]
    return names.index(name)


_SETTING_CONFLICTS = (("NEW_DAEMON", errno.EEXIST), ("DEL_DAEMON", errno.ESRCH), ("ZERO", errno.ESRCH))

_SETTING_REASONS: Mapping[tuple[str, int], str] = {
    ("NEW_DAEMON", errno.EADDRINUSE): (
        "another process of this network namespace receives on multicast_port, or on one of the ports after it when"
        " net.ipv4.vs.sync_ports is above 1"
    ),
    ("NEW_DAEMON", errno.EINVAL): "no sync daemon can run while a service has a server of the other family",
    ("NEW_DAEMON", errno.ENETUNREACH): (
        "the interface is down, or has no route to multicast_group (an IPv6 group needs IPv6 on the interface)"
    ),
    ("NEW_DAEMON", errno.ENODEV): "the interface does not exist in this network namespace, or takes no multicast",
    ("NEW_DAEMON", errno.EAFNOSUPPORT): "this kernel's IPVS has no support for the group's address family",
    ("SET_CONFIG", errno.EINVAL): (
        "it counts time-outs in ticks, and takes 2147483647 of them at most (2147483 s where CONFIG_HZ is 1000)"
    ),
}


def _consistent(read: Callable[[], tuple[_Value, Any]], again: Callable[[], Any]) -> _Value:
    """What was read, once a second look sees the same. Raises Unsettled when that never happens."""
    for _attempt in range(_READ_ATTEMPTS):
        value, seen = read()
        if again() == seen:
            return value
    raise Unsettled(_TORN)


def _open(message_class: Any) -> Any:
    if PYROUTE2_ERROR:
        raise Unsupported(_no_pyroute2(PYROUTE2_ERROR))
    connection = None
    try:
        connection = GenericNetlinkSocket()
        connection.bind(GENL_NAME, message_class)
    except (NetlinkError, OSError) as error:
        if connection is not None:
            connection.close()
        number = getattr(error, "code", None) or getattr(error, "errno", None) or 0
        if number == errno.ENOENT:
            raise Unsupported(
                f"this kernel ({os.uname().release}) has no IPVS: the module ip_vs is not loaded and could not be"
                " loaded (modprobe ip_vs; for a container, on its host)"
            ) from None
        raise Unsupported(f"can't reach IPVS over netlink: {_reason(number)}") from None
    return connection


def _request(connection: Any, message_class: Any, command: str, attributes: Attributes, flags: int) -> tuple[Any, ...]:
    message = message_class()
    message["cmd"] = COMMANDS.index(command)
    message["version"] = GENL_VERSION
    message["attrs"] = attributes
    try:
        return tuple(connection.nlm_request(message, msg_type=connection.prid, msg_flags=flags))
    except NetlinkError as error:
        if error.code == errno.EPERM:
            raise Unsupported(_not_permitted()) from None
        raise


def _not_permitted() -> str:
    need = "IPVS needs CAP_NET_ADMIN in the initial user namespace"
    if _host.in_user_namespace():
        return f"{need}, which a rootless container or another user namespace never has; run on the host itself"
    if os.geteuid() == 0:
        return f"{need}, which root was not given here; a container gets it by --cap-add NET_ADMIN"
    return f"{need}, which this process (user id {os.geteuid()}) does not have; run as root (become: true)"


def _no_pyroute2(trace: str) -> str:
    spec = importlib.util.find_spec("pyroute2")
    what = f"is broken ({spec.origin}: {trace.strip().splitlines()[-1]})" if spec else "is not installed"
    version = ".".join(map(str, sys.version_info[:3]))
    return (
        f"the Python library pyroute2 {what} for {sys.executable} (Python {version}) on this host; install it with"
        " apt install python3-pyroute2 (Debian, Ubuntu), dnf install python3-pyroute2 (Fedora; EPEL elsewhere) or"
        f" {sys.executable} -m pip install pyroute2; any version from 0.5.14 on but 0.6.x serves,"
        " below 0.9 on Python 3.8"
    )


_GONE_OR_THERE = {
    "NEW_SERVICE": (errno.EEXIST,),
    "SET_SERVICE": (errno.ESRCH,),
    "DEL_SERVICE": (errno.ESRCH,),
    "NEW_DEST": (errno.EEXIST, errno.ESRCH),
    "SET_DEST": (errno.ENOENT, errno.ESRCH),
    "DEL_DEST": (errno.ENOENT, errno.ESRCH),
}

_REASONS: Mapping[tuple[str, int], str] = {
    ("DEST", errno.EINVAL): (
        "the address must be unicast, or this namespace's own (IPv6 link-local never, and no address at all while lo"
        " is down or nothing is routed), a gue tunnel needs a port, and servers of the other family can't be had"
        " while a sync daemon runs"
    ),
    ("DEST", errno.ERANGE): "a weight or threshold is out of range, or lower_threshold is above upper_threshold",
    ("SERVICE", errno.EINVAL): "an attribute is out of range (an IPv6 prefix length is 1 to 128)",
    ("SERVICE", errno.EAFNOSUPPORT): "this kernel's IPVS has no support for the address family",
    ("SERVICE", errno.EPROTONOSUPPORT): "this kernel's IPVS has no support for the protocol",
}


def _explain(command: str, number: int, operation: Operation) -> NoReturn:
    """Turns what the kernel answered to a command into an error with a sentence; always raises."""
    if number in _GONE_OR_THERE[command]:
        raise Conflict(f"{operation}: {os.strerror(number)}")
    if number == errno.ENOENT and isinstance(operation.after, Service):
        raise Refused(f"{operation}: {_no_module(operation.after)}")
    reason = _REASONS.get((command.partition("_")[2], number))
    explained = f"{_reason(number)}: {reason}" if reason else _reason(number)
    raise Refused(f"{operation}: the kernel refused it: {explained}")


def kernel_modules(service: Service) -> Iterator[tuple[str, str]]:
    """What of a service needs a kernel module of its own: that in words, and the module."""
    scheduler, engine = service.scheduler, service.persistence_engine
    if scheduler != "none":
        yield f"scheduler: the kernel has no scheduler {scheduler}", f"ip_vs_{scheduler}"
    if engine:
        yield f"persistence_engine: the kernel has no persistence engine {engine}", f"ip_vs_pe_{engine}"


def missing_module(missing: str, module: str) -> str:
    """The sentence about a scheduler or engine that the kernel does not have."""
    if _host.module_installed(module):
        why = "is there but was not loaded: see kernel.modules_disabled, kernel.modprobe, blacklists"
    else:
        why = "is neither loaded nor to be found"
    return f"{missing} (its module {module} {why})"


def _no_module(service: Service) -> str:
    needed = list(kernel_modules(service))
    missing = [(words, module) for words, module in needed if not _host.module_loaded(module)] or needed
    return "; ".join(missing_module(words, module) for words, module in missing)


def _reason(number: int) -> str:
    return f"{os.strerror(number)} ({errno.errorcode.get(number, number)})"
