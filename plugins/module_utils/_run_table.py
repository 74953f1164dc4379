# Copyright (c) 2026, the linux.lvs contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules that change the table: what they are asked for, how it is done, what they return.

Private to linux.lvs: may change in any release.
"""

from __future__ import annotations

import gc
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Callable, Iterator, Sequence

from . import _host
from ._apply import Drained, Outcome, Task, converge, predict
from ._desired import Desired, with_drained_server, with_server, with_service, without_server, without_service
from ._errors import InvalidInput, LvsError
from ._ipvsadm import parse, render, unsayable
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
from ._module import CHOICES, COMMON, SERVICE_IDENTITY, LvsModule, Spec, at_work, errors_told, sub_service
from ._netlink import Kernel, kernel_modules, missing_module
from ._options import DrainSpec, Reader, parse_boolean, read_drain, read_server, read_service
from ._plan import ADD, REMOVE, UPDATE, touched
from ._table import (
    KEEP_WEIGHTS,
    SCOPES,
    TableSpec,
    declared,
    read_entries,
    read_exclude,
    refuse_excluded,
    refuse_unsafe,
    undeclarable,
    with_table,
    without_excluded,
)

ACTIONS = (ADD, UPDATE, REMOVE)
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
TABLE_SPEC: Spec = {
    **COMMON,
    "services": {"type": "list", "elements": "dict"},
    "state": {"type": "str", "choices": [*SCOPES, "gathered", "rendered", "parsed"], "default": "merged"},
    "running_config": {"type": "str"},
    "keep_weights": {"type": "str", "choices": list(KEEP_WEIGHTS), "default": KEEP_WEIGHTS[0]},
    "exclude": {"type": "list", "elements": "dict"},
    "allowed_actions": {**CHOICES, "choices": list(ACTIONS), "default": list(ACTIONS)},
    "minimum_active": {"type": "int", "default": 0},
    "allow_empty": {"type": "bool", "default": False},
    **_DRAIN,
}


@dataclass(frozen=True)
class Request:
    """What a changing module was asked for; ``service`` None concerns the whole table."""

    service: ServiceKey | None
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


@dataclass(frozen=True)
class TableRequest:
    """What ipvs_table was asked for."""

    state: str
    spec: TableSpec
    drain: DrainSpec
    running_config: str


def _table_request(options: Reader, check_mode: bool) -> TableRequest:
    state = options.choice("state", TABLE_SPEC["state"]["choices"])
    empty = options.read("allow_empty", parse_boolean)
    value = options.value("services")
    entries = read_entries(value, "services", options.problems) if options.given("services") else None
    if state in ("gathered", "parsed") and options.given("services"):
        options.problem("services", f"does not go with state {state}")
    if state not in (None, "gathered", "parsed", "deleted") and not options.given("services"):
        options.problem("services", f"is required with state {state}")
    if state == "overridden" and value == [] and not empty:
        options.problem("services", "is empty, so that every service would go; give allow_empty: true if that is meant")
    if state and (state == "parsed") != options.given("running_config"):
        need = (
            "is required with state parsed"
            if state == "parsed"
            else f"does not go with state {state}, only with parsed"
        )
        options.problem("running_config", f"{need}: text as ipvsadm-save -n writes it")
    exclude = read_exclude(options)
    refuse_excluded(entries or (), exclude, options.problems)
    actions = options.choices("allowed_actions", ACTIONS)
    if actions == () and options.value("allowed_actions") != []:
        options.problem("allowed_actions", f"is empty text; give some of {', '.join(ACTIONS)}, or []")
    drain = read_drain(options)
    spec = TableSpec(
        scope=SCOPES.get(state, SCOPES["overridden"]),
        entries=None if entries is None else tuple(entries),
        keep_weights=options.choice("keep_weights", KEEP_WEIGHTS) or KEEP_WEIGHTS[0],
        exclude=exclude,
        allowed_actions=ACTIONS if actions is None else actions,
        minimum_active=drain.minimum_active,
    )
    return TableRequest(state or "", spec, drain, options.value("running_config") or "")


def _wrong_together(request: TableRequest, module: LvsModule) -> Sequence[str]:
    """What does not go together in those entries whose values are right, when others have wrong ones."""
    try:
        if request.state == "rendered":
            declared(request.spec.entries or ())
        if request.state in SCOPES:
            with _host.network_namespace(module.params.get("netns")), closing(Kernel()) as kernel:
                with_table(kernel.table(), request.spec)
    except InvalidInput as error:
        return error.problems
    except LvsError:
        return ()  # the wrong values are what the user has to know first
    return ()


def run_table() -> None:
    """The module ipvs_table."""
    gc.disable()  # all objects of a table live until the end: looking for garbage among them finds none
    try:
        _run_table()
    finally:
        gc.enable()  # the process of Mitogen goes on with other modules


def _run_table() -> None:
    module = LvsModule(TABLE_SPEC, _table_request, _wrong_together)
    request: TableRequest = module.request
    if request.state in SCOPES:
        _change(module, Request(None, partial(_safe_table, spec=request.spec), request.drain))
    with errors_told(module):
        if request.state == "rendered":
            module.exit_json(changed=False, rendered=render(declared(request.spec.entries or ())).splitlines())
        if request.state == "parsed":
            table = without_excluded(_parsed(request.running_config), request.spec.exclude)
            module.exit_json(changed=False, parsed=table_to_options(table))
    with at_work(module) as kernel:
        table = without_excluded(kernel.table(), request.spec.exclude)
        for warning in undeclarable(table):
            module.warn(warning)
        module.exit_json(changed=False, gathered=table_to_options(table))


def _safe_table(table: Table, spec: TableSpec) -> Desired:
    desired = with_table(table, spec)
    refuse_unsafe(table, desired.table, spec)
    return desired


def _parsed(text: str) -> Table:
    try:
        return parse(text)
    except InvalidInput as error:
        raise InvalidInput([f"running_config: {problem}" for problem in error.problems]) from None


def run_service() -> None:
    """The module ipvs_service."""
    _run_change(SERVICE_SPEC, _service_request)


def run_server() -> None:
    """The module ipvs_server."""
    _run_change(SERVER_SPEC, _server_request)


def _run_change(spec: Spec, read: Callable[[Reader, bool], Request | None]) -> None:
    module = LvsModule(spec, read)
    _change(module, module.request)


def _change(module: LvsModule, request: Request) -> None:
    netns, service = module.params["netns"], request.service
    with at_work(module) as kernel:
        task = Task(
            read=kernel.table if service is None else partial(kernel.service, service),
            again=kernel.table if service is None else lambda known, touched: kernel.service(service),
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
        result = _result(outcome)
        if module._diff:
            result["diff"] = {name: render(touched(outcome.operations, getattr(outcome, name))) for name in _TABLES}
        if outcome.failure:
            module.fail_json(msg=outcome.failure, **result)
        module.exit_json(**result)


def _result(outcome: Outcome) -> dict[str, Any]:
    return {
        "changed": bool(outcome.operations),
        "commands": list(outcome.commands),
        "drains": [_drain(drained) for drained in outcome.drains],
        **{name: table_to_options(touched(outcome.operations, getattr(outcome, name))) for name in _TABLES},
    }


def _warnings(outcome: Outcome, check_mode: bool) -> Iterator[str]:
    yield from outcome.warnings
    for operation in outcome.operations:
        yield from unsayable(operation)
    if check_mode:
        yield from _missing_modules([each.after for each in outcome.operations if isinstance(each.after, Service)])


def _missing_modules(services: Sequence[Service]) -> Iterator[str]:
    wanted: dict[tuple[str, str], list[Service]] = {}
    for service in services:
        for pair in kernel_modules(service):
            wanted.setdefault(pair, []).append(service)
    for (words, module), by in wanted.items():
        if not _host.module_loaded(module) and _host.module_installed(module) is False:
            others = f"; {by[0].key} and {len(by) - 1} more want it" if len(by) > 1 else ""
            yield missing_module(words, module) + others


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
