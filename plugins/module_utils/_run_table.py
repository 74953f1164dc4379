# Copyright (c) 2026, the linux.lvs contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules that change the table: what they are asked for, how it is done, what they return.

Private to linux.lvs: may change in any release.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Callable, Iterator

from . import _host
from ._apply import Drained, Outcome, Task, converge, predict
from ._desired import Desired, with_drained_server, with_server, with_service, without_server, without_service
from ._ipvsadm import command, render, unsayable
from ._model import (
    ALL_FLAG_NAMES,
    CONNECTION_KINDS,
    FORWARDINGS,
    TUNNEL_CHECKSUMS,
    TUNNEL_TYPES,
    Service,
    ServiceKey,
    Table,
    table_to_options,
)
from ._module import CHOICES, COMMON, SERVICE_IDENTITY, LvsModule, Spec, at_work, sub_service
from ._netlink import kernel_modules, missing_module
from ._options import DrainSpec, Reader, read_drain, read_server, read_service
from ._plan import touched

_TABLES = ("before", "after")  # of an Outcome, and of a result
_DRAIN: Spec = {
    "drain_timeout": {"type": "int", "default": 0},
    "drain_wait_for": {**CHOICES, "choices": list(CONNECTION_KINDS)},
}
SERVICE_SPEC: Spec = {
    **COMMON,
    **SERVICE_IDENTITY,
    "scheduler": {"type": "str"},
    "scheduler_flags": {**CHOICES, "choices": list(ALL_FLAG_NAMES)},
    "persistence_timeout": {"type": "int"},
    "persistence_netmask": {"type": "str"},
    "persistence_engine": {"type": "str"},
    "one_packet": {"type": "bool"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    **_DRAIN,
}
SERVER_SPEC: Spec = {
    **COMMON,
    "service": {"type": "dict", "required": True, "options": SERVICE_IDENTITY},
    "address": {"type": "str", "required": True},
    "port": {"type": "int"},
    "forwarding": {"type": "str", "choices": list(FORWARDINGS)},
    "weight": {"type": "int"},
    "upper_threshold": {"type": "int"},
    "lower_threshold": {"type": "int"},
    "tunnel_type": {"type": "str", "choices": list(TUNNEL_TYPES)},
    "tunnel_port": {"type": "int"},
    "tunnel_checksum": {"type": "str", "choices": list(TUNNEL_CHECKSUMS)},
    "state": {"type": "str", "choices": ["present", "absent", "drained"], "default": "present"},
    **_DRAIN,
    "minimum_active": {"type": "int", "default": 0},
}


@dataclass(frozen=True)
class Request:
    """What a changing module was asked for."""

    service: ServiceKey
    desire: Callable[[Table], Desired]
    drain: DrainSpec


def _service_request(options: Reader, check_mode: bool) -> Request | None:
    state = options.choice("state", SERVICE_SPEC["state"]["choices"])
    drain = read_drain(options)
    spec = read_service(options)
    if spec is None:
        return None
    if state == "absent":
        return Request(spec.key, partial(without_service, key=spec.key), drain)
    return Request(spec.key, partial(with_service, spec=spec), replace(drain, timeout=0))


def _server_request(options: Reader, check_mode: bool) -> Request | None:
    state = options.choice("state", SERVER_SPEC["state"]["choices"])
    drain = read_drain(options)
    key = sub_service(options)
    spec = read_server(options)
    if state == "drained" and options.given("weight"):
        options.problem("weight", "does not go with state drained, which sets it to 0")
    if key is None or spec is None:
        return None
    if state == "absent":
        return Request(key, partial(without_server, service=key, server=spec.key(key), drain=drain), drain)
    if state == "drained":
        return Request(key, partial(with_drained_server, service=key, spec=spec, drain=drain), drain)
    desire = partial(with_server, service=key, spec=spec, assume_service=check_mode)
    return Request(key, desire, replace(drain, timeout=0))


def run_service() -> None:
    """The module ipvs_service."""
    _run_change(SERVICE_SPEC, _service_request)


def run_server() -> None:
    """The module ipvs_server."""
    _run_change(SERVER_SPEC, _server_request)


def _run_change(spec: Spec, read: Callable[[Reader, bool], Request | None]) -> None:
    module = LvsModule(spec, read)
    request, netns = module.request, module.params["netns"]
    with at_work(module) as kernel:
        task = Task(
            read=lambda: kernel.service(request.service),
            desire=request.desire,
            drain=request.drain,
            templates_expire=_host.templates_expire,
            lock=lambda: _host.lock(module._name),
            log=module.log,
            netns=netns,
        )
        outcome = predict(task) if module.check_mode else converge(kernel, task)
        for warning in _warnings(outcome, module.check_mode):
            module.warn(warning)
        result = _result(outcome, netns)
        if module._diff:
            result["diff"] = {name: render(touched(outcome.operations, getattr(outcome, name))) for name in _TABLES}
        if outcome.failure:
            module.fail_json(msg=outcome.failure, **result)
        module.exit_json(**result)


def _result(outcome: Outcome, netns: str | None) -> dict[str, Any]:
    return {
        "changed": bool(outcome.operations),
        "commands": [command(operation, netns) for operation in outcome.operations],
        "drains": [_drain(drained) for drained in outcome.drains],
        **{name: table_to_options(touched(outcome.operations, getattr(outcome, name))) for name in _TABLES},
    }


def _warnings(outcome: Outcome, check_mode: bool) -> Iterator[str]:
    yield from outcome.warnings
    for operation in outcome.operations:
        yield from unsayable(operation)
        if check_mode and isinstance(operation.after, Service):
            yield from _missing_modules(operation.after)


def _missing_modules(service: Service) -> Iterator[str]:
    for words, module in kernel_modules(service):
        if not _host.module_loaded(module) and not _host.module_installed(module):
            yield missing_module(words, module)


def _drain(drained: Drained) -> dict[str, Any]:
    service, server = drained.entry
    return {
        "service": service.to_options(),
        "address": server.address,
        "port": server.port,
        "seconds": drained.seconds,
        "connections": drained.left.to_options(),
        "finished": drained.finished,
    }
