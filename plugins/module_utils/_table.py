# Copyright (c) 2026, the linux.lvs contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole table as a user declares it: read with the path of every problem, and put on top of what the kernel has.

Private to linux.lvs: may change in any release.

A state of ipvs_table is a scope: whether what was left out is kept or goes back to its default, and which services that
are in the kernel go. All else is the same for all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Sequence

from ._address import FAMILIES, pack, parse_network
from ._desired import Desired, alike_but_for_weight, merge_server, merge_service, oddities, one_packet_warning
from ._errors import InvalidInput
from ._model import (
    MAX_MARK,
    PROTOCOLS,
    Entry,
    Server,
    ServerKey,
    Service,
    ServiceKey,
    Table,
    server_problems,
    service_problems,
    sorted_keys,
)
from ._options import (
    SERVER_OPTIONS,
    SERVICE_OPTIONS,
    Reader,
    ServerSpec,
    ServiceSpec,
    read_server,
    read_service,
    read_service_key,
)
from ._plan import listed, make_plan

KEEP_WEIGHTS = ("none", "zero", "all")
_ENTRY_OPTIONS = (*SERVICE_OPTIONS, "servers")
_EXCLUSION_OPTIONS = ("network", "protocol", "port", "fwmark", "family")


@dataclass(frozen=True)
class EntrySpec:
    """A service with its servers as far as they were described, and where; ``servers`` None are not managed."""

    path: str  # services[2]
    service: ServiceSpec
    servers: tuple[tuple[str, ServerSpec], ...] | None


@dataclass(frozen=True)
class Exclusion:
    """Services that nothing is done to: those with an address in a network, or those of a mark."""

    path: str  # exclude[0]
    family: str | None  # None: both, of a mark
    network: bytes = b""
    mask: bytes = b""
    protocol: str | None = None
    port: int | None = None
    fwmark: int = 0

    def covers(self, key: ServiceKey) -> bool:
        """Whether the service is one of them."""
        if key.family != (self.family or key.family) or key.fwmark != self.fwmark:
            return False
        if self.fwmark:
            return True
        return (
            all(byte & mask == wanted for byte, mask, wanted in zip(pack(key.address or ""), self.mask, self.network))
            and self.protocol in (None, key.protocol)
            and self.port in (None, key.port)
        )


@dataclass(frozen=True)
class Scope:
    """What a state means.

    ``resets``: options left out go back to their defaults, and servers that are not listed go.
    ``removes``: which services of the kernel's go: none, those that are listed, or those that are not.
    """

    resets: bool = False
    removes: str = "none"


SCOPES = {
    "merged": Scope(),
    "replaced": Scope(resets=True),
    "overridden": Scope(resets=True, removes="others"),
    "deleted": Scope(removes="listed"),
}


@dataclass(frozen=True)
class TableSpec:
    """What was asked of the table as a whole. ``entries`` None are all that there are (deleted)."""

    scope: Scope
    entries: tuple[EntrySpec, ...] | None
    keep_weights: str = KEEP_WEIGHTS[0]
    exclude: tuple[Exclusion, ...] = ()
    allowed_actions: tuple[str, ...] = ()
    minimum_active: int = 0


def read_entries(value: Any, path: str, problems: list[str]) -> list[EntrySpec]:
    """A list of services; what is wrong is noted with its path, services or servers that are there twice too."""
    entries: list[EntrySpec] = []
    first: dict[ServiceKey, str] = {}
    for where, options in dictionaries(value, path, problems):
        reader = Reader(options, f"{where}.", problems)
        reader.refuse_unknown(_ENTRY_OPTIONS)
        service = read_service(reader, odd=True)
        # which service is meant can often be told though it has a wrong value, and then duplicates can
        key = service.key if service else read_service_key(Reader(options, "", []), odd=True)
        servers = _read_servers(options.get("servers"), f"{where}.servers", key, problems)
        if key is not None and key in first:
            problems.append(f"{where}: {key} is the same service as {first[key]}")
        elif key is not None:
            first[key] = where
        if service is not None:
            entries.append(EntrySpec(where, service, servers))
    return entries


