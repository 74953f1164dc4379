# Copyright (c) 2026, the linux.lvs contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The language of ipvsadm: every attribute written and read, operations as commands."""

from __future__ import annotations

import pytest
from ansible_collections.linux.lvs.plugins.module_utils._ipvsadm import (
    command,
    daemon_command,
    parse,
    render,
    timeouts_command,
    unsayable,
    zero_command,
)
from ansible_collections.linux.lvs.plugins.module_utils._model import (
    Entry,
    Server,
    ServerKey,
    Service,
    ServiceKey,
    SyncDaemon,
    Timeouts,
)
from ansible_collections.linux.lvs.plugins.module_utils._plan import Operation
from ansible_collections.linux.lvs.plugins.module_utils._settings import DaemonStep
from ansible_collections.linux.lvs.tests.unit.tables import ANY_TABLES
from hypothesis import given

HTTP = ServiceKey("ipv4", "tcp", "192.0.2.1", 80)
HTTP6 = ServiceKey("ipv6", "tcp", "2001:db8::1", 80)
DNS = ServiceKey("ipv4", "udp", "192.0.2.1", 53)
SCTP = ServiceKey("ipv4", "sctp", "192.0.2.1", 2905)
ALL_PORTS = ServiceKey("ipv4", "tcp", "192.0.2.1", 0)
MARK = ServiceKey("ipv4", fwmark=7)
MARK6 = ServiceKey("ipv6", fwmark=4294967295)
HOST = "255.255.255.255"

# A service and the words after -A that say it
SERVICES = (
    (Service(HTTP), "-t 192.0.2.1:80 -s wlc"),
    (Service(HTTP6), "-t [2001:db8::1]:80 -s wlc"),
    (Service(DNS), "-u 192.0.2.1:53 -s wlc"),
    (Service(SCTP), "--sctp-service 192.0.2.1:2905 -s wlc"),
    (Service(MARK), "-f 7 -s wlc"),
    (Service(MARK6), "-f 4294967295 -6 -s wlc"),
    (Service(HTTP, "none"), "-t 192.0.2.1:80 -s none"),
    (Service(HTTP, persistence_timeout=600, persistence_netmask=HOST), "-t 192.0.2.1:80 -s wlc -p 600"),
    (
        Service(HTTP, persistence_timeout=600, persistence_netmask="255.255.255.0"),
        "-t 192.0.2.1:80 -s wlc -p 600 -M 255.255.255.0",
    ),
    (Service(HTTP, persistence_timeout=600, persistence_netmask="0.0.0.0"), "-t 192.0.2.1:80 -s wlc -p 600 -M 0.0.0.0"),
    (Service(HTTP6, persistence_timeout=600, persistence_netmask="128"), "-t [2001:db8::1]:80 -s wlc -p 600"),
    (Service(HTTP6, persistence_timeout=600, persistence_netmask="64"), "-t [2001:db8::1]:80 -s wlc -p 600 -M 64"),
    (Service(MARK6, persistence_timeout=600, persistence_netmask="64"), "-f 4294967295 -6 -s wlc -p 600 -M 64"),
    (Service(ALL_PORTS, persistence_timeout=1, persistence_netmask=HOST), "-t 192.0.2.1:0 -s wlc -p 1"),
    (Service(HTTP, "sh", frozenset({1, 2})), "-t 192.0.2.1:80 -s sh -b sh-fallback,sh-port"),
    (Service(HTTP, "mh", frozenset({2, 3})), "-t 192.0.2.1:80 -s mh -b mh-port,flag-3"),
    (Service(HTTP, "mh", frozenset({3})), "-t 192.0.2.1:80 -s mh -b flag-3"),
    (Service(HTTP, "rr", frozenset({1, 2, 3})), "-t 192.0.2.1:80 -s rr -b flag-1,flag-2,flag-3"),
    (Service(DNS, one_packet=True), "-u 192.0.2.1:53 -s wlc -o"),
    (
        Service(DNS, "sh", frozenset({2}), 60, "255.0.0.0", "sip", True),
        "-u 192.0.2.1:53 -s sh -p 60 -M 255.0.0.0 -b sh-port --pe sip -o",
    ),
)

