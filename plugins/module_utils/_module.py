# Copyright (c) 2026, the linux.lvs contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules share: argument specs, check and diff mode, results, and errors in one sentence.

Private to linux.lvs: may change in any release.
"""

from __future__ import annotations

import traceback
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any, Callable, Dict, Iterator, Sequence

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.errors import UnsupportedError

from . import _host
from ._address import FAMILIES
from ._apply import Drained, Outcome, Task, converge, predict
from ._desired import Desired, with_drained_server, with_server, with_service, without_server, without_service
from ._errors import LvsError
from ._ipvsadm import command, render, unsayable
from ._model import (
    ALL_FLAG_NAMES,
    CONNECTION_KINDS,
    FORWARDINGS,
    PROTOCOLS,
    TUNNEL_CHECKSUMS,
    TUNNEL_TYPES,
    Service,
    ServiceKey,
    ServiceStatus,
    Table,
    sorted_keys,
    table_to_options,
)
from ._netlink import Kernel, kernel_modules, missing_module
from ._options import DrainSpec, Reader, read_drain, read_server, read_service, read_service_key
from ._plan import touched

Spec = Dict[str, Dict[str, Any]]

GATHER = ("services", "stats", "version")
_TABLES = ("before", "after")  # of an Outcome, and of a result
_CHOICES = {"type": "list", "elements": "str"}
_COMMON: Spec = {"netns": {"type": "str"}}
_SERVICE_IDENTITY: Spec = {
    "address": {"type": "str"},
    "port": {"type": "int"},
    "protocol": {"type": "str", "choices": list(PROTOCOLS)},
    "fwmark": {"type": "int"},
    "family": {"type": "str", "choices": list(FAMILIES)},
}
_DRAIN: Spec = {
    "drain_timeout": {"type": "int", "default": 0},
    "drain_wait_for": {**_CHOICES, "choices": list(CONNECTION_KINDS)},
}
SERVICE_SPEC: Spec = {
    **_COMMON,
    **_SERVICE_IDENTITY,
    "scheduler": {"type": "str"},
    "scheduler_flags": {**_CHOICES, "choices": list(ALL_FLAG_NAMES)},
    "persistence_timeout": {"type": "int"},
    "persistence_netmask": {"type": "str"},
    "persistence_engine": {"type": "str"},
    "one_packet": {"type": "bool"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    **_DRAIN,
}
SERVER_SPEC: Spec = {
    **_COMMON,
    "service": {"type": "dict", "required": True, "options": _SERVICE_IDENTITY},
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
INFO_SPEC: Spec = {
    **_COMMON,
    "gather": {**_CHOICES, "choices": list(GATHER), "default": list(GATHER)},
    "service": {"type": "dict", "options": _SERVICE_IDENTITY},
}


class LvsModule(AnsibleModule):  # type: ignore[misc]
    """An AnsibleModule that reports all problems of the arguments at once.

    The argument spec reports the first wrong value only, and not what is allowed. So when it finds something, our
    own reading of the same arguments is reported in its place.
    """

    def __init__(self, spec: Spec, read: Callable[[Reader, bool], Any]) -> None:
        self._read = read
        self._reading = True
        try:
            super().__init__(argument_spec=spec, supports_check_mode=True)
        except TypeError:  # ansible-core looks for suboptions in whatever was given for a dictionary, a number too
            problems = self._read_all()[1]
            if not problems:
                raise
            super().fail_json(msg="; ".join(problems))
        self._reading = False
        self.request, problems = self._read_all()
        if problems:
            self.fail_json(msg="; ".join(problems))

    def _load_params(self) -> None:
        super()._load_params()
        self.params: dict[str, Any] = _without_nulls(self.params)

    def fail_json(self, msg: str, **kwargs: Any) -> Any:
        """Fails; while the argument spec is being applied, with all problems of the arguments."""
        validation = getattr(self, "validation_result", None)
        if self._reading and validation is not None:
            unknown = [error.msg for error in validation.errors if isinstance(error, UnsupportedError)]
            msg = "; ".join([_unknown_option(text) for text in unknown] + self._read_all()[1]) or msg
        super().fail_json(msg=msg, **kwargs)

    def _read_all(self) -> tuple[Any, list[str]]:
        options = Reader(self.params, "", [])
        options.read("netns", _host.parse_netns_name)
        return self._read(options, self.check_mode), options.problems


def _without_nulls(options: dict[str, Any]) -> dict[str, Any]:
    """Null means left out, also for options with a default or choices, where the argument spec would refuse it."""
    return {
        name: _without_nulls(value) if isinstance(value, dict) else value
        for name, value in options.items()
        if value is not None
    }


def _unknown_option(message: str) -> str:
    names, _separator, supported = message.rstrip(".").partition(". Supported parameters include: ")
    verb = "are not options" if "," in names else "is not an option"
    return f"{names}: {verb} here; there are {supported}"


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
    key = _sub_service(options)
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


def _sub_service(options: Reader, required: bool = True) -> ServiceKey | None:
    if not options.given("service"):
        if required:
            options.problem("service", "is required: address and port (and protocol), or fwmark (and family)")
        return None
    sub = options.sub("service")
    return read_service_key(sub) if sub else None


def run_service() -> None:
    """The module ipvs_service."""
    _run_change(SERVICE_SPEC, _service_request)


def run_server() -> None:
    """The module ipvs_server."""
    _run_change(SERVER_SPEC, _server_request)


def run_info() -> None:
    """The module ipvs_info."""
    module = LvsModule(INFO_SPEC, _info_request)
    gather, key = module.request
    with _errors_told(module), _host.network_namespace(module.params["netns"]), closing(Kernel()) as kernel:
        result: dict[str, Any] = {}
        if "services" in gather:
            result["services"] = table_to_options(kernel.service(key) if key else kernel.table())
        if "stats" in gather:
            status = kernel.status(key)
            result["stats"] = [_stats(name, status[name]) for name in sorted_keys(status)]
        if "version" in gather:
            result["version"] = kernel.version()
        module.exit_json(changed=False, **result)


def _info_request(options: Reader, check_mode: bool) -> tuple[Sequence[str], ServiceKey | None]:
    gather = options.choices("gather", GATHER)
    return gather or (), _sub_service(options, required=False)


def _run_change(spec: Spec, read: Callable[[Reader, bool], Request | None]) -> None:
    module = LvsModule(spec, read)
    request, netns = module.request, module.params["netns"]
    with _errors_told(module), _host.network_namespace(netns), closing(Kernel()) as kernel:
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


def _stats(key: ServiceKey, status: ServiceStatus) -> dict[str, Any]:
    servers = [
        {
            "address": name.address,
            "port": name.port,
            **server.connections.to_options(),
            "counters": asdict(server.counters),
        }
        for name, server in ((name, status.servers[name]) for name in sorted_keys(status.servers))
    ]
    return {"service": key.to_options(), "counters": asdict(status.counters), "servers": servers}


@contextmanager
def _errors_told(module: AnsibleModule) -> Iterator[None]:
    """Turns errors into one sentence; what is not one of ours is a bug, and called one."""
    try:
        yield
    except LvsError as error:
        done = {"changed": True, "commands": list(error.done)} if error.done else {}
        module.fail_json(msg=str(error), **done)
    except Exception as error:
        text = f"{type(error).__name__}: {error}"
        module.fail_json(msg=f"a bug in linux.lvs, please report it: {text}", exception=traceback.format_exc())
