# Copyright (c) 2026, the linux.lvs contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connection entries, which the kernel tells in text only: /proc/net/ip_vs_conn.

Private to linux.lvs: may change in any release.

A line (ip_vs_conn_seq_show in ip_vs_conn.c) is a protocol; client, virtual and real address, each with a port, in
hexadecimal digits; a state; seconds; and, where a persistence engine tells clients apart, its name and what it found::

    TCP C0A80064 8406 C0A80001 0050 AC100001 0050 ESTABLISHED     897

The memory that a client belongs to a server is an entry too, of client port 0. Where its service is one by mark, it
has protocol IP and the mark in the first four bytes of the virtual address.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Iterable

from ._address import IPV4, IPV6, unpack
from ._model import ServerKey, ServiceKey

_FIELDS = 9  # before the engine
_FTP = 21


@dataclass(frozen=True)
class ConnectionEntry:
    """A connection, or the memory of a persistent client's server."""

    virtual: ServiceKey  # what the client speaks to; the service itself may be one for all ports, or by mark
    client: ServerKey
    server: ServerKey
    state: str
    expires: int  # s
    engine: str = ""
    engine_data: str = ""

    @property
    def persistent(self) -> bool:
        """Whether it is a memory of persistence, which is of no client port."""
        return self.client.port == 0

    @property
    def order(self) -> tuple[Any, ...]:
        """Sorts by service, then client."""
        return (self.virtual.order, self.client.order, self.server.order)

    def to_options(self) -> dict[str, Any]:
        """The entry as ipvs_info returns it."""
        key = self.virtual
        if key.fwmark:
            virtual: dict[str, Any] = {"fwmark": key.fwmark, "family": key.family}
        else:
            virtual = {"protocol": key.protocol, "virtual_address": key.address, "virtual_port": key.port}
        engine = {"persistence_engine": self.engine, "persistence_data": self.engine_data} if self.engine else {}
        return {
            **virtual,
            "client_address": self.client.address,
            "client_port": self.client.port,
            "server_address": self.server.address,
            "server_port": self.server.port,
            "state": self.state,
            "expires": self.expires,
            "persistent": self.persistent,
            **engine,
        }


def parse_connections(text: str) -> list[ConnectionEntry]:
    """The entries of the file's text in canonical order, each once: the kernel may list one twice while others come."""
    entries = (_parse_entry(line) for line in text.splitlines()[1:])
    return sorted({(entry.virtual, entry.client, entry.server): entry for entry in entries}.values(), key=_order)


def _order(entry: ConnectionEntry) -> tuple[Any, ...]:
    return entry.order


def of_service(
    entries: Iterable[ConnectionEntry], key: ServiceKey, services: Callable[[], Iterable[ServiceKey]]
) -> list[ConnectionEntry]:
    """The entries that are certainly a service's: to its address, or the memories of its mark.

    A service for all ports has what no other service on its address is for; ``services`` are all that there are. The
    kernel keeps the memories of FTP as those of all ports (ip_vs_sched_persist in ip_vs_core.c).
    """
    if key.port == _FTP and (all_ports := key._replace(port=0)) not in set(services()):
        return [entry for entry in entries if entry.virtual == key or (entry.persistent and entry.virtual == all_ports)]
    if key.fwmark or key.port:
        return [entry for entry in entries if entry.virtual == key]
    others = set(services()) - {key}
    return [
        entry
        for entry in entries
        if (entry.virtual.protocol, entry.virtual.address) == (key.protocol, key.address)
        and entry.virtual not in others
    ]


def _parse_entry(line: str) -> ConnectionEntry:
    words = line.split(None, _FIELDS + 1)
    protocol, client, client_port, virtual, virtual_port, server, server_port, state, expires = words[:_FIELDS]
    engine, data = (*words[_FIELDS:], "", "")[:2]
    return ConnectionEntry(
        _parse_virtual(protocol, virtual, virtual_port),
        ServerKey(_parse_address(client)[1], int(client_port, 16)),
        ServerKey(_parse_address(server)[1], int(server_port, 16)),
        state,
        int(expires),
        engine,
        data.rstrip(),
    )


def _parse_virtual(protocol: str, digits: str, port: str) -> ServiceKey:
    family, address = _parse_address(digits)
    if protocol == "IP":
        return ServiceKey(family, fwmark=int(digits.replace(":", "")[:8], 16))
    name = f"protocol-{protocol[3:]}" if protocol.startswith("IP_") else protocol.lower()
    return ServiceKey(family, name, address, int(port, 16))


def _parse_address(digits: str) -> tuple[str, str]:
    family = IPV6 if ":" in digits else IPV4
    return family, unpack(family, bytes.fromhex(digits.replace(":", "")))