def _read_servers(
    value: Any, path: str, service: ServiceKey | None, problems: list[str]
) -> tuple[tuple[str, ServerSpec], ...] | None:
    if value is None:
        return None
    servers: list[tuple[str, ServerSpec]] = []
    first: dict[ServerKey, str] = {}
    for where, options in dictionaries(value, path, problems):
        reader = Reader(options, f"{where}.", problems)
        reader.refuse_unknown(SERVER_OPTIONS)
        spec = read_server(reader, odd=True)
        if spec is None:
            continue
        if service is not None:
            key = spec.key(service)
            if key in first:
                problems.append(f"{where}: {key} is the same server as {first[key]}")
            first.setdefault(key, where)
        servers.append((where, spec))
    return tuple(servers)


def dictionaries(value: Any, path: str, problems: list[str]) -> list[tuple[str, Mapping[str, Any]]]:
    """The elements of a list with their paths; those that are no dictionaries are noted and left out."""
    if isinstance(value, str) or not isinstance(value, (list, tuple)):
        problems.append(f"{path}: {value!r} is not a list")
        return []
    found = []
    for number, item in enumerate(value):
        where = f"{path}[{number}]"
        if isinstance(item, Mapping):
            found.append((where, item))
        else:
            problems.append(f"{where}: {item!r} is not a dictionary")
    return found


def read_exclude(options: Reader) -> tuple[Exclusion, ...]:
    """Services to leave alone."""
    value = options.value("exclude")
    found = dictionaries(value, options.path("exclude"), options.problems) if value is not None else []
    exclusions = (
        _read_exclusion(where, Reader(item, f"{where}.", options.problems), options.problems) for where, item in found
    )
    return tuple(exclusion for exclusion in exclusions if exclusion is not None)


def _read_exclusion(where: str, options: Reader, problems: list[str]) -> Exclusion | None:
    noted = len(problems)
    options.refuse_unknown(_EXCLUSION_OPTIONS)
    family = options.choice("family", FAMILIES)
    if options.given("fwmark"):
        for name in ("network", "protocol", "port"):
            if options.given(name):
                options.problem(name, "does not go with fwmark, which is another way to say which services are meant")
        mark = options.integer("fwmark", 1, MAX_MARK)
        return Exclusion(where, family, fwmark=mark) if len(problems) == noted else None
    if options.given("family"):
        options.problem("family", "is for fwmark only; a network has a family of its own")
    if not options.given("network"):
        options.problem("network", "is required (and protocol and port where wanted); or fwmark instead")
    network = options.read("network", parse_network)
    protocol, port = options.choice("protocol", PROTOCOLS), options.integer("port", 0, 65535)
    if len(problems) != noted:
        return None
    family, address, mask = network
    return Exclusion(where, family, address, mask, protocol, port)


def refuse_excluded(entries: Sequence[EntrySpec], exclude: Sequence[Exclusion], problems: list[str]) -> None:
    """Notes listed services that are excluded."""
    for entry in entries:
        for exclusion in exclude:
            if exclusion.covers(entry.service.key):
                problems.append(
                    f"{entry.path}: {entry.service.key} is excluded by {exclusion.path}; take one of them out"
                )
                break


def without_excluded(table: Table, exclude: Sequence[Exclusion]) -> Table:
    """The table without the services that are to be left alone."""
    return {key: entry for key, entry in table.items() if not is_excluded(key, exclude)}


def is_excluded(key: ServiceKey, exclude: Sequence[Exclusion]) -> bool:
    """Whether the service is to be left alone."""
    return any(exclusion.covers(key) for exclusion in exclude)


def declared(entries: Sequence[EntrySpec]) -> Table:
    """The table of exactly these services. Raises InvalidInput with all that is wrong."""
    return with_table({}, TableSpec(SCOPES["overridden"], tuple(entries))).table


