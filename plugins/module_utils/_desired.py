# Copyright (c) 2026, the linux.lvs contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was asked for, on top of what the kernel has: the table as it should be.

Private to linux.lvs: may change in any release.

Options that were left out keep what an entry has. Options that depend on another follow it: what a new scheduler
does not know is dropped, and so are the netmask and engine of a service that is no longer persistent and the
tunnel options of a server that leaves its tunnel. Entries that would not change are never refused, whatever the
kernel holds, nor are servers of which only the weight would; about such a warning is given.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Mapping, Sequence, Tuple

from ._address import host_netmask
from ._errors import InvalidInput
from ._model import (
    FLAG_NAMES,
    MAX_INT,
    MAX_PERSISTENCE,
    Entry,
    Server,
    ServerKey,
    Service,
    ServiceKey,
    Table,
    flag_bits,
    kept_flags,
    key_problems,
    server_problems,
    service_problems,
    sorted_keys,
)
from ._options import DrainSpec, ServerSpec, ServiceSpec

Awaited = Tuple[ServiceKey, ServerKey]


@dataclass(frozen=True)
class Desired:
    """The table as it should be, the servers whose connections should end, and what the user should know.

    ``assumed`` is what a real run would find in the table before this one, since an earlier task makes it.
    """

    table: Table
    awaited: tuple[Awaited, ...] = ()
    warnings: tuple[str, ...] = ()
    assumed: Table = field(default_factory=dict)


def merge_service(spec: ServiceSpec, current: Service | None, path: str = "", reset: bool = False) -> Service:
    """The service with what was given, everything else kept, or with ``reset`` as a new one has it.

    Raises InvalidInput with all that is wrong.
    """
    base = Service(key=spec.key) if reset or current is None else current
    values: dict[str, Any] = dict(spec.given)
    scheduler = values.setdefault("scheduler", base.scheduler)
    problems = _beyond(spec.given, current, {"persistence_timeout": MAX_PERSISTENCE})
    if "scheduler_flags" in values:
        try:
            values["scheduler_flags"] = flag_bits(scheduler, values["scheduler_flags"])
        except ValueError as error:
            problems += (f"scheduler_flags: {error}",)
            values["scheduler_flags"] = frozenset()
    else:
        values["scheduler_flags"] = kept_flags(base.scheduler, scheduler, base.scheduler_flags)
    if values.setdefault("persistence_timeout", base.persistence_timeout) is None:
        if base.persistence_timeout is not None:
            values.setdefault("persistence_engine", "")
        values.setdefault("persistence_netmask", None)
    else:
        values.setdefault("persistence_netmask", base.persistence_netmask or host_netmask(spec.key.family))
    merged = base._replace(**values)
    if merged == current and not problems:
        return current
    _refuse(problems + service_problems(merged), path)
    return merged


def merge_server(
    spec: ServerSpec, service: ServiceKey, current: Server | None, path: str = "", reset: bool = False
) -> Server:
    """The server with what was given, everything else kept or reset as in merge_service, which also raises alike."""
    merged = _merged_server(spec, service, None if reset else current)
    if merged == current:
        return current
    # whatever else the kernel holds of it: taking a server out of service and back must always be possible
    if not alike_but_for_weight(merged, current):
        problems = _beyond(spec.given, current, _THRESHOLDS) + server_problems(service, merged, spec.given)
        _refuse(problems, path)
    return merged


def alike_but_for_weight(server: Server, current: Server | None) -> bool:
    """Whether a server would be what the kernel has, its weight at most aside."""
    if current is None or server is current:
        return current is not None
    return server == current._replace(weight=server.weight)


def new_server(spec: ServerSpec, service: ServiceKey) -> Server:
    """The server with what was given and else as a new one has it; whether that goes together is not judged."""
    return _merged_server(spec, service, None)


def _merged_server(spec: ServerSpec, service: ServiceKey, current: Server | None) -> Server:
    base = _NEW_SERVER if current is None else current._asdict()
    given = spec.given
    # of dictionaries, as there may be ten thousand of them: _replace() takes twice as long
    values: dict[str, Any] = {**base, **given, "key": spec.key(service)}
    tunnel = values["forwarding"] == "tunnel"
    if "tunnel_type" not in given:
        values["tunnel_type"] = (base["tunnel_type"] or "ipip") if tunnel else None
    kind = values["tunnel_type"] if tunnel else None
    if "tunnel_port" not in given and kind != "gue":
        values["tunnel_port"] = None
    if "tunnel_checksum" not in given and (kind != base["tunnel_type"] or base["tunnel_checksum"] is None):
        values["tunnel_checksum"] = _kept_checksum(kind, base["tunnel_checksum"])
    return Server(**values)


