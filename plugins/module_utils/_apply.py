# Copyright (c) 2026, the linux.lvs contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a plan to the kernel: apply, wait for drains, read again, prove it; or lead back.

Private to linux.lvs: may change in any release.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import Callable, Collection, ContextManager, Iterable, Iterator, Sequence

from ._desired import Awaited, Desired, drain_kinds, drain_warnings, drained_first, takeover_warnings
from ._errors import Conflict, LvsError, Unsettled
from ._ipvsadm import command
from ._model import CONNECTION_KINDS, Connections, Service, ServiceKey, Table, sorted_keys
from ._netlink import Kernel
from ._options import DrainSpec
from ._plan import Operation, found_before, led_back, listed, make_plan, make_steps, shown

ATTEMPTS = 5  # to settle a table on which somebody else works too
LEAD_BACK_ROUNDS = 20
DRAIN_POLL = 0.5  # s
DRAIN_REPORT = 30.0  # s between two lines in the log about a wait
LOG_SINGLY = 100  # operations of a step that get a line each
LOG_LINE = 900  # bytes that any system log takes in one line (RFC 3164 has 1024 with the header)


@dataclass(frozen=True)
class Drained:
    """How the wait for one server's connections ended."""

    entry: Awaited
    service: Service
    seconds: float
    left: Connections
    kinds: tuple[str, ...]  # that were waited for
    finished: bool  # none of them is left, seen twice (once when there was no time to wait)


@dataclass
class Outcome:
    """What a run found, did and left."""

    before: Table
    after: Table
    operations: tuple[Operation, ...] = ()
    commands: tuple[str, ...] = ()  # the operations as command lines
    drains: tuple[Drained, ...] = ()
    warnings: tuple[str, ...] = ()
    failure: str | None = None  # connections that had to end have not; everything else is done


@dataclass(frozen=True)
class Task:
    """What a run is to do, and how it reaches the world.

    ``again`` reads after a change: it gets what was read before and the services that were touched since. ``desire``
    is asked again whenever the table is not what it was to become: it holds what the user wrote, not what the table
    was. ``lock`` keeps other runs away, ``log`` takes a line for the system log, ``netns`` is for command lines.
    """

    read: Callable[[], Table]
    again: Callable[[Table, Collection[ServiceKey]], Table]
    desire: Callable[[Table], Desired]
    drain: DrainSpec
    templates_expire: Callable[[], bool]
    lock: Callable[[], ContextManager[None]]
    log: Callable[[str], None]
    netns: str | None = None


def predict(task: Task) -> Outcome:
    """What a run would do; nothing is changed, written or waited for."""
    found = task.read()
    desired = task.desire(found)
    before = {**found, **desired.assumed}
    middle, awaited = _passed_through(task, before, desired)
    operations = make_plan(before, middle) + make_plan(middle, desired.table)
    commands = tuple(command(operation, task.netns) for operation in operations)
    return Outcome(before, desired.table, operations, commands, warnings=_warnings(task, before, desired, awaited))


def converge(kernel: Kernel, task: Task) -> Outcome:
    """Makes the table so, and proves it.

    1. read the table, ask what is desired of it, plan
    2. apply what comes before a drain; read again until nothing is left to do
    3. give the lock back and wait for connections to end, all servers together
    4. lock, read, ask and plan again; if somebody gave weight to what is drained, take it away and wait again
    5. apply the removals; read again until nothing is left to do

    What a rival changes meanwhile is met by reading and deciding again. Raises Refused, after leading back what
    this run did, and other errors, which say what was done.
    """
    run = _Run(kernel, task)
    try:
        with task.lock():
            before = run.snapshot = task.read()
            desired = run.desire(before)
            awaited = _passed_through(task, before, desired)[1]
            table = run.settle(before, run.before_removals)
        drains: tuple[Drained, ...] = ()
        if awaited:
            table, drains = _drain(run, table, awaited)
    except LvsError as error:
        error.done = tuple(command(operation, task.netns) for operation in run.journal)
        raise
    return Outcome(
        before,
        table,
        tuple(run.journal),
        tuple(run.commands),
        drains,
        _warnings(task, before, desired, awaited),
        _failure(drains, task) if desired.awaited and task.drain.timeout else None,
    )


