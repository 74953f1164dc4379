# Copyright (c) 2026, the linux.lvs contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Virtual services without those that are to be left alone."""

from __future__ import annotations

from typing import Any, Callable

from ansible_collections.linux.lvs.plugins.module_utils._errors import InvalidInput
from ansible_collections.linux.lvs.plugins.module_utils._options import Reader
from ansible_collections.linux.lvs.plugins.module_utils._table import is_excluded, read_entries, read_exclude
from ansible_collections.linux.lvs.plugins.plugin_utils._filters import input_told


def reject_excluded(value: Any, exclude: Any = None) -> list[Any]:
    """The services that none of the exclusions covers, as they were given."""
    with input_told([value, exclude]):
        problems: list[str] = []
        entries = read_entries(value, "services", problems)
        exclusions = read_exclude(Reader({"exclude": exclude}, "", problems))
        if problems:
            raise InvalidInput(problems)
        return [given for given, entry in zip(value, entries) if not is_excluded(entry.service.key, exclusions)]


class FilterModule:
    """The filter, where Ansible looks for it."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """By name."""
        return {"reject_excluded": reject_excluded}