_NEW_SERVER = {name: value for name, value in Server(key=ServerKey("", 0))._asdict().items() if name != "key"}
_THRESHOLDS = {"upper_threshold": MAX_INT, "lower_threshold": MAX_INT}


def _beyond(given: Mapping[str, Any], current: Any, limits: Mapping[str, int]) -> tuple[str, ...]:
    """Numbers above what we would set, other than what the kernel has already."""
    problems: tuple[str, ...] = ()
    for name, most in limits.items():
        value = given.get(name)
        if value is not None and value > most and value != getattr(current, name, None):
            problems += (f"{name}: {value} is not between 0 and {most}",)
    return problems


def _kept_checksum(tunnel_type: str | None, checksum: str | None) -> str | None:
    if tunnel_type not in ("gue", "gre"):
        return None
    return "none" if checksum is None or (tunnel_type == "gre" and checksum == "remcsum") else checksum


def _refuse(problems: Sequence[str], path: str) -> None:
    if problems:
        raise InvalidInput([f"{path}{problem}" for problem in problems])


def with_service(table: Table, spec: ServiceSpec) -> Desired:
    """The table with this service present."""
    current = table.get(spec.key)
    merged = merge_service(spec, current.service if current else None)
    entry = Entry(merged, current.servers if current else {})
    warnings = oddities(service_problems(merged), str(spec.key)) + one_packet_warning(entry)
    return Desired({**table, spec.key: entry}, warnings=warnings)


def without_service(table: Table, key: ServiceKey) -> Desired:
    """The table with this service absent."""
    return Desired({other: entry for other, entry in table.items() if other != key})


def with_server(table: Table, service: ServiceKey, spec: ServerSpec, assume_service: bool = False) -> Desired:
    """The table with this server present.

    Raises InvalidInput when its service does not exist, unless that is to be assumed (check mode, where an
    earlier task would have created it).
    """
    entry = table.get(service)
    warnings: tuple[str, ...] = ()
    assumed: Table = {}
    if entry is None:
        wrong = tuple(f"service.{problem}" for problem in key_problems(service))
        if wrong or not assume_service:
            missing = f"service: {service} does not exist; create it first (linux.lvs.ipvs_service)"
            raise InvalidInput([*(wrong or [missing]), *_problems_of_new(spec, service)])
        warnings = (f"service: {service} does not exist; assuming that an earlier task creates it in a real run",)
        entry = Entry(Service(key=service), {})
        assumed = {service: entry}
    key = spec.key(service)
    merged = merge_server(spec, service, entry.servers.get(key))
    changed = Entry(entry.service, {**entry.servers, key: merged})
    warnings += oddities(server_problems(service, merged), f"{service} -> {key}")
    if merged.forwarding == "nat":
        warnings += one_packet_warning(changed)
    return Desired({**table, service: changed}, warnings=warnings, assumed=assumed)


def _problems_of_new(spec: ServerSpec, service: ServiceKey) -> tuple[str, ...]:
    try:
        merge_server(spec, service, None)
    except InvalidInput as error:
        return error.problems
    return ()


def without_server(table: Table, service: ServiceKey, server: ServerKey, drain: DrainSpec) -> Desired:
    """The table with this server absent. Raises InvalidInput when too few others would be left."""
    entry = table.get(service)
    if entry is None or server not in entry.servers:
        return Desired(table)
    _keep_active(entry, server, drain.minimum_active, "remove")
    servers = {key: other for key, other in entry.servers.items() if key != server}
    return Desired({**table, service: Entry(entry.service, servers)})


def with_drained_server(table: Table, service: ServiceKey, spec: ServerSpec, drain: DrainSpec) -> Desired:
    """The table with this server at weight 0, if it exists. Raises InvalidInput as without_server does."""
    entry = table.get(service)
    key = spec.key(service)
    if entry is None or key not in entry.servers:
        return Desired(table)
    if entry.servers[key].weight > 0:
        _keep_active(entry, key, drain.minimum_active, "drain")
    desired = with_server(table, service, replace(spec, given={**spec.given, "weight": 0}))
    return replace(desired, awaited=((service, key),))