def _drain(run: _Run, table: Table, awaited: tuple[Awaited, ...]) -> tuple[Table, tuple[Drained, ...]]:
    task, begin = run.task, time.monotonic()
    while True:
        drains = wait_for(run.kernel, table, awaited, task, begin)
        with task.lock():
            table = task.read()
            still = _passed_through(task, table, run.desire(table))[1]
            reopened = {(key, server) for key, server in still if table[key].servers[server].weight > 0}
            if not reopened or time.monotonic() - begin >= task.drain.timeout:
                table = run.settle(table, lambda table: run.desire(table).table)
                return table, tuple(
                    replace(drained, finished=drained.finished and drained.entry not in reopened) for drained in drains
                )
            task.log(f"somebody gave weight to what is drained, draining again: {_listed_entries(reopened)}")
            table = run.settle(table, run.before_removals)
        awaited = tuple(dict.fromkeys(awaited + still))


def _passed_through(task: Task, table: Table, desired: Desired) -> tuple[Table, tuple[Awaited, ...]]:
    """The table before the removals, and the servers to wait for then."""
    if not task.drain.timeout:
        return desired.table, desired.awaited
    middle, going = drained_first(table, desired.table)
    return (middle if going else desired.table), desired.awaited + going


def _warnings(task: Task, table: Table, desired: Desired, awaited: Sequence[Awaited]) -> tuple[str, ...]:
    services = dict.fromkeys(service for service, _server in awaited)
    return desired.warnings + tuple(
        warning
        for key in services
        for warning in (
            *drain_warnings(table[key].service, task.templates_expire()),
            *takeover_warnings(key, desired.table, task.drain.timeout),
        )
    )


