# Copyright (c) 2026, the linux.lvs contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the filters share: wrong input told in sentences, an undefined variable as Ansible tells it.

Private to linux.lvs: may change in any release.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import contextmanager
from typing import Any, Iterator

from ansible.errors import AnsibleFilterError
from ansible_collections.linux.lvs.plugins.module_utils._errors import InvalidInput
from ansible_collections.linux.lvs.plugins.module_utils._model import Table
from ansible_collections.linux.lvs.plugins.module_utils._table import declared, read_entries
from jinja2 import Undefined


@contextmanager
def input_told(value: Any) -> Iterator[None]:
    """While a filter works on its input: all that is wrong with it is one error."""
    _refuse_undefined(value)
    try:
        yield
    except InvalidInput as error:
        raise AnsibleFilterError(str(error)) from None


def table_of(services: Any) -> Table:
    """The table of services as ipvs_table takes them. Raises InvalidInput with all that is wrong."""
    problems: list[str] = []
    entries = read_entries(services, "services", problems)
    table: Table = {}
    try:
        table = declared(entries)
    except InvalidInput as error:
        problems.extend(error.problems)
    if problems:
        raise InvalidInput(problems)
    return table


def dictionary(value: Any) -> Mapping[str, Any]:
    """A dictionary as it is. Raises InvalidInput."""
    if not isinstance(value, Mapping):
        raise InvalidInput([f"{value!r} is not a dictionary"])
    return value


def _refuse_undefined(value: Any) -> None:
    if isinstance(value, Undefined):
        str(value)  # raises; before ansible-core 2.19 filters are called with undefined variables
    elif isinstance(value, Mapping):
        for item in value.values():
            _refuse_undefined(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            _refuse_undefined(item)
