# Copyright (c) 2026, the linux.lvs contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""IPVS over generic netlink: reading the table, one verb an operation, errors in sentences.

Private to linux.lvs: may change in any release.

pyroute2's message classes write and read what is small: version, daemons, time-outs. Dumps and changes of the table, which
may be ten thousand messages, go through the codec of ``_wire``; pyroute2's own IPVS classes are not used.
"""

from __future__ import annotations

import errno
import importlib.util
import os
import sys
from typing import Any, Callable, Collection, Iterator, Mapping, Sequence, TypeVar

from . import _host, _pyroute2
from ._address import IPV4, IPV6, family_of, pack, unpack
from ._errors import Conflict, LvsError, Refused, Unsettled, Unsupported
from ._genetlink import Attributes, Link, decoded, encoded, open_link
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
    Service,
    ServiceKey,
    ServiceStatus,
    SyncDaemon,
    Table,
    Timeouts,
)
from ._plan import Operation, listed
from ._pyroute2 import genlmsg, nla
from ._wire import (
    COMMANDS,
    ROLE,
    Found,
    name_of,
    number_of,
    operation_command,
    pack_daemon_role,
    pack_operation,
    pack_service_key,
    unpack_connections,
    unpack_nest,
    unpack_server_key,
    unpack_server_status,
    unpack_servers,
    unpack_service,
    unpack_service_counters,
    unpack_service_key,
)

GENL_NAME = "IPVS"

_GROUPS = {IPV4: "IPVS_DAEMON_ATTR_MCAST_GROUP", IPV6: "IPVS_DAEMON_ATTR_MCAST_GROUP6"}
_TIMEOUTS = {name: f"IPVS_CMD_ATTR_TIMEOUT_{name.upper()}" for name in TIMEOUTS}

_BATCH = 64  # answers to all of them have to fit into the socket's buffer
_READ_ATTEMPTS = 10
_TORN = f"another process keeps changing the IPVS table: {_READ_ATTEMPTS} times it changed while it was read"


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
    """IPVS_CMD_ATTR_* of the commands about daemons and time-outs."""

    nla_map = (
        ("IPVS_CMD_ATTR_UNSPEC", "none"),
        ("IPVS_CMD_ATTR_SERVICE", "cdata"),
        ("IPVS_CMD_ATTR_DEST", "cdata"),
        ("IPVS_CMD_ATTR_DAEMON", "daemon"),
        ("IPVS_CMD_ATTR_TIMEOUT_TCP", "uint32"),
        ("IPVS_CMD_ATTR_TIMEOUT_TCP_FIN", "uint32"),
        ("IPVS_CMD_ATTR_TIMEOUT_UDP", "uint32"),
    )
    daemon = daemon_attributes


_Value = TypeVar("_Value")


def pack_daemon(daemon: SyncDaemon) -> Attributes:
    """A whole daemon; what is left out the kernel chooses."""
    attributes: Attributes = [
        ("IPVS_DAEMON_ATTR_STATE", number_of(ROLE, daemon.role)),
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
        role=name_of(ROLE, get("IPVS_DAEMON_ATTR_STATE"), "role"),
        interface=get("IPVS_DAEMON_ATTR_MCAST_IFN"),
        sync_id=get("IPVS_DAEMON_ATTR_SYNC_ID"),
        sync_maxlen=get("IPVS_DAEMON_ATTR_SYNC_MAXLEN"),
        multicast_group=next(groups, DEFAULT_MULTICAST_GROUP),
        multicast_port=get("IPVS_DAEMON_ATTR_MCAST_PORT") or DEFAULT_MULTICAST_PORT,
        multicast_ttl=get("IPVS_DAEMON_ATTR_MCAST_TTL") or DEFAULT_MULTICAST_TTL,
    )


class Kernel:
    """The IPVS table of the network namespace that we are in when it is first used."""

    def __init__(self) -> None:
        self._opened: Link | None = None

    def close(self) -> None:
        """Closes the socket, if there is one."""
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    def table(self, known: Table | None = None, touched: Collection[ServiceKey] = ()) -> Table:
        """All services with their servers; nothing, without asking, when the kernel has no IPVS loaded.

        ``known`` is what was read before, and ``touched`` what was changed since: of all other services that are as
        they were the servers are not asked for again.
        """
        if not _host.ipvs_loaded():
            return {}
        spared = {key: entry for key, entry in (known or {}).items() if key not in touched}

        def read() -> tuple[Table, dict[ServiceKey, Service]]:
            services = self._services()
            return {key: self._entry(service, spared.get(key)) for key, service in services.items()}, services

        return _consistent(read, self._services)

    def _entry(self, service: Service, known: Entry | None) -> Entry:
        if known is not None and known.service == service:
            return known
        return Entry(service, self._servers(service.key))

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
                found = self._get_service(only)
                return {only: unpack_service_counters(found)} if found else {}
            return {unpack_service_key(found): unpack_service_counters(found) for found in self._found_services()}

        def read() -> tuple[dict[ServiceKey, ServiceStatus], set[ServiceKey]]:
            services = counters()
            status = {
                key: ServiceStatus(value, self._per_server(key, unpack_server_status))
                for key, value in services.items()
            }
            return status, set(services)

        return _consistent(read, lambda: set(counters()))

    def version(self) -> dict[str, Any] | None:
        """IPVS's version and the size of its connection table; None when the kernel has no IPVS loaded."""
        if not _host.ipvs_loaded():
            return None
        info = decoded(ipvsinfo, self._asked("GET_INFO", "can't read IPVS's version"))
        code = info.get_attr("IPVS_INFO_ATTR_VERSION")
        return {
            "ipvs": f"{code >> 16 & 0xFF}.{code >> 8 & 0xFF}.{code & 0xFF}",
            "connection_table_size": info.get_attr("IPVS_INFO_ATTR_CONN_TAB_SIZE"),
        }

    def apply(self, step: Sequence[Operation]) -> list[LvsError | None]:
        """Carries out operations that do not rely on each other; what became of each of them, None when it was done.

        It is Conflict when the entry is not as the operation supposes, Refused when the kernel does not take it, Unsettled
        when the answer was lost and it may have been done. After a failure the rest may not have been tried: then the
        list is shorter.
        """
        outcomes: list[LvsError | None] = []
        for begin in range(0, len(step), _BATCH):
            part = step[begin : begin + _BATCH]
            requests = [(operation_command(operation), pack_operation(operation)) for operation in part]
            try:
                failures = self._link().change(requests)
            except OSError as error:
                unknown = f"can't tell what became of {listed(part)}: {_reason(error.errno or 0)}"
                return outcomes + [Unsettled(unknown)] * len(part)
            outcomes += [None] * len(part)
            for index, number in failures.items():
                outcomes[begin + index] = _explained(requests[index][0], number, part[index])
            if failures:
                break
        return outcomes

    def _get_service(self, key: ServiceKey) -> Found | None:
        try:
            return unpack_nest(self._link().get("GET_SERVICE", pack_service_key(key)), "SERVICE")
        except OSError as error:
            if error.errno == errno.ESRCH:
                return None
            raise _unreadable(error) from None

    def _service(self, key: ServiceKey) -> Service | None:
        found = self._get_service(key)
        return unpack_service(found) if found else None

    def _services(self) -> dict[ServiceKey, Service]:
        services = map(unpack_service, self._found_services())
        return {service.key: service for service in services}

    def _found_services(self) -> Iterator[Found]:
        return (unpack_nest(payload, "SERVICE") for payload in self._dump("GET_SERVICE", b"")[0])

    def _servers(self, key: ServiceKey) -> dict[ServerKey, Server]:
        def unpack(payloads: Sequence[bytes]) -> dict[ServerKey, Server]:
            return {server.key: server for server in unpack_servers(payloads, key)}

        return self._by_server(key, unpack)

    def _per_server(self, key: ServiceKey, unpack: Callable[[Found], _Value]) -> dict[ServerKey, _Value]:
        def unpack_all(payloads: Sequence[bytes]) -> dict[ServerKey, _Value]:
            servers = (unpack_nest(payload, "DEST") for payload in payloads)
            return {unpack_server_key(found, key): unpack(found) for found in servers}

        return self._by_server(key, unpack_all)

    def _by_server(
        self, key: ServiceKey, unpack: Callable[[Sequence[bytes]], dict[ServerKey, _Value]]
    ) -> dict[ServerKey, _Value]:
        """What a dump says of each server of a service; none is missing that was there all the time."""

        def read() -> tuple[dict[ServerKey, _Value], int]:
            payloads, chunks = self._dump("GET_DEST", pack_service_key(key))
            return unpack(payloads), chunks

        servers, chunks = read()
        if chunks <= 1:
            return servers
        for _attempt in range(_READ_ATTEMPTS):
            last, (servers, chunks) = set(servers), read()
            if chunks <= 1 or set(servers) == last:
                return servers
        raise Unsettled(_TORN)

    def _dump(self, command: str, payload: bytes) -> tuple[list[bytes], int]:
        try:
            return self._link().dump(command, payload)
        except OSError as error:
            raise _unreadable(error) from None

    def _link(self) -> Link:
        if self._opened is None:
            self._opened = _open()
        return self._opened

    # Daemons, time-outs and counters

    def daemons(self) -> dict[str, SyncDaemon]:
        """The running sync daemons by role; nothing, without asking, when the kernel has no IPVS loaded."""
        if not _host.ipvs_loaded():
            return {}
        try:
            payloads = self._link().dump("GET_DAEMON", b"")[0]
        except OSError as error:
            _told("GET_DAEMON", error.errno or 0, "can't read the sync daemons")
            raise
        messages = (decoded(settingsmsg, payload) for payload in payloads)
        daemons = (unpack_daemon(message.get_attr("IPVS_CMD_ATTR_DAEMON").get_attr) for message in messages)
        return {daemon.key: daemon for daemon in daemons}

    def start_daemon(self, daemon: SyncDaemon) -> None:
        """Starts a sync daemon. Raises Conflict when one of the role runs, Refused when the kernel does not take it."""
        what = f"start the {daemon.role} daemon on {daemon.interface}"
        attributes = [("IPVS_CMD_ATTR_DAEMON", {"attrs": pack_daemon(daemon)})]
        self._changed("NEW_DAEMON", encoded(settingsmsg, attributes), what)

    def stop_daemon(self, role: str) -> None:
        """Stops a sync daemon. Raises Conflict when none of the role runs.

        When its thread has not run yet, the kernel stops it but has EINTR for it (kthread_stop), to which netlink gives
        no answer at all (netlink_rcv_skb): one must not wait for it.
        """
        self._changed("DEL_DAEMON", pack_daemon_role(role), f"stop the {role} daemon")

    def timeouts(self) -> Timeouts:
        """The time-outs; those that it would begin with, without asking, when the kernel has no IPVS loaded."""
        if not _host.ipvs_loaded():
            return KERNEL_TIMEOUTS
        message = decoded(settingsmsg, self._asked("GET_CONFIG", "can't read the time-outs"))
        return Timeouts(**{name: message.get_attr(attribute) for name, attribute in _TIMEOUTS.items()})

    def set_timeouts(self, change: Timeouts) -> None:
        """Sets those time-outs that are not None. Raises Refused."""
        attributes = [(_TIMEOUTS[name], value) for name, value in change.to_options().items()]
        self._changed("SET_CONFIG", encoded(settingsmsg, attributes), "set the time-outs")

    def zero(self, key: ServiceKey | None) -> None:
        """Zeroes the counters of a service and its servers, or all. Raises Conflict when the service does not exist."""
        self._changed("ZERO", pack_service_key(key) if key else b"", f"zero the counters of {key or 'everything'}")

    def _asked(self, command: str, what: str) -> bytes:
        try:
            return self._link().get(command, b"")
        except OSError as error:
            _told(command, error.errno or 0, what)
            raise

    def _changed(self, command: str, payload: bytes, what: str) -> None:
        _told(command, self._link().change([(command, payload)]).get(0, 0), what)


