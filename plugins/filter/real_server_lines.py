# Copyright (c) 2026, the linux.lvs contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a host becomes a real server."""

from __future__ import annotations

from typing import Any, Callable

from ansible_collections.linux.lvs.plugins.module_utils._real_server import real_server_lines as lines_of
from ansible_collections.linux.lvs.plugins.plugin_utils._filters import dictionary, input_told


def real_server_lines(value: Any, looked: Any) -> dict[str, Any]:
    """Lines for the program that keeps addresses, devices, routes and rules, and which devices and sysctls are among them."""
    with input_told([value, looked]):
        return lines_of(dictionary(value), dictionary(looked))


class FilterModule:
    """The filter, where Ansible looks for it."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """By name."""
        return {"real_server_lines": real_server_lines}
