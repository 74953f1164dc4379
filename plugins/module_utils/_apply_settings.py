# Copyright (c) 2026, the linux.lvs contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sync daemons, time-outs and counters to the kernel: apply, read again, prove it; or lead back.

Private to linux.lvs: may change in any release.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Callable, ContextManager

from . import _host
from ._apply import ATTEMPTS
from ._errors import Conflict, InvalidInput, LvsError, Refused, Unsettled
from ._ipvsadm import daemon_command, timeouts_command, zero_command
from ._links import interface, interface_names
from ._model import (
    DEFAULT_MTU,
    Counters,
    ServiceKey,
    SyncDaemon,
    Timeouts,
    derived_maxlen,
)
from ._netlink import Kernel
from ._settings import (
    START,
    DaemonSpec,
    DaemonStep,
    daemon_steps,
    daemon_warnings,
    interface_problem,
    merge_daemon,
    merge_timeouts,
    mixed_family_problem,
    parse_totals,
    timeouts_change,
)

_ASSUMED = "assuming that an earlier task sees to it in a real run"


@dataclass
class Outcome:
    """What a run found, did and left; each table a small dictionary."""

    before: dict[str, Any]
    after: dict[str, Any]
    commands: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Job:
    """How a run reaches the world: ``netns`` is for command lines, ``log`` takes a line for the system log."""

    kernel: Kernel
    lock: Callable[[], ContextManager[None]]
    log: Callable[[str], None]
    netns: str | None = None


def predict_daemon(job: Job, role: str, spec: DaemonSpec | None) -> Outcome:
    """What a run would do; ``spec`` None is no daemon."""
    current = job.kernel.daemons().get(role)
    desired = _desired(spec, current)
    steps = daemon_steps(current, desired)
    problems = _start_problems(job.kernel, steps)
    warnings = tuple(f"{problem}; {_ASSUMED}" for problem in problems) + _warnings(desired, steps)
    return Outcome(
        _options(current),
        _options(_foreseen(desired)),
        tuple(daemon_command(step, job.netns) for step in steps),
        warnings,
    )


def converge_daemon(job: Job, role: str, spec: DaemonSpec | None) -> Outcome:
    """Makes the daemon so, and proves it.

    What a rival starts or stops meanwhile is met by reading and deciding again. Raises InvalidInput before anything
    is stopped, Refused after starting again what had to be stopped, and other errors, which say what was done.
    """
    run = _DaemonRun(job)
    try:
        with job.lock():
            before = current = job.kernel.daemons().get(role)
            for _attempt in range(ATTEMPTS):
                desired = _desired(spec, current)
                steps = daemon_steps(current, desired)
                if not steps:
                    break
                run.apply(steps)
                current = job.kernel.daemons().get(role)
            desired = _desired(spec, current)
            if daemon_steps(current, desired):
                raise _unsettled(run.met_rival)
    except LvsError as error:
        error.done = run.commands()
        raise
    return Outcome(_options(before), _options(current), run.commands(), _warnings(desired, run.journal))


@dataclass
class _DaemonRun:
    job: Job
    journal: list[DaemonStep] = field(default_factory=list)
    met_rival: bool = False

    def commands(self) -> tuple[str, ...]:
        return tuple(daemon_command(step, self.job.netns) for step in self.journal)

    def apply(self, steps: tuple[DaemonStep, ...]) -> None:
        problems = _start_problems(self.job.kernel, steps)
        if problems:
            raise InvalidInput(problems)
        stopped = None
        for step in steps:
            try:
                self._do(step)
            except Conflict as conflict:
                self.met_rival = True
                self.job.log(f"somebody else changes the sync daemons, reading them again: {conflict}")
                return
            except Refused as error:
                raise Refused(f"{error}; {self._lead_back(stopped)}") from None
            stopped = step.daemon
            self.journal.append(step)

    def _do(self, step: DaemonStep, prefix: str = "") -> None:
        if step.verb == START:
            self.job.kernel.start_daemon(step.daemon)
        else:
            self.job.kernel.stop_daemon(step.daemon.role)
        self.job.log(f"{prefix}{daemon_command(step, self.job.netns)}")

    def _lead_back(self, stopped: SyncDaemon | None) -> str:
        """Starts again what was stopped; returns how that went, in words."""
        if stopped is None:
            return "nothing more was changed" if self.journal else "nothing was changed"
        try:
            self._do(DaemonStep(START, stopped), "leading back: ")
        except Conflict:
            return f"the {stopped.role} daemon on {stopped.interface} was stopped before, and somebody else started one"
        except LvsError as error:
            return f"no {stopped.role} daemon runs now, as the one from before could not be started again: {error}"
        self.journal.pop()
        return f"the {stopped.role} daemon on {stopped.interface} was stopped before and started again"


