# Copyright (c) 2026, the linux.lvs contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connection entries out of the kernel's text."""

from __future__ import annotations

import pytest
from ansible_collections.linux.lvs.plugins.module_utils._connections import (
    ConnectionEntry,
    of_service,
    parse_connections,
)
from ansible_collections.linux.lvs.plugins.module_utils._model import ServerKey, ServiceKey

HEADER = "Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Expires PEName PEData\n"
HTTP = ServiceKey("ipv4", "tcp", "192.168.0.1", 80)
HTTP6 = ServiceKey("ipv6", "tcp", "fd00:1::1", 80)
CLIENT = ServerKey("192.168.0.100", 33798)
SERVER = ServerKey("172.16.0.1", 80)

# as the kernel wrote them, but for names and numbers that did not occur
LINES = (
    (
        "TCP C0A80064 8406 C0A80001 0050 AC100001 0050 ESTABLISHED     897",
        ConnectionEntry(HTTP, CLIENT, SERVER, "ESTABLISHED", 897),
    ),
    (
        "TCP fd00:0001:0000:0000:0000:0000:0000:0100 D3EE fd00:0001:0000:0000:0000:0000:0000:0001 0050"
        " fd00:0002:0000:0000:0000:0000:0000:0001 0050 ESTABLISHED     897",
        ConnectionEntry(HTTP6, ServerKey("fd00:1::100", 54254), ServerKey("fd00:2::1", 80), "ESTABLISHED", 897),
    ),
    (
        "TCP fd00:0001:0000:0000:0000:0000:0000:0100 BD0E fd00:0001:0000:0000:0000:0000:0000:0001 0050 AC100001 0050"
        " SYN_RECV         59",
        ConnectionEntry(HTTP6, ServerKey("fd00:1::100", 48398), SERVER, "SYN_RECV", 59),
    ),
    (
        "IP  C0A80001 0000 00000007 0000 AC100001 0000 ASSURED          59",
        ConnectionEntry(
            ServiceKey("ipv4", fwmark=7), ServerKey("192.168.0.1", 0), ServerKey("172.16.0.1", 0), "ASSURED", 59
        ),
    ),
    (
        "IP  fd00:0001:0000:0000:0000:0000:0000:0001 0000 ffff:ffff:0000:0000:0000:0000:0000:0000 0000"
        " fd00:0002:0000:0000:0000:0000:0000:0001 0000 NONE             59",
        ConnectionEntry(
            ServiceKey("ipv6", fwmark=4294967295), ServerKey("fd00:1::1", 0), ServerKey("fd00:2::1", 0), "NONE", 59
        ),
    ),
    (
        "UDP C0A80064 0000 C0A80001 13C4 AC100001 13C4 NONE             59 sip a84b4c76e66710@pc33.example.org",
        ConnectionEntry(
            ServiceKey("ipv4", "udp", "192.168.0.1", 5060),
            ServerKey("192.168.0.100", 0),
            ServerKey("172.16.0.1", 5060),
            "NONE",
            59,
            "sip",
            "a84b4c76e66710@pc33.example.org",
        ),
    ),
    (
        "UDP C0A80064 0000 C0A80001 0050 AC100001 0050 NONE             59 nosuch two words",
        ConnectionEntry(
            ServiceKey("ipv4", "udp", "192.168.0.1", 80),
            ServerKey("192.168.0.100", 0),
            SERVER,
            "NONE",
            59,
            "nosuch",
            "two words",
        ),
    ),
    (
        "IP_47 C0A80064 8406 C0A80001 0050 AC100001 0050 ?                0",
        ConnectionEntry(ServiceKey("ipv4", "protocol-47", "192.168.0.1", 80), CLIENT, SERVER, "?", 0),
    ),
)


@pytest.mark.parametrize(("line", "entry"), LINES, ids=[line[:40] for line, _entry in LINES])
def test_line_is_read(line, entry):
    assert parse_connections(f"{HEADER}{line}\n") == [entry]


def test_file_is_read_in_order_and_each_entry_once():
    text = HEADER + "".join(f"{line}\n" for line, _entry in (*LINES, LINES[0], *reversed(LINES)))
    entries = parse_connections(text)
    assert len(entries) == len(LINES)
    assert set(entries) == {entry for _line, entry in LINES}
    assert [entry.virtual.order for entry in entries] == sorted(entry.virtual.order for entry in entries)


@pytest.mark.parametrize("text", ["", HEADER])
def test_no_connections_are_none(text):
    assert parse_connections(text) == []


def entry(port, protocol="tcp", address="192.168.0.1", client=33798):
    virtual = ServiceKey("ipv4", protocol, address, port)
    return ConnectionEntry(virtual, ServerKey("192.168.0.100", client), SERVER, "ESTABLISHED", 1)


ENTRIES = [
    entry(0, client=0),
    entry(80),
    entry(443),
    entry(8080),
    entry(8080, protocol="udp"),
    entry(8080, address="192.168.0.2"),
    LINES[3][1],
]
ALL_PORTS = ServiceKey("ipv4", "tcp", "192.168.0.1", 0)
SERVICES = [ALL_PORTS, HTTP, ServiceKey("ipv4", "tcp", "192.168.0.1", 443), ServiceKey("ipv4", fwmark=7)]


@pytest.mark.parametrize(
    ("service", "ports"),
    [
        (HTTP, [80]),
        (ALL_PORTS, [0, 8080]),
        (ServiceKey("ipv4", fwmark=7), [0]),
        (ServiceKey("ipv6", fwmark=7), []),
        (ServiceKey("ipv4", "sctp", "192.168.0.1", 0), []),
    ],
    ids=str,
)
def test_entries_of_a_service(service, ports):
    found = of_service(ENTRIES, service, lambda: SERVICES)
    assert [each.virtual.port for each in found] == ports
    assert all(each.virtual.fwmark == service.fwmark for each in found)


def test_services_are_asked_for_only_where_they_matter():
    of_service(ENTRIES, HTTP, lambda: pytest.fail("they are read from the kernel"))


FTP = ServiceKey("ipv4", "tcp", "192.168.0.1", 21)


@pytest.mark.parametrize(
    ("services", "ports"), [([FTP], [0, 21]), ([FTP, ALL_PORTS], [21])], ids=["alone", "beside all ports"]
)
def test_memories_of_ftp_are_kept_as_those_of_all_ports(services, ports):
    found = of_service([entry(0, client=0), entry(0), entry(21), entry(80)], FTP, lambda: services)
    assert [each.virtual.port for each in found] == ports
