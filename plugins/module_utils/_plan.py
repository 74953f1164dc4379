# Copyright (c) 2026, the linux.lvs contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the table as it is to the table as it should be: an ordered list of operations.

Private to linux.lvs: may change in any release.

A plan is data: check mode shows it, diff prints it, ``commands`` lists it, ``_apply`` carries it out, and made the
other way round it leads back. The order of operations:

1. new services, each followed by its servers
2. new servers of existing services, and weight increases
3. changes of services
4. weight decreases and other changes of servers
5. removed servers
6. removed services (the kernel drops their servers along)

So a service that has servers to send to before and after has one at every step in between, and nothing that can
be set in place is deleted and added. Within a step the order is that of addresses: the order of the input has no
influence, and equal directors are filled equally (sh and mh depend on the order in which servers were added).
"""

from __future__ import annotations

from typing import NamedTuple, Sequence

from ._model import Entry, Server, ServerKey, Service, ServiceKey, Table, sorted_keys

ADD, UPDATE, REMOVE = "add", "update", "remove"
LISTED = 20


class Operation(NamedTuple):
    """One change of one entry; ``before`` None adds, ``after`` None removes."""

    service: ServiceKey
    server: ServerKey | None  # None: of the service itself
    before: Service | Server | None
    after: Service | Server | None

    @property
    def verb(self) -> str:
        """add, update or remove."""
        if self.before is None:
            return ADD
        return REMOVE if self.after is None else UPDATE

    @property
    def entry(self) -> str:
        """The entry in words, for messages."""
        return str(self.service) if self.server is None else f"{self.service} -> {self.server}"

    def __str__(self) -> str:
        return f"{self.verb} {self.entry}"


def make_steps(current: Table, desired: Table) -> tuple[tuple[Operation, ...], ...]:
    """The operations that lead from one table to the other, by the steps described above; empty steps are left out.

    A step relies on those before it. Within a step no operation relies on another one, but servers of a new service
    on that service, so that a step may go to the kernel as a whole.
    """
    steps: list[list[Operation]] = [[] for step in range(6)]
    for key in sorted_keys({**current, **desired}):
        before, after = current.get(key), desired.get(key)
        if before is None and after is not None:
            steps[0].append(Operation(key, None, None, after.service))
            steps[0].extend(_added(key, after))
        elif after is None and before is not None:
            steps[5].append(Operation(key, None, before.service, None))
        elif before is not None and after is not None:
            if before.service != after.service:
                steps[2].append(Operation(key, None, before.service, after.service))
            _compare_servers(key, before, after, steps)
    return tuple(tuple(step) for step in steps if step)


def make_plan(current: Table, desired: Table) -> tuple[Operation, ...]:
    """The operations that lead from one table to the other, in the order described above."""
    return tuple(operation for step in make_steps(current, desired) for operation in step)


def _added(key: ServiceKey, entry: Entry) -> Sequence[Operation]:
    return [Operation(key, server, None, entry.servers[server]) for server in sorted_keys(entry.servers)]


def _compare_servers(key: ServiceKey, before: Entry, after: Entry, steps: list[list[Operation]]) -> None:
    if before.servers == after.servers:
        return
    for name in sorted_keys({**before.servers, **after.servers}):
        old, new = before.servers.get(name), after.servers.get(name)
        if old == new:
            continue
        operation = Operation(key, name, old, new)
        if new is None:
            steps[4].append(operation)
        elif old is None or new.weight > old.weight:
            steps[1].append(operation)
        else:
            steps[3].append(operation)


def listed(operations: Sequence[Operation]) -> str:
    """Operations in words, not too many of them for a sentence."""
    more = f" and {len(operations) - LISTED} more" if len(operations) > LISTED else ""
    return ", ".join(map(str, operations[:LISTED])) + more


def touched(plan: Sequence[Operation], table: Table) -> Table:
    """Those services of a table, with their servers, that a plan touches."""
    keys = {operation.service for operation in plan}
    return {key: entry for key, entry in table.items() if key in keys}


def led_back(now: Table, snapshot: Table, journal: Sequence[Operation]) -> tuple[Table, tuple[str, ...]]:
    """The table to go to when what a run did must be undone, and what can't be.

    ``now`` with each entry of the journal as it was in ``snapshot``, where ``now`` still shows what the run wrote.
    What somebody else changed since then stays and is returned in words.
    """
    table = dict(now)
    foreign: list[str] = []
    found, rebuilt = found_before(journal, snapshot), _rebuilt(journal)
    for operation in reversed(journal):
        if operation.service not in rebuilt and shown(now, operation) == found[operation.service, operation.server]:
            continue  # is back already, however often this run changed it
        if shown(table, operation) == operation.before:
            continue  # came back with its service
        service_gone = operation.server is not None and operation.service not in table
        if service_gone or shown(table, operation) != operation.after or _holds_foreign_servers(table, operation):
            foreign.append(operation.entry)
        elif operation.server is None:
            _restore_service(table, snapshot, operation)
        else:
            entry = table[operation.service]
            servers = {key: server for key, server in entry.servers.items() if key != operation.server}
            if isinstance(operation.before, Server):
                servers[operation.server] = operation.before
            table[operation.service] = Entry(entry.service, servers)
    return table, tuple(foreign)


def found_before(
    journal: Sequence[Operation], snapshot: Table
) -> dict[tuple[ServiceKey, ServerKey | None], Service | Server | None]:
    """What each entry of a journal was before the run: before its first operation, as others change things too.

    Servers go and come with their service, so of one that was removed or added the snapshot knows better.
    """
    rebuilt = _rebuilt(journal) & set(snapshot)
    return {
        (each.service, each.server): shown(snapshot, each) if each.server and each.service in rebuilt else each.before
        for each in reversed(journal)
    }


def _rebuilt(journal: Sequence[Operation]) -> set[ServiceKey]:
    return {operation.service for operation in journal if operation.server is None and operation.verb != UPDATE}


def shown(table: Table, operation: Operation) -> Service | Server | None:
    """What a table has of the entry that an operation is about."""
    entry = table.get(operation.service)
    if entry is None or operation.server is None:
        return entry.service if entry else None
    return entry.servers.get(operation.server)


def _holds_foreign_servers(table: Table, operation: Operation) -> bool:
    # our own servers of a service that we added were taken back before, as the journal is read backwards
    return operation.server is None and operation.verb == ADD and bool(table[operation.service].servers)


def _restore_service(table: Table, snapshot: Table, operation: Operation) -> None:
    # the snapshot has no service that a rival added after it was taken, and that this run changed or removed
    if not isinstance(operation.before, Service):
        table.pop(operation.service)
        return
    lost = snapshot[operation.service].servers if operation.service in snapshot else {}
    servers = table[operation.service].servers if operation.service in table else lost
    table[operation.service] = Entry(operation.before, servers)
