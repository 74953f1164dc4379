# Copyright (c) 2026, the linux.lvs contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which network interfaces this network namespace has.

Private to linux.lvs: may change in any release.

Asked over route netlink, which knows alternative names as IPVS does. The older ioctls would load a module that
is named like the interface.
"""

from __future__ import annotations

import socket
import struct

from ._model import Interface

# include/uapi/linux/netlink.h, rtnetlink.h, if_link.h, if.h
_ROUTE, _REQUEST = 0, 1
_NEWLINK, _GETLINK = 16, 18
_IFNAME, _MTU = 3, 4
_UP = 1
_HEADER = struct.Struct("=IHHII")  # length, type, flags, sequence, port
_LINK = struct.Struct("=BxHiII")  # family, type, index, flags, change
_ATTRIBUTE = struct.Struct("=HH")  # length, type


def interface(name: str) -> Interface | None:
    """The interface of this name; None when there is none."""
    text = name.encode() + b"\0"
    attribute = _ATTRIBUTE.pack(_ATTRIBUTE.size + len(text), _IFNAME) + text
    body = _LINK.pack(0, 0, 0, 0, 0) + _padded(attribute)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _ROUTE) as route:
        route.send(_HEADER.pack(_HEADER.size + len(body), _GETLINK, _REQUEST, 1, 0) + body)
        answer = route.recv(1 << 16)
    kind = _HEADER.unpack_from(answer)[1]
    if kind != _NEWLINK:
        return None
    flags = _LINK.unpack_from(answer, _HEADER.size)[3]
    return Interface(name, bool(flags & _UP), _mtu(answer[_HEADER.size + _LINK.size :]))


def interface_names() -> list[str]:
    """All interfaces, without alternative names."""
    return [name for _index, name in socket.if_nameindex()]


def _mtu(attributes: bytes) -> int:
    while len(attributes) >= _ATTRIBUTE.size:
        length, kind = _ATTRIBUTE.unpack_from(attributes)
        if kind == _MTU:
            (mtu,) = struct.unpack_from("=I", attributes, _ATTRIBUTE.size)
            return int(mtu)
        attributes = attributes[(length + 3) & ~3 :]
    return 0


def _padded(data: bytes) -> bytes:
    return data.ljust((len(data) + 3) & ~3, b"\0")