def _consistent(read: Callable[[], tuple[_Value, Any]], again: Callable[[], Any]) -> _Value:
    """What was read, once a second look sees the same. Raises Unsettled when that never happens."""
    for _attempt in range(_READ_ATTEMPTS):
        value, seen = read()
        if again() == seen:
            return value
    raise Unsettled(_TORN)


def load() -> None:
    """Has the kernel load IPVS. Raises Unsupported."""
    _open().close()


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


def _unreadable(error: OSError) -> LvsError:
    if error.errno == errno.EPERM:
        return Unsupported(_not_permitted())
    return Refused(f"can't read the table: {_reason(error.errno or 0)}")


def _open() -> Link:
    if _pyroute2.ERROR:
        raise Unsupported(_no_pyroute2(_pyroute2.ERROR))
    try:
        return open_link(GENL_NAME, COMMANDS)
    except OSError as error:
        if error.errno == errno.ENOENT:
            raise Unsupported(
                f"this kernel ({os.uname().release}) has no IPVS: the module ip_vs is not loaded and could not be"
                " loaded (modprobe ip_vs; for a container, on its host)"
            ) from None
        raise Unsupported(f"can't reach IPVS over netlink: {_reason(error.errno or 0)}") from None


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
        f" {sys.executable} -m pip install pyroute2; any version from 0.5.14 on serves, below 0.9 on Python 3.8"
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
        " is down or nothing is routed), a gue tunnel needs a port, servers of the other family can't be had while"
        " a sync daemon runs, and newer kernels take no threshold above 2147483647"
    ),
    ("DEST", errno.ERANGE): "a weight or threshold is out of range, or lower_threshold is above upper_threshold",
    ("SERVICE", errno.EINVAL): "an attribute is out of range (an IPv6 prefix length is 1 to 128)",
    ("SERVICE", errno.EAFNOSUPPORT): "this kernel's IPVS has no support for the address family",
    ("SERVICE", errno.EPROTONOSUPPORT): "this kernel's IPVS has no support for the protocol",
}


def _explained(command: str, number: int, operation: Operation) -> LvsError:
    """What the kernel answered to a command as an error with a sentence."""
    if number == errno.EPERM:
        return Unsupported(f"{operation}: {_not_permitted()}")
    if number in _GONE_OR_THERE[command]:
        return Conflict(f"{operation}: {os.strerror(number)}")
    if number == errno.ENOENT and isinstance(operation.after, Service):
        return Refused(f"{operation}: {_no_module(operation.after)}")
    reason = _REASONS.get((command.partition("_")[2], number))
    explained = f"{_reason(number)}: {reason}" if reason else _reason(number)
    return Refused(f"{operation}: the kernel refused it: {explained}")


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
