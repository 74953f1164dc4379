# Copyright (c) 2026, the linux.lvs contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a host becomes a real server."""

from __future__ import annotations

import ipaddress
from functools import partial
from typing import Any, Callable

from ansible_collections.linux.lvs.plugins.module_utils._address import parse_address
from ansible_collections.linux.lvs.plugins.module_utils._model import FORWARDINGS, TUNNEL_TYPES
from ansible_collections.linux.lvs.plugins.module_utils._options import parse_choice
from ansible_collections.linux.lvs.plugins.module_utils._real_server import real_server_lines as lines_of
from ansible_collections.linux.lvs.plugins.plugin_utils._filters import (
    EACH,
    TEXT_OR_NULL,
    input_told,
    of_shape,
)


def _with_length(value: Any) -> None:
    ipaddress.ip_interface(str(value))  # which takes numbers too, as they are


_NEEDS = {
    "forwarding": partial(parse_choice, choices=FORWARDINGS),
    "vips": [parse_address],
    "interfaces": [str],
    "tunnel_type": partial(parse_choice, choices=TUNNEL_TYPES),
    "tunnel_port": int,
    "directors": [parse_address],
    "gateway": [parse_address],
}
_LOOKED = {
    "links": [{"ifname": str, "link_type?": str, "flags?": [str], "linkinfo?": {"info_kind?": str}}],
    "addresses": {EACH: [_with_length]},
    "ways": {EACH: {"device": TEXT_OR_NULL, "neighbour": bool, "answers": bool}},
    "sysctls": {EACH: TEXT_OR_NULL},
    "record": {"sysctls?": {EACH: str}},
    "overriding": [str],
    "ssh": (int, str),
    "beside": {"addresses?": [str]},
    "backup_only?": object,
}


def real_server_lines(value: Any, looked: Any) -> dict[str, Any]:
    """Lines for the program that keeps addresses, devices, routes and rules, and which devices and sysctls are among them."""
    with input_told([value, looked]):
        return lines_of(of_shape(value, _NEEDS, "input"), of_shape(looked, _LOOKED, "looked"))


class FilterModule:
    """The filter, where Ansible looks for it."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """By name."""
        return {"real_server_lines": real_server_lines}