RIP = ServerKey("198.51.100.1", 80)
SERVERS = (
    (Server(RIP), "-r 198.51.100.1:80 -g -w 1"),
    (Server(RIP, "nat"), "-r 198.51.100.1:80 -m -w 1"),
    (Server(ServerKey("198.51.100.1", 8080), "nat", 0), "-r 198.51.100.1:8080 -m -w 0"),
    (Server(RIP, weight=2147483647), "-r 198.51.100.1:80 -g -w 2147483647"),
    (Server(RIP, upper_threshold=100), "-r 198.51.100.1:80 -g -w 1 -x 100"),
    (Server(RIP, upper_threshold=100, lower_threshold=50), "-r 198.51.100.1:80 -g -w 1 -x 100 -y 50"),
    (Server(RIP, "tunnel", tunnel_type="ipip"), "-r 198.51.100.1:80 -i -w 1 --tun-type ipip"),
    (
        Server(ServerKey("2001:db8::2", 80), "tunnel", tunnel_type="ipip"),
        "-r [2001:db8::2]:80 -i -w 1 --tun-type ipip",
    ),
    (
        Server(RIP, "tunnel", tunnel_type="gue", tunnel_port=6080, tunnel_checksum="none"),
        "-r 198.51.100.1:80 -i -w 1 --tun-type gue --tun-port 6080 --tun-nocsum",
    ),
    (
        Server(RIP, "tunnel", tunnel_type="gue", tunnel_port=6080, tunnel_checksum="remcsum"),
        "-r 198.51.100.1:80 -i -w 1 --tun-type gue --tun-port 6080 --tun-remcsum",
    ),
    (
        Server(RIP, "tunnel", 3, 9, 5, "gre", tunnel_checksum="csum"),
        "-r 198.51.100.1:80 -i -w 3 -x 9 -y 5 --tun-type gre --tun-csum",
    ),
)

_SERVICE, _SERVER = Service(HTTP, "rr"), Server(RIP, "nat", 5, 9, 5)
COMMANDS = (
    (Operation(HTTP, None, None, _SERVICE), "ipvsadm -A -t 192.0.2.1:80 -s rr"),
    (Operation(HTTP, None, _SERVICE, Service(HTTP)), "ipvsadm -E -t 192.0.2.1:80 -s wlc"),
    (Operation(HTTP, None, _SERVICE, None), "ipvsadm -D -t 192.0.2.1:80"),
    (Operation(MARK6, None, Service(MARK6), None), "ipvsadm -D -f 4294967295 -6"),
    (
        Operation(HTTP, RIP, None, _SERVER),
        "ipvsadm -a -t 192.0.2.1:80 -r 198.51.100.1:80 -m -w 5 -x 9 -y 5",
    ),
    (
        Operation(HTTP, RIP, _SERVER, _SERVER._replace(weight=0)),
        "ipvsadm -e -t 192.0.2.1:80 -r 198.51.100.1:80 -m -w 0 -x 9 -y 5",
    ),
    (Operation(HTTP, RIP, _SERVER, None), "ipvsadm -d -t 192.0.2.1:80 -r 198.51.100.1:80"),
)


def _odd_service(protocol="tcp", **attributes):
    return Service(HTTP._replace(protocol=protocol), **attributes)


# What netlink can do and ipvsadm can't
UNSAYABLE = (
    (_odd_service("protocol-47"), None, ["ipvsadm has no word for protocol-47"]),
    (_odd_service(persistence_timeout=0), None, ["ipvsadm refuses a persistence of 0 s"]),
    (_odd_service(persistence_timeout=2678401), None, ["ipvsadm refuses a persistence of 2678401 s"]),
    (Service(ALL_PORTS), None, ["ipvsadm refuses port 0 without persistence"]),
    (_odd_service(one_packet=True), None, ["ipvsadm refuses one-packet scheduling for anything but UDP"]),
    (Service(MARK), Server(RIP, "local"), ["ipvsadm has no word for forwarding local"]),
    (
        Service(MARK),
        Server(RIP, "tunnel", tunnel_type="type-3"),
        ["ipvsadm has no word for forwarding tunnel type-3"],
    ),
    (
        Service(HTTP),
        Server(RIP, "tunnel", tunnel_type="gre", tunnel_checksum="remcsum"),
        ["ipvsadm refuses remcsum for gre"],
    ),
    (
        Service(HTTP),
        Server(ServerKey("198.51.100.1", 81)),
        ["ipvsadm would write the service's port 80 instead of 81"],
    ),
)


