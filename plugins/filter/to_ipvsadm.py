# Copyright (c) 2026, the linux.lvs contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Services to text in the format of ipvsadm-save."""

from __future__ import annotations

from typing import Any, Callable

from ansible_collections.linux.lvs.plugins.module_utils._ipvsadm import render
from ansible_collections.linux.lvs.plugins.plugin_utils._filters import input_told, table_of


def to_ipvsadm(value: Any) -> str:
    """The rules file that describes services as ipvs_table takes them."""
    with input_told(value):
        return render(table_of(value))


class FilterModule:
    """The filter, where Ansible looks for it."""

    def filters(self) -> dict[str, Callable[[Any], Any]]:
        """By name."""
        return {"to_ipvsadm": to_ipvsadm}
