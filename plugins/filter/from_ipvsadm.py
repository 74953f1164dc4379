# Copyright (c) 2026, the linux.lvs contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Text in the format of ipvsadm-save to services."""

from __future__ import annotations

from typing import Any, Callable

from ansible_collections.linux.lvs.plugins.module_utils._errors import InvalidInput
from ansible_collections.linux.lvs.plugins.module_utils._ipvsadm import parse
from ansible_collections.linux.lvs.plugins.module_utils._model import table_to_options
from ansible_collections.linux.lvs.plugins.plugin_utils._filters import input_told


def from_ipvsadm(value: Any) -> list[dict[str, Any]]:
    """The services that a rules file describes, as ipvs_table takes them."""
    with input_told(value):
        if not isinstance(value, str):
            raise InvalidInput([f"input: {value!r} is not text in the format of ipvsadm -S -n"])
        return table_to_options(parse(value))


class FilterModule:
    """The filter, where Ansible looks for it."""

    def filters(self) -> dict[str, Callable[[Any], Any]]:
        """By name."""
        return {"from_ipvsadm": from_ipvsadm}