@dataclass
class _Run:
    kernel: Kernel
    task: Task
    snapshot: Table = field(default_factory=dict)
    journal: list[Operation] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)  # those of the journal, until something is led back
    removed: Table = field(default_factory=dict)  # by this run, as read last before; the snapshot may be an hour old
    met_rival: bool = False
    _asked: tuple[Table, Desired] | None = None

    def desire(self, table: Table) -> Desired:
        """What is desired on top of this reading of the table, asked once for each reading."""
        if self._asked is None or self._asked[0] is not table:
            self._asked = (table, self.task.desire(table))
        return self._asked[1]

    def before_removals(self, table: Table) -> Table:
        """The target of what comes before a wait."""
        return _passed_through(self.task, table, self.desire(table))[0]

    def settle(self, table: Table, target: Callable[[Table], Table]) -> Table:
        """Applies what leads to the target until a reading shows that nothing is left to do."""
        goal = target(table)
        steps = make_steps(table, goal)
        for _attempt in range(ATTEMPTS):
            if not steps:
                return table
            self._apply(steps, table)
            table = self.task.again(table, {operation.service for step in steps for operation in step})
            steps = make_steps(table, goal)
            if steps:  # what somebody else did meanwhile may have another goal
                goal = target(table)
                steps = make_steps(table, goal)
        if not steps:
            return table
        left = [operation for step in steps for operation in step]
        cause = "another process keeps changing the table"
        if not self.met_rival:
            cause += ", or the kernel takes but does not keep what was asked for (is it older than that attribute?)"
        raise Unsettled(f"after {ATTEMPTS} attempts the kernel still differs: {cause}; left to do: {listed(left)}")

    def _apply(self, steps: Sequence[Sequence[Operation]], table: Table) -> None:
        for step in steps:
            failures, done = [], []
            for operation, failure in zip(step, self.kernel.apply(step)):
                if failure is None or isinstance(failure, Unsettled):  # done, or perhaps
                    self.journal.append(operation)
                    self.commands.append(command(operation, self.task.netns))
                    if operation.server is None and operation.after is None:
                        self.removed[operation.service] = table[operation.service]
                if failure is None:
                    done.append(self.commands[-1])
                else:
                    failures.append(failure)
            self._log(done)
            refused = [failure for failure in failures if not isinstance(failure, Conflict)]
            if refused:
                error = type(refused[0])(f"{refused[0]}; {self._lead_back()}")
                error.told = True
                raise error
            if failures:
                self.met_rival = True
                self.task.log(f"somebody else changes the table, reading it again: {failures[0]}")
                return

    def _lead_back(self) -> str:
        """Undoes what this run did; returns how that went, in words. What could not be undone stays in the journal.

        What others change meanwhile is met by reading again; what the kernel refuses is left out, and the rest undone.
        """
        if not self.journal:
            return "nothing was changed"
        report = f"done before: {listed(self.journal)}"
        given_up: dict[str, LvsError] = {}
        snapshot = {**self.snapshot, **self.removed}
        try:
            for _round in range(LEAD_BACK_ROUNDS):
                now = self.task.read()
                target, _foreign = led_back(
                    now, snapshot, [each for each in self.journal if each.entry not in given_up]
                )
                if not self._led_to(now, target, given_up):
                    break
            else:
                now = self.task.read()
        except LvsError as error:
            return f"{report}; leading it back failed: {error}"
        target, foreign = led_back(now, snapshot, self.journal)
        left = (*make_plan(now, target), *self._lost(now, given_up))
        # what was read before a removal has the weight 0 of our own drain
        found = found_before(self.journal, self.snapshot)
        self.journal = [each for each in self.journal if shown(now, each) != found[each.service, each.server]]
        if left:
            cause = next(iter(given_up.values()), "another process keeps changing the table")
            report += f"; leading it back failed: {cause}; to be as before it needs: {listed(left)}"
        else:
            report += ", and led back"
        others = [entry for entry in foreign if entry not in given_up]
        return report + (f"; left as somebody else changed it meanwhile: {', '.join(others)}" if others else "")

    def _lost(self, now: Table, given_up: Collection[str]) -> Iterator[Operation]:
        """Servers that the kernel did not take back with a service that this run had removed."""
        for key in sorted_keys(self.removed):
            before = self.snapshot.get(key, self.removed[key]).servers
            for server in sorted_keys(before) if key in now else ():
                operation = Operation(key, server, None, before[server])
                if server not in now[key].servers and operation.entry in given_up:
                    yield operation

    def _led_to(self, now: Table, target: Table, given_up: dict[str, LvsError]) -> bool:
        """One round of leading back; whether another one is needed, with what the kernel refused noted."""
        steps = make_steps(now, target)
        for step in steps:
            failed, done = False, []
            for operation, failure in zip(step, self.kernel.apply(step)):
                if failure is None:
                    done.append(command(operation, self.task.netns))
                    continue
                failed = True
                if not isinstance(failure, Conflict):
                    given_up.setdefault(operation.entry, failure)
            self._log(done, "leading back: ")
            if failed:
                return True
        return bool(steps)

    def _log(self, commands: Sequence[str], prefix: str = "") -> None:
        for line in log_lines(commands):
            self.task.log(prefix + line)


def log_lines(commands: Sequence[str]) -> Iterator[str]:
    """Command lines as lines for the system log: one each, or when there are many several to a line.

    journald drops what one service logs beyond 10,000 lines in 30 s (RateLimitBurst in journald.conf(5)), so that a
    large table would lose the end of its trail.
    """
    if len(commands) <= LOG_SINGLY:
        yield from commands
        return
    line = ""
    for each in commands:
        if line and len(line) + len("; ") + len(each) > LOG_LINE:
            yield line
            line = ""
        line += f"; {each}" if line else each
    yield line


