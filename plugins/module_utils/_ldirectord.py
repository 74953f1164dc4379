# Copyright (c) 2026, the linux.lvs contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file of ldirectord(8): which virtual services it declares.

Private to linux.lvs: may change in any release.

``virtual`` begins at the left margin and ends with the first line that is not indented by four blanks; a tab counts as
four. As ldirectord 4 reads it.
"""

from __future__ import annotations

import re
from typing import Callable, Iterator, NamedTuple

from ._address import IPV4, IPV6, family_of, parse_address
from ._model import MAX_MARK, Claim, Declared, Place, ServiceKey
from ._options import parse_integer

PortOf = Callable[[str, str], int]  # of a service by its name and protocol; raises ValueError

_VIRTUAL = re.compile(r"virtual(6?)\s*=\s*(.*)")
_INSIDE = re.compile(r" {4,}\S")
_PROTOCOL = re.compile(r" {4,}protocol\s*=\s*(\w*)")
_ENDPOINT = re.compile(r"(\[[^\]]*\]|[^:\s]*):([0-9A-Za-z_-]+).*")
_MARK = re.compile(r"([0-9]+).*")
_DNS = ("53", "domain")  # their services are of UDP when the file does not say otherwise
_PROTOCOLS = ("tcp", "udp")


class _Virtual(NamedTuple):
    place: Place
    family: str
    value: str
    protocol: str | None


def declared_services(path: str, text: str, port_of: PortOf) -> Declared:
    """The virtual services of a file, as far as they can be told."""
    claims: list[Claim] = []
    warnings: list[str] = []
    for virtual in _virtuals(path, text):
        try:
            claims.append(Claim(_key(virtual, port_of), virtual.place))
        except ValueError as error:
            word = "virtual6" if virtual.family == IPV6 else "virtual"
            warnings.append(f"{virtual.place}: {word}={virtual.value}: {error}")
    return Declared(claims, warnings)


def _virtuals(path: str, text: str) -> Iterator[_Virtual]:
    virtual: _Virtual | None = None
    for number, line in enumerate(text.split("\n"), 1):
        if line.lstrip().startswith("#") and virtual:
            continue
        inner = line.partition("#")[0].replace("\t", "    ")
        if virtual and _INSIDE.match(inner):
            named = _PROTOCOL.match(inner)
            virtual = virtual._replace(protocol=named[1]) if named else virtual
            continue
        if virtual:
            yield virtual
            virtual = None
        begins = _VIRTUAL.match(line)
        if begins:
            virtual = _Virtual(Place(path, number), IPV6 if begins[1] else IPV4, begins[2].strip(), None)
    if virtual:
        yield virtual


def _key(virtual: _Virtual, port_of: PortOf) -> ServiceKey:
    """Which service is meant. Raises ValueError."""
    endpoint = _ENDPOINT.fullmatch(virtual.value)
    mark = _MARK.fullmatch(virtual.value)
    if endpoint is None and mark:
        return ServiceKey(virtual.family, fwmark=parse_integer(mark[1], 1, MAX_MARK))
    if endpoint is None:
        raise ValueError(f"{virtual.value!r} is neither address:port nor a firewall mark")
    host, port = endpoint.groups()
    protocol = virtual.protocol or ("udp" if port in _DNS else "tcp")
    if protocol not in _PROTOCOLS:
        raise ValueError(f"protocol {protocol!r} is not one of {', '.join(_PROTOCOLS)}")
    address = parse_address(host)
    if family_of(address) != virtual.family:
        raise ValueError(f"{address} is not {virtual.family}: IPv6 needs virtual6, and IPv4 virtual")
    number = parse_integer(port, 0, 65535) if port.isdigit() else port_of(port, protocol)
    return ServiceKey(virtual.family, protocol, address, number)
