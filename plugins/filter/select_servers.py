# Copyright (c) 2026, the linux.lvs contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real servers by their addresses, out of virtual services."""

from __future__ import annotations

from typing import Any, Callable

from ansible_collections.linux.lvs.plugins.module_utils._address import parse_address
from ansible_collections.linux.lvs.plugins.module_utils._desired import new_server
from ansible_collections.linux.lvs.plugins.module_utils._errors import InvalidInput
from ansible_collections.linux.lvs.plugins.module_utils._model import Server, ServerKey, sorted_keys
from ansible_collections.linux.lvs.plugins.module_utils._options import as_list
from ansible_collections.linux.lvs.plugins.module_utils._table import EntrySpec
from ansible_collections.linux.lvs.plugins.plugin_utils._filters import entries_of, input_told


def select_servers(value: Any, addresses: Any = None) -> list[dict[str, Any]]:
    """The servers with these addresses, each with the service that it is one of."""
    with input_told([value, addresses]):
        wanted = _addresses(addresses)
        # not judged: an entry of somebody else that makes no sense must not keep a machine from being drained
        found = {entry.service.key: _servers(entry) for entry in entries_of(value)}
        return [
            {
                "name": f"{key} -> {name}",
                "service": key.to_options(),
                "server": found[key][name].to_options(),
            }
            for key in sorted_keys(found)
            for name in sorted_keys(found[key])
            if name.address in wanted
        ]


def _servers(entry: EntrySpec) -> dict[ServerKey, Server]:
    key = entry.service.key
    return {server.key(key): new_server(server, key) for _path, server in entry.servers or ()}


def _addresses(value: Any) -> set[str]:
    problems: list[str] = []
    found: set[str] = set()
    if value is None:
        raise InvalidInput(["addresses: is required, a list of addresses of real servers"])
    try:
        given = as_list(value)
    except ValueError as error:
        raise InvalidInput([f"addresses: {error}"]) from None
    for number, address in enumerate(given):
        try:
            found.add(parse_address(address))
        except ValueError as error:
            problems.append(f"addresses[{number}]: {error}")
    if problems:
        raise InvalidInput(problems)
    return found


class FilterModule:
    """The filter, where Ansible looks for it."""

    def filters(self) -> dict[str, Callable[[Any, Any], Any]]:
        """By name."""
        return {"select_servers": select_servers}
