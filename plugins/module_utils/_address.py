# Copyright (c) 2026, the linux.lvs contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses, netmasks and prefixes: normal form and validation.

Private to linux.lvs: may change in any release.

The normal form is that of inet_ntop(3), as ipvsadm prints it. The standard library's ``ipaddress`` is not
used: it writes IPv4-mapped addresses in another way from Python 3.13 on, and takes scope ids from 3.9 on.
"""

from __future__ import annotations

import socket
from functools import lru_cache
from typing import Any

IPV4 = "ipv4"
IPV6 = "ipv6"
FAMILIES = (IPV4, IPV6)

_AF = {IPV4: socket.AF_INET, IPV6: socket.AF_INET6}
_BYTES = {IPV4: 4, IPV6: 16}
_REMEMBERED = 1 << 14  # of each address in a table it is asked several times: valid, sorted, sent, read


def family_of(address: str) -> str:
    """The family of an address in normal form."""
    return IPV6 if ":" in address else IPV4


@lru_cache(maxsize=_REMEMBERED)
def pack(address: str) -> bytes:
    """An address in normal form as 4 or 16 bytes in network order."""
    return socket.inet_pton(_AF[family_of(address)], address)


def unpack(family: str, data: bytes) -> str:
    """The address at the beginning of a field that may be longer (the kernel's has 16 bytes for both families)."""
    return _text(_AF[family], data[: _BYTES[family]])


@lru_cache(maxsize=_REMEMBERED)
def _text(family: int, data: bytes) -> str:
    return socket.inet_ntop(family, data)


def parse_address(value: Any) -> str:
    """Normal form of an IPv4 or IPv6 address in any spelling.

    Raises ValueError with the end of a sentence that begins with the option's name.
    """
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is not an IPv4 or IPv6 address")
    text = value.strip()
    if "%" in text:
        raise ValueError(f"{value!r} has a scope id; IPVS keeps none, write the address without %")
    if text.startswith("[") and text.endswith("]"):
        text = text[1:-1]
    family = family_of(text)
    try:
        return unpack(family, socket.inet_pton(_AF[family], text))
    except (OSError, ValueError):
        raise ValueError(f"{value!r} is not an IPv4 or IPv6 address (names are not resolved)") from None


def is_multicast(address: str) -> bool:
    """Whether an address names a group of hosts."""
    return _names_group(pack(address))


def _names_group(data: bytes) -> bool:
    return 224 <= data[0] <= 239 if len(data) == 4 else data[0] == 0xFF


def is_host(address: str) -> bool:
    """False for what can never be a real server: unspecified, multicast and limited broadcast addresses."""
    data = pack(address)
    return any(data) and not _names_group(data) and data != b"\xff\xff\xff\xff"


def host_netmask(family: str) -> str:
    """The netmask that the kernel and ipvsadm take when none is given: every client for itself."""
    return "255.255.255.255" if family == IPV4 else "128"


def parse_netmask(family: str, value: Any) -> str:
    """Normal form of a persistence netmask: dotted for IPv4, the prefix length as text for IPv6.

    IPv4 takes a dotted mask (IPVS allows holes in it) or a prefix length from 0 to 32, IPv6 a prefix length
    from 1 to 128 (ip_vs_ctl.c refuses 0). Raises ValueError like parse_address.
    """
    text = str(value).strip().lstrip("/") if isinstance(value, (str, int)) and not isinstance(value, bool) else ""
    if family == IPV6:
        if text.isascii() and text.isdigit() and 1 <= int(text) <= 128:
            return str(int(text))
        raise ValueError(f"{value!r} is not a prefix length between 1 and 128, which IPv6 takes instead of a mask")
    if text.isascii() and text.isdigit() and 0 <= int(text) <= 32:
        bits = (0xFFFFFFFF << (32 - int(text))) & 0xFFFFFFFF
        return socket.inet_ntop(socket.AF_INET, bits.to_bytes(4, "big"))
    try:
        return unpack(IPV4, socket.inet_pton(socket.AF_INET, text))
    except (OSError, ValueError):
        raise ValueError(
            f"{value!r} is neither an IPv4 netmask such as 255.255.255.0 nor a prefix length between 0 and 32"
        ) from None


def parse_network(value: Any) -> tuple[str, bytes, bytes]:
    """Family, address and mask of a network such as 192.0.2.0/24; without a prefix length it is one address.

    Raises ValueError like parse_address.
    """
    host, slash, length = str(value).strip().partition("/") if isinstance(value, str) else ("", "", "")
    try:
        address = parse_address(host)
    except ValueError:
        raise ValueError(f"{value!r} is not an IPv4 or IPv6 network such as 192.0.2.0/24 or 2001:db8::/64") from None
    family = family_of(address)
    bits = 8 * _BYTES[family]
    if slash and not (length.isascii() and length.isdigit() and int(length) <= bits):
        raise ValueError(f"{value!r}: the prefix length of {family} is a number between 0 and {bits}")
    mask = (((1 << bits) - 1) << (bits - int(length or bits)) & ((1 << bits) - 1)).to_bytes(_BYTES[family], "big")
    network = bytes(byte & cover for byte, cover in zip(pack(address), mask))
    if network != pack(address):
        raise ValueError(
            f"{value!r} has bits set beyond its prefix length; the network is {unpack(family, network)}/{length}"
        )
    return family, network, mask


def endpoint(address: str, port: int) -> str:
    """Address and port as ipvsadm -n writes them: 192.0.2.1:80, [2001:db8::1]:80."""
    return f"[{address}]:{port}" if family_of(address) == IPV6 else f"{address}:{port}"
