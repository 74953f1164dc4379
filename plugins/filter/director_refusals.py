# Copyright (c) 2026, the linux.lvs contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a director must not be set up so on its host."""

from __future__ import annotations

from typing import Any, Callable

from ansible_collections.linux.lvs.plugins.module_utils._director import director_refusals as refusals_of
from ansible_collections.linux.lvs.plugins.plugin_utils._filters import (
    EACH,
    TEXT_OR_NULL,
    input_told,
    of_shape,
)

_ADDRESSES = {
    "vips": [{"address": str, "length": int, "family": str, "interface": TEXT_OR_NULL}],
    "vips_derived": bool,
}
_OWNER = {"program": str, "path": str, "line": int, "enabled": bool, "running": bool}
_SHAPE = {
    "needs": {
        **_ADDRESSES,
        "services": [{}],
        "timeouts": str,
        "sync_daemons_managed": bool,
        "addresses": [str],
        "sysctls": {EACH: str},
        "sync_interfaces": {EACH: str},
    },
    "looked": {
        "default": {EACH: TEXT_OR_NULL},
        "held": {EACH: str},
        "loaded": {EACH: [str]},
        "unserved": [str],
        "taken": [str],
        "overriding": [str],
        "links": [{"ifname": str, "flags": [str], "altnames?": [str]}],
        "addresses": {EACH: [str]},
        "record": {"services?": [{}]},
        "beside": {"addresses?": [str]},
    },
    "owners": [{**_OWNER, "service": {}}],
    "settings": [{**_OWNER, "name": str}],
    "exclude": object,
    "table_state": str,
    "others": {EACH: _ADDRESSES},
    "real_server_vips": object,
}


def director_refusals(value: Any) -> list[str]:
    """Sentences, none when nothing speaks against it."""
    with input_told(value):
        return refusals_of(of_shape(value, _SHAPE, "input"))


class FilterModule:
    """The filter, where Ansible looks for it."""

    def filters(self) -> dict[str, Callable[[Any], Any]]:
        """By name."""
        return {"director_refusals": director_refusals}