def _ids(cases):
    return [case[1] if isinstance(case[1], str) else case[0] for case in cases]


@pytest.mark.parametrize(("service", "words"), SERVICES, ids=_ids(SERVICES))
def test_service_is_written_and_read(service, words):
    table = {service.key: Entry(service, {})}
    assert render(table) == f"-A {words}\n"
    assert parse(f"-A {words}\n") == table


@pytest.mark.parametrize(("server", "words"), SERVERS, ids=_ids(SERVERS))
def test_server_is_written_and_read(server, words):
    table = {HTTP: Entry(Service(HTTP, "rr"), {server.key: server})}
    assert render(table) == f"-A -t 192.0.2.1:80 -s rr\n-a -t 192.0.2.1:80 {words}\n"
    assert parse(render(table)) == table


def test_empty_table_is_empty_text():
    assert render({}) == ""


@given(ANY_TABLES)
def test_what_was_written_is_read_as_it_was(table):
    assert parse(render(table)) == table


@given(ANY_TABLES)
def test_normal_text_is_written_as_it_was_read(table):
    text = render(table)
    assert render(parse(text)) == text


@pytest.mark.parametrize(("operation", "line"), COMMANDS, ids=[case[1] for case in COMMANDS])
def test_operation_is_a_command_line(operation, line):
    assert command(operation) == line
    assert command(operation, "blue") == f"ip netns exec blue {line}"
    assert command(operation, "a b;x") == f"ip netns exec 'a b;x' {line}"
    assert unsayable(operation) == ()


@pytest.mark.parametrize(("service", "server", "reasons"), UNSAYABLE, ids=[case[2][0] for case in UNSAYABLE])
def test_what_ipvsadm_cannot_say_is_told(service, server, reasons):
    if server is None:
        operation = Operation(service.key, None, None, service)
    else:
        operation = Operation(service.key, server.key, None, server)
    assert unsayable(operation) == tuple(f"commands: {reason} ({operation})" for reason in reasons)
    assert command(operation).startswith("ipvsadm -")


def test_removals_are_sayable_whatever_was_there():
    assert unsayable(Operation(ALL_PORTS, None, Service(ALL_PORTS), None)) == ()
    assert unsayable(Operation(MARK, RIP, Server(RIP, "local"), None)) == ()


def test_what_only_the_kernel_can_hold_is_written_without_losing_it():
    odd = ServiceKey("ipv4", "protocol-47", "192.0.2.1", 80)
    servers = {RIP: Server(RIP, "tunnel", tunnel_type="type-3", tunnel_checksum="flags-9")}
    lines = render({odd: Entry(Service(odd, persistence_timeout=0), servers)}).splitlines()
    assert lines == [
        "-A --protocol-47-service 192.0.2.1:80 -s wlc -p 0",
        "-a --protocol-47-service 192.0.2.1:80 -r 198.51.100.1:80 -i -w 1 --tun-type type-3 --tun-flags-9",
    ]


DAEMON = SyncDaemon("backup", "eth0", 7)
SETTINGS = (
    (daemon_command, DaemonStep("stop", DAEMON), "--stop-daemon backup"),
    (
        daemon_command,
        DaemonStep("start", DAEMON),
        "--start-daemon backup --mcast-interface eth0 --syncid 7 --mcast-group 224.0.0.81 --mcast-port 8848 --mcast-ttl 1",
    ),
    (
        daemon_command,
        DaemonStep("start", SyncDaemon("master", "a'b", 0, 1400, "ff02::81", 9000, 3)),
        "--start-daemon master --mcast-interface 'a'\"'\"'b' --syncid 0 --sync-maxlen 1400 --mcast-group ff02::81"
        " --mcast-port 9000 --mcast-ttl 3",
    ),
    (timeouts_command, Timeouts(tcp_fin=60), "--set 0 60 0"),
    (zero_command, None, "-Z"),
    (zero_command, HTTP6, "-Z -t [2001:db8::1]:80"),
    (zero_command, MARK6, "-Z -f 4294967295 -6"),
)


@pytest.mark.parametrize(("say", "what", "words"), SETTINGS, ids=[case[2] for case in SETTINGS])
def test_setting_is_a_command_behind_its_namespace(say, what, words):
    assert say(what) == f"ipvsadm {words}"
    assert say(what, "a b") == f"ip netns exec 'a b' ipvsadm {words}"
