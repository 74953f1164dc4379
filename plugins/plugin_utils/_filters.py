# Copyright (c) 2026, the linux.lvs contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the filters share: wrong input told in sentences, an undefined variable as Ansible tells it.

Private to linux.lvs: may change in any release.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import contextmanager
from typing import Any, Iterator, TypeVar

from ansible.errors import AnsibleFilterError
from ansible_collections.linux.lvs.plugins.module_utils._errors import InvalidInput
from ansible_collections.linux.lvs.plugins.module_utils._model import Table
from ansible_collections.linux.lvs.plugins.module_utils._table import EntrySpec, declared, read_entries
from jinja2 import Undefined

EACH = "*"
TEXT_OR_NULL = (str, type(None))
_WORDS = {str: "text", int: "a number", bool: "true or false", type(None): "null"}
_Value = TypeVar("_Value")


@contextmanager
def input_told(value: Any) -> Iterator[None]:
    """While a filter works on its input: all that is wrong with it is one error."""
    _refuse_undefined(value)
    try:
        yield
    except InvalidInput as error:
        raise AnsibleFilterError(str(error)) from None


def entries_of(services: Any) -> list[EntrySpec]:
    """Services as ipvs_table takes them, without asking whether what they have goes together.

    Raises InvalidInput with all values that are wrong.
    """
    problems: list[str] = []
    entries = read_entries(services, "services", problems)
    if problems:
        raise InvalidInput(problems)
    return entries


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


def said(value: Any) -> Mapping[str, Any]:
    """Of a role's variables those that say something: before ansible-core 2.19 a template that gives none is an empty text.

    Raises InvalidInput for what is not a dictionary.
    """
    if not isinstance(value, Mapping):
        raise InvalidInput([f"{value!r} is not a dictionary"])
    return {name: each for name, each in value.items() if each != ""}


def of_shape(value: _Value, shape: Any, path: str) -> _Value:
    """What another program made, as it is. Raises InvalidInput with all that is not of the shape.

    A shape is a type or some, a function that raises ValueError, a list of one shape, or a dictionary of shapes by names, of
    which EACH is all that there are and one with a question mark may be missing.
    """
    problems = list(_differences(value, shape, path))
    if problems:
        raise InvalidInput(problems)
    return value


def _differences(value: Any, shape: Any, path: str) -> Iterator[str]:
    if isinstance(shape, dict) and isinstance(value, Mapping):
        yield from _of_names(value, shape, path)
    elif isinstance(shape, list) and isinstance(value, (list, tuple)):
        for number, item in enumerate(value):
            yield from _differences(item, shape[0], f"{path}[{number}]")
    elif isinstance(shape, (dict, list)):
        yield f"{path}: {value!r} is not a {'dictionary' if isinstance(shape, dict) else 'list'}"
    else:
        try:
            _of_type(value, shape) if isinstance(shape, (type, tuple)) else shape(value)
        except ValueError as error:
            yield f"{path}: {error}"


def _of_names(value: Mapping[str, Any], shapes: Mapping[str, Any], path: str) -> Iterator[str]:
    for pattern, shape in shapes.items():
        for name in value if pattern == EACH else [pattern.rstrip("?")]:
            if name in value:
                yield from _differences(value[name], shape, f"{path}.{name}")
            elif name == pattern:
                yield f"{path}.{name}: is required"


def _of_type(value: Any, types: Any) -> None:
    if not isinstance(value, types):
        names = [_WORDS[each] for each in (types if isinstance(types, tuple) else [types])]
        raise ValueError(f"{value!r} is not {' or '.join(names)}")


def _refuse_undefined(value: Any) -> None:
    if isinstance(value, Undefined):
        str(value)  # raises; before ansible-core 2.19 filters are called with undefined variables
    elif isinstance(value, Mapping):
        for item in value.values():
            _refuse_undefined(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            _refuse_undefined(item)