def _start_problems(kernel: Kernel, steps: tuple[DaemonStep, ...]) -> list[str]:
    """Why the kernel would refuse to start what the steps start."""
    names = [step.daemon.interface for step in steps if step.verb == START]
    problems = [_interface_problem(name) for name in names]
    if names:
        problems.append(mixed_family_problem(kernel.table()))
    return [problem for problem in problems if problem]


def _interface_problem(name: str) -> str | None:
    return interface_problem(name, interface(name), interface_names())


def _warnings(desired: SyncDaemon | None, steps: Any) -> tuple[str, ...]:
    if desired is None:
        return ()
    problem = None if steps else _interface_problem(desired.interface)
    idle = (f"{problem}; the daemon runs, but nothing is synchronised",) if problem else ()
    return daemon_warnings(desired) + idle


def _desired(spec: DaemonSpec | None, current: SyncDaemon | None) -> SyncDaemon | None:
    merged = merge_daemon(spec, current, _mtu) if spec else None
    # what the kernel will choose for a new daemon makes no difference yet
    return current if current and _foreseen(merged) == current else merged


def _foreseen(daemon: SyncDaemon | None) -> SyncDaemon | None:
    """The daemon with what the kernel will choose."""
    if daemon is None or daemon.sync_maxlen is not None:
        return daemon
    maxlen = derived_maxlen(daemon.role, daemon.multicast_group, _mtu(daemon.interface))
    return replace(daemon, sync_maxlen=maxlen)


def _mtu(name: str) -> int:
    found = interface(name)
    return found.mtu if found else DEFAULT_MTU


def _options(daemon: SyncDaemon | None) -> dict[str, Any]:
    return daemon.to_options() if daemon else {}


def predict_timeouts(job: Job, given: Timeouts) -> Outcome:
    """What a run would do."""
    current = job.kernel.timeouts()
    desired = merge_timeouts(given, current)
    change = timeouts_change(current, desired)
    commands = (timeouts_command(change, job.netns),) if change else ()
    return Outcome(current.to_options(), desired.to_options(), commands)


def converge_timeouts(job: Job, given: Timeouts) -> Outcome:
    """Makes the time-outs so, and proves it."""
    commands: list[str] = []
    try:
        with job.lock():
            before = current = job.kernel.timeouts()
            for _attempt in range(ATTEMPTS):
                change = timeouts_change(current, merge_timeouts(given, current))
                if change is None:
                    break
                job.kernel.set_timeouts(change)
                commands.append(timeouts_command(change, job.netns))
                job.log(commands[-1])
                current = job.kernel.timeouts()
            if timeouts_change(current, merge_timeouts(given, current)):
                raise _unsettled(met_rival=False)
    except LvsError as error:
        error.done = tuple(commands)
        raise
    return Outcome(before.to_options(), current.to_options(), tuple(commands))


def _unsettled(met_rival: bool) -> Unsettled:
    cause = "another process keeps changing it"
    if not met_rival:
        cause += ", or the kernel takes but does not keep what was asked for"
    return Unsettled(f"after {ATTEMPTS} attempts the kernel still differs: {cause}")


def zero_counters(job: Job, key: ServiceKey | None, check_mode: bool) -> Outcome:
    """Zeroes the counters of a service and its servers, or all; in check mode only says so."""
    before = _totals(job.kernel, key)
    if before is None and not check_mode:
        raise _no_service(key)
    warnings = (f"service: {key} does not exist; {_ASSUMED}",) if before is None else ()
    line = zero_command(key, job.netns)
    if check_mode or not _host.ipvs_loaded():
        return Outcome(before or _shown(Counters()), _shown(Counters()), (line,), warnings)
    try:
        job.kernel.zero(key)
    except Conflict:
        raise _no_service(key) from None
    job.log(line)
    return Outcome(before or {}, _totals(job.kernel, key) or {}, (line,))


def _no_service(key: ServiceKey | None) -> InvalidInput:
    return InvalidInput([f"service: {key} does not exist"])


def _totals(kernel: Kernel, key: ServiceKey | None) -> dict[str, int] | None:
    """What was counted; None when there is no such service."""
    if key is None:
        return _shown(parse_totals(_host.proc_net("ip_vs_stats")))
    status = kernel.status(key)
    return _shown(status[key].counters) if status else None


def _shown(counters: Counters) -> dict[str, int]:
    names = ("connections", "packets_in", "packets_out", "bytes_in", "bytes_out")
    return {name: getattr(counters, name) for name in names}