def wait_for(kernel: Kernel, table: Table, awaited: Sequence[Awaited], task: Task, begin: float) -> tuple[Drained, ...]:
    """Waits for all these servers together until none has connections left, or the time since ``begin`` is over.

    None left must be seen twice, as a client may be between two connections; with no time to wait one look is all
    there is. A server or service that vanishes meanwhile has none left.
    """
    expire = task.templates_expire()
    kinds = {
        entry: drain_kinds(table[entry[0]].service, task.drain.wait_for, expire)
        for entry in awaited
        if entry[0] in table
    }
    reported = begin
    ended: set[Awaited] = set()
    done: dict[Awaited, Drained] = {}
    while True:
        now = time.monotonic()
        over = now - begin >= task.drain.timeout
        left = _connections(kernel, [entry for entry in kinds if entry not in done])
        for entry, connections in left.items():
            empty = _none_left(connections, kinds[entry])
            finished = empty and (entry in ended or not task.drain.timeout)
            if finished or (over and not empty):
                service, seconds = table[entry[0]].service, round(now - begin, 1)
                done[entry] = Drained(entry, service, seconds, connections, kinds[entry], finished)
            (ended.add if empty else ended.discard)(entry)
        if len(done) == len(kinds):
            return tuple(done[entry] for entry in kinds)
        if now - reported >= DRAIN_REPORT:
            reported = now
            task.log(f"draining since {now - begin:.0f} s: {_listed_left(left)}")
        # one look more after the end, for those that had none left for the first time
        time.sleep(DRAIN_POLL if over else min(DRAIN_POLL, begin + task.drain.timeout - now))


def _connections(kernel: Kernel, entries: Sequence[Awaited]) -> dict[Awaited, Connections]:
    services = {service: kernel.connections(service) for service in {service for service, _server in entries}}
    return {(service, server): services[service].get(server, Connections()) for service, server in entries}


def _none_left(connections: Connections, kinds: Sequence[str]) -> bool:
    return all(getattr(connections, kind) == 0 for kind in kinds)


def _failure(drains: Sequence[Drained], task: Task) -> str | None:
    unfinished = [drained for drained in drains if not drained.finished]
    if not unfinished:
        return None
    return (
        f"not drained after {task.drain.timeout} s (weight is 0, new connections go elsewhere):"
        f" {_listed_left({drained.entry: drained.left for drained in unfinished})}."
        f" {_why_not(unfinished, task.templates_expire())}"
    )


def _why_not(drains: Sequence[Drained], templates_expire: bool) -> str:
    """Why connections may outlast a drain: the kernel's time-outs (ip_vs_proto_tcp.c and its like)."""
    kinds = {kind for drained in drains for kind in drained.kinds if getattr(drained.left, kind)}
    reasons = []
    if "active" in kinds:
        reasons.append("Active ones end when client or server close them; peers that vanished stay up to 900 s")
    if "inactive" in kinds:
        reasons.append("Inactive ones end by time-out: UDP 300 s after its last packet, closed TCP after up to 120 s")
    if "persistent" in kinds:
        timeouts = [drained.service.persistence_timeout for drained in drains if drained.left.persistent]
        after = f"{timeouts[0]} s" if timeouts[0] is not None else "by their own time-out, for persistence is off now,"
        reasons.append(
            f"Persistent ones end {after} after the client's last connection"
            + ("" if templates_expire else ", and net.ipv4.vs.expire_quiescent_template 0 lets known clients come back")
        )
    return ". ".join(reasons) + "."


def _listed_entries(entries: Iterable[Awaited]) -> str:
    return ", ".join(sorted(f"{service} -> {server}" for service, server in entries))


def _listed_left(left: dict[Awaited, Connections]) -> str:
    return ", ".join(
        f"{service} -> {server} has " + ", ".join(f"{getattr(connections, kind)} {kind}" for kind in CONNECTION_KINDS)
        for (service, server), connections in left.items()
    )
