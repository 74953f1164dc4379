# Copyright (c) 2026, the linux.lvs contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a director needs for what was declared."""

from __future__ import annotations

from typing import Any, Callable

from ansible_collections.linux.lvs.plugins.module_utils._director import director_needs as needs_of
from ansible_collections.linux.lvs.plugins.plugin_utils._filters import input_told, said


def director_needs(value: Any) -> dict[str, Any]:
    """Modules, addresses, forwarding and the files for boot."""
    with input_told(value):
        return needs_of(said(value)).to_options()


class FilterModule:
    """The filter, where Ansible looks for it."""

    def filters(self) -> dict[str, Callable[[Any], Any]]:
        """By name."""
        return {"director_needs": director_needs}
