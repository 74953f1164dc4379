# Copyright (c) 2026, the linux.lvs contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sysctls of a director, now and before."""

from __future__ import annotations

from functools import partial
from typing import Any, Callable

from ansible_collections.linux.lvs.plugins.module_utils._address import FAMILIES
from ansible_collections.linux.lvs.plugins.module_utils._director import staying_nat
from ansible_collections.linux.lvs.plugins.module_utils._director_sysctls import director_sysctls as sysctls_of
from ansible_collections.linux.lvs.plugins.module_utils._options import parse_choice
from ansible_collections.linux.lvs.plugins.plugin_utils._filters import (
    EACH,
    TEXT_OR_NULL,
    input_told,
    of_shape,
)

_FAMILY = partial(parse_choice, choices=FAMILIES)
_SHAPE = {
    "needs": {
        "forwarding": [_FAMILY],
        "forwarding_derived": bool,
        "sysctls": {EACH: str},
        "services": [{}],
        "exact": [str],
    },
    "looked": {
        "learned": [str],
        "sysctls": {EACH: TEXT_OR_NULL},
        "record": {"sysctls?": {EACH: str}, "services?": [{}]},
        "loaded": {EACH: [_FAMILY]},
    },
    "exclude": object,
    "table_state": str,
}


def director_sysctls(value: Any) -> dict[str, dict[str, str]]:
    """By what is to be done with them."""
    with input_told(value):
        facts = of_shape(value, _SHAPE, "input")
        return sysctls_of({**facts, "nat": staying_nat(facts)})


class FilterModule:
    """The filter, where Ansible looks for it."""

    def filters(self) -> dict[str, Callable[[Any], Any]]:
        """By name."""
        return {"director_sysctls": director_sysctls}
