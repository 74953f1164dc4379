# Copyright (c) 2026, the linux.lvs contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules for sync daemons, time-outs and counters: what they are asked for, and what they return.

Private to linux.lvs: may change in any release.
"""

from __future__ import annotations

from typing import Any, Callable

from . import _host
from ._apply_settings import (
    Job,
    Outcome,
    converge_daemon,
    converge_timeouts,
    predict_daemon,
    predict_timeouts,
    zero_counters,
)
from ._model import ROLES, TIMEOUTS, ServiceKey, Timeouts
from ._module import COMMON, SERVICE_IDENTITY, LvsModule, Spec, at_work, sub_service
from ._options import Reader
from ._settings import DaemonSpec, read_daemon, read_timeouts

DAEMON_SPEC: Spec = {
    **COMMON,
    "role": {"type": "str", "choices": list(ROLES), "required": True},
    "interface": {"type": "str"},
    "sync_id": {"type": "int"},
    "sync_maxlen": {"type": "int"},
    "multicast_group": {"type": "str"},
    "multicast_port": {"type": "int"},
    "multicast_ttl": {"type": "int"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}
TIMEOUTS_SPEC: Spec = {**COMMON, **{name: {"type": "int"} for name in TIMEOUTS}}
COUNTERS_SPEC: Spec = {
    **COMMON,
    "service": {"type": "dict", "options": SERVICE_IDENTITY},
    "state": {"type": "str", "choices": ["zeroed"], "default": "zeroed"},
}


def run_sync_daemon() -> None:
    """The module ipvs_sync_daemon."""

    def change(job: Job, check_mode: bool, request: tuple[DaemonSpec, bool]) -> Outcome:
        spec, present = request
        go = predict_daemon if check_mode else converge_daemon
        return go(job, spec.role, spec if present else None)

    _run(DAEMON_SPEC, _daemon_request, change)


def run_timeouts() -> None:
    """The module ipvs_timeouts."""

    def change(job: Job, check_mode: bool, request: Timeouts) -> Outcome:
        return (predict_timeouts if check_mode else converge_timeouts)(job, request)

    _run(TIMEOUTS_SPEC, lambda options, check_mode: read_timeouts(options), change)


def run_counters() -> None:
    """The module ipvs_counters."""

    def change(job: Job, check_mode: bool, request: ServiceKey | None) -> Outcome:
        return zero_counters(job, request, check_mode)

    _run(COUNTERS_SPEC, _counters_request, change)


def _daemon_request(options: Reader, check_mode: bool) -> tuple[DaemonSpec, bool] | None:
    present = options.choice("state", DAEMON_SPEC["state"]["choices"]) != "absent"
    spec = read_daemon(options, present)
    return (spec, present) if spec else None


def _counters_request(options: Reader, check_mode: bool) -> ServiceKey | None:
    options.choice("state", COUNTERS_SPEC["state"]["choices"])
    return sub_service(options, required=False)


def _run(spec: Spec, read: Callable[[Reader, bool], Any], change: Callable[[Job, bool, Any], Outcome]) -> None:
    module = LvsModule(spec, read)
    with at_work(module) as kernel:
        job = Job(kernel, lambda: _host.lock(module._name), module.log, module.params["netns"])
        outcome = change(job, module.check_mode, module.request)
        for warning in outcome.warnings:
            module.warn(warning)
        result = _result(outcome)
        if module._diff:
            result["diff"] = {"before": outcome.before, "after": outcome.after}
        module.exit_json(**result)


def _result(outcome: Outcome) -> dict[str, Any]:
    return {
        "changed": bool(outcome.commands),
        "commands": list(outcome.commands),
        "before": outcome.before,
        "after": outcome.after,
    }
