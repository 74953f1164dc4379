# Copyright (c) 2026, the linux.lvs contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module ipvs_info: what is read, and in which shape it is returned.

Private to linux.lvs: may change in any release.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Callable, Iterator, Sequence

from . import _host
from ._connections import of_service, parse_connections
from ._model import ROLES, ServiceKey, ServiceStatus, sorted_keys, table_to_options
from ._module import CHOICES, COMMON, SERVICE_IDENTITY, LvsModule, Spec, at_work, sub_service
from ._netlink import Kernel
from ._options import Reader
from ._table import undeclarable

GATHER = ("services", "timeouts", "daemons", "stats", "connections", "version")
INFO_SPEC: Spec = {
    **COMMON,
    # connections may be a million, so they have to be asked for
    "gather": {**CHOICES, "choices": list(GATHER), "default": [name for name in GATHER if name != "connections"]},
    "service": {"type": "dict", "options": SERVICE_IDENTITY},
}


def run_info() -> None:
    """The module ipvs_info."""
    module = LvsModule(INFO_SPEC, _info_request)
    gather, key = module.request
    with at_work(module) as kernel:
        result: dict[str, Any] = {}
        if "services" in gather:
            table = kernel.service(key) if key else kernel.table()
            result["services"] = table_to_options(table)
            for warning in undeclarable(table):
                module.warn(warning)
        result.update({name: read(kernel, key) for name, read in _READERS.items() if name in gather})
        for warning in _warnings(gather, key):
            module.warn(warning)
        module.exit_json(changed=False, **result)


def _info_request(options: Reader, check_mode: bool) -> tuple[Sequence[str], ServiceKey | None]:
    gather = options.choices("gather", GATHER)
    if gather == ():
        options.problem("gather", f"is empty; give some of {', '.join(GATHER)}, or leave it out")
    return gather or (), sub_service(options, required=False)


def _warnings(gather: Sequence[str], key: ServiceKey | None) -> Iterator[str]:
    why = _host.why_counters_stand_still() if "stats" in gather else None
    if why:
        yield f"stats: counters stand still, totals and figures for a second, as {why}"
    if "connections" in gather and key and key.fwmark:
        yield (
            "connections: the kernel does not say which came by a mark; of a service by mark only the memories of"
            " persistent clients are listed"
        )


def _timeouts(kernel: Kernel, key: ServiceKey | None) -> dict[str, Any]:
    return kernel.timeouts().to_options()


def _daemons(kernel: Kernel, key: ServiceKey | None) -> list[dict[str, Any]]:
    daemons = kernel.daemons()
    return [daemons[role].to_options() for role in ROLES if role in daemons]


def _statuses(kernel: Kernel, key: ServiceKey | None) -> list[dict[str, Any]]:
    status = kernel.status(key)
    return [_stats(name, status[name]) for name in sorted_keys(status)]


def _connections(kernel: Kernel, key: ServiceKey | None) -> list[dict[str, Any]]:
    entries = parse_connections(_host.proc_net("ip_vs_conn"))
    if key:
        entries = of_service(entries, key, kernel.table)
    return [entry.to_options() for entry in entries]


def _version(kernel: Kernel, key: ServiceKey | None) -> dict[str, Any] | None:
    return kernel.version()


_READERS: dict[str, Callable[[Kernel, ServiceKey | None], Any]] = {
    "timeouts": _timeouts,
    "daemons": _daemons,
    "stats": _statuses,
    "connections": _connections,
    "version": _version,
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