def with_table(current: Table, spec: TableSpec) -> Desired:
    """The table as the spec wants it. Raises InvalidInput with all that is wrong."""
    if spec.scope.removes == "listed":
        going = set(current) if spec.entries is None else {entry.service.key for entry in spec.entries}
        return Desired({key: entry for key, entry in current.items() if _stays(key, going, spec.exclude)})
    others = spec.scope.removes == "others"
    table = {key: entry for key, entry in current.items() if not others or is_excluded(key, spec.exclude)}
    problems: list[str] = []
    warnings: list[str] = []
    for entry in spec.entries or ():
        desired = _entry(entry, current.get(entry.service.key), spec, problems, warnings)
        if desired is not None:
            table[desired.service.key] = desired
    if problems:
        raise InvalidInput(problems)
    return Desired(table, warnings=tuple(warnings))


def _stays(key: ServiceKey, going: set[ServiceKey], exclude: Sequence[Exclusion]) -> bool:
    return key not in going or is_excluded(key, exclude)


def _entry(
    spec: EntrySpec, current: Entry | None, scope: TableSpec, problems: list[str], warnings: list[str]
) -> Entry | None:
    noted, resets = len(problems), scope.scope.resets
    service: Service | None = None
    try:
        service = merge_service(spec.service, current.service if current else None, f"{spec.path}.", resets)
        warnings.extend(oddities(service_problems(service), f"{spec.path}: {service.key}"))
    except InvalidInput as error:
        problems.extend(error.problems)
    key, there = spec.service.key, current.servers if current else {}
    servers: dict[ServerKey, Server] = dict(there) if spec.servers is None or not resets else {}
    for path, server in spec.servers or ():
        name = server.key(key)
        held = there.get(name)
        try:
            merged = merge_server(_with_kept_weight(server, held, scope.keep_weights), key, held, f"{path}.", resets)
            if alike_but_for_weight(merged, held):
                warnings.extend(oddities(server_problems(key, merged), f"{path}: {key} -> {name}"))
            servers[name] = merged
        except InvalidInput as error:
            problems.extend(error.problems)
    if service is None or len(problems) != noted:
        return None
    entry = Entry(service, servers)
    if service.one_packet:
        warnings.extend(f"{spec.path}.{warning}" for warning in one_packet_warning(entry))
    return entry


def _with_kept_weight(spec: ServerSpec, held: Server | None, keep: str) -> ServerSpec:
    if held is None or keep == "none" or (keep == "zero" and held.weight > 0):
        return spec
    return replace(spec, given={**spec.given, "weight": held.weight})


def refuse_unsafe(current: Table, desired: Table, spec: TableSpec) -> None:
    """Raises InvalidInput when the way from one table to the other is not one that the spec allows."""
    problems = []
    plan = make_plan(current, desired)
    forbidden = [operation for operation in plan if operation.verb not in spec.allowed_actions]
    if forbidden:
        actions = ", ".join(dict.fromkeys(operation.verb for operation in forbidden))
        allowed = ", ".join(spec.allowed_actions) or "nothing"
        problems.append(
            f"allowed_actions: {allowed} is allowed, and {actions} would be needed for: {listed(forbidden)}"
        )
    for key in sorted_keys(desired):
        if key in current and desired[key] is not current[key]:
            before, after = _active(current[key]), _active(desired[key])
            if after < spec.minimum_active and after < before:
                problems.append(
                    f"minimum_active: {key} has {before} servers with a weight above 0, and would be left with {after}"
                    f" instead of {spec.minimum_active} at least"
                )
    if problems:
        raise InvalidInput(problems)


def _active(entry: Entry) -> int:
    return sum(1 for server in entry.servers.values() if server.weight > 0)


def undeclarable(table: Table) -> tuple[str, ...]:
    """What of a table its options can't say, as warnings with the path that it has among them."""
    return tuple(
        f"services[{number}].persistence_timeout: {key} is persistent for 0 s, which no option can say: declared again"
        " it would not be persistent"
        for number, key in enumerate(sorted_keys(table))
        if table[key].service.persistence_timeout == 0
    )