def _keep_active(entry: Entry, server: ServerKey, minimum: int, verb: str) -> None:
    left = sum(1 for key, other in entry.servers.items() if key != server and other.weight > 0)
    if left < minimum:
        raise InvalidInput(
            [
                f"minimum_active: refused to {verb} {server}: {left} other servers of {entry.service.key} have a"
                f" weight above 0, and {minimum} must be left"
            ]
        )


def oddities(problems: Sequence[str], entry: str) -> tuple[str, ...]:
    """Warnings about an entry that the kernel holds though it makes no sense, and that stays so, its weight aside."""
    return tuple(f"{entry}: the kernel holds it so, left as it is: {problem}" for problem in problems)


def one_packet_warning(entry: Entry) -> tuple[str, ...]:
    """A warning where replies would leave with another address than the client asked."""
    nat = [str(key) for key, server in entry.servers.items() if server.forwarding == "nat"]
    if not entry.service.one_packet or not nat:
        return ()
    return (
        f"one_packet: replies of masqueraded servers ({', '.join(sorted(nat))}) leave with the server's own"
        f" address instead of {entry.service.key}'s; use forwarding direct or tunnel",
    )


def drained_first(current: Table, desired: Table) -> tuple[Table, tuple[Awaited, ...]]:
    """The table to pass through on the way to ``desired``: what will be removed is still there, at weight 0.

    Also returns the servers that will be removed, whose connections are to be awaited in between.
    """
    table: Table = dict(desired)
    awaited: list[Awaited] = []
    for key in sorted_keys(current):
        entry = current[key]
        kept = desired[key].servers if key in desired else {}
        going = {name: server._replace(weight=0) for name, server in entry.servers.items() if name not in kept}
        if going:
            table[key] = Entry(desired[key].service if key in desired else entry.service, {**kept, **going})
            awaited.extend((key, name) for name in sorted_keys(going))
        elif key not in desired:
            table[key] = entry
    return table, tuple(awaited)


def drain_kinds(service: Service, wait_for: tuple[str, ...] | None, templates_expire: bool) -> tuple[str, ...]:
    """Which connections to wait for.

    The kernel counts UDP as inactive always; packets of a mark may be of any protocol. While templates do not
    expire (``net.ipv4.vs.expire_quiescent_template`` 0), persistent clients come back to a server with weight 0.
    """
    if wait_for is not None:
        return wait_for
    kinds: Mapping[str | None, tuple[str, ...]] = {"udp": ("inactive",), None: ("active", "inactive")}
    persistent = service.persistence_timeout is not None and not templates_expire
    return kinds.get(service.key.protocol, ("active",)) + (("persistent",) if persistent else ())


def drain_warnings(service: Service, templates_expire: bool) -> tuple[str, ...]:
    """What a drain of this service's servers does to clients, or can't do."""
    warnings = []
    if service.persistence_timeout is not None and not templates_expire:
        warnings.append(
            f"{service.key} is persistent and net.ipv4.vs.expire_quiescent_template is 0: known clients keep coming"
            " to a server with weight 0 until their persistence ends; set the sysctl to 1 to move them"
        )
    refusing = service.scheduler in FLAG_NAMES and 1 not in service.scheduler_flags
    if refusing or service.scheduler == "dh":
        without = f" without {FLAG_NAMES[service.scheduler][1]}" if refusing else ""
        warnings.append(
            f"{service.key} uses scheduler {service.scheduler}{without}: clients whose server is drained are refused"
            " instead of sent to another one"
        )
    return tuple(warnings)


def takeover_warnings(key: ServiceKey, desired: Table, seconds: int) -> tuple[str, ...]:
    """What a drain of a service that goes keeps from its clients: another service that would take them at once."""
    wider = key._replace(port=0)
    if key in desired or not key.port or wider not in desired:
        return ()
    if not any(server.weight > 0 for server in desired[wider].servers.values()):
        return ()
    return (
        f"{key} is drained before it goes: for up to {seconds} s its new clients are refused instead of sent to {wider},"
        " which takes them at once where drain_timeout is 0",
    )
