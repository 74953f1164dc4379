# Copyright (c) 2026, the linux.lvs contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module ipvs_info: what is read, and in which shape it is returned.

Private to linux.lvs: may change in any release.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Sequence

from ._model import ServiceKey, ServiceStatus, sorted_keys, table_to_options
from ._module import CHOICES, COMMON, SERVICE_IDENTITY, LvsModule, Spec, at_work, sub_service
from ._options import Reader

GATHER = ("services", "stats", "version")
INFO_SPEC: Spec = {
    **COMMON,
    "gather": {**CHOICES, "choices": list(GATHER), "default": list(GATHER)},
    "service": {"type": "dict", "options": SERVICE_IDENTITY},
}


def run_info() -> None:
    """The module ipvs_info."""
    module = LvsModule(INFO_SPEC, _info_request)
    gather, key = module.request
    with at_work(module) as kernel:
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
    return gather or (), sub_service(options, required=False)


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
