# Copyright (c) 2026, the linux.lvs contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Netlink attributes: what is packed is what is unpacked. How they look on the wire is judged on a kernel."""

from __future__ import annotations

import struct
from dataclasses import replace

import pytest
from ansible_collections.linux.lvs.plugins.module_utils._model import (
    DEFAULT_MULTICAST_GROUP,
    Server,
    ServerKey,
    Service,
    ServiceKey,
    SyncDaemon,
)
from ansible_collections.linux.lvs.plugins.module_utils._netlink import (
    pack_daemon,
    pack_operation,
    pack_server,
    pack_server_key,
    pack_service,
    pack_service_key,
    unpack_daemon,
    unpack_server,
    unpack_server_key,
    unpack_service,
    unpack_service_key,
)
from ansible_collections.linux.lvs.plugins.module_utils._plan import Operation
from ansible_collections.linux.lvs.tests.unit.tables import ANY_TABLES
from hypothesis import given

HTTP = ServiceKey("ipv4", "tcp", "192.0.2.1", 80)
MARK = ServiceKey("ipv6", fwmark=7)
RIP = ServerKey("198.51.100.1", 80)

# What only the kernel can hold, by what it says
ODD_SERVICES = (
    ({"IPVS_SVC_ATTR_PROTOCOL": 47}, replace(HTTP, protocol="protocol-47")),
    ({"IPVS_SVC_ATTR_FWMARK": None}, HTTP),
    ({"IPVS_SVC_ATTR_FWMARK": 0}, HTTP),
)
ODD_SERVERS = (
    ({"IPVS_DEST_ATTR_FWD_METHOD": 1}, Server(RIP, "local")),
    ({"IPVS_DEST_ATTR_FWD_METHOD": 7}, Server(RIP, "forwarding-7")),
    ({"IPVS_DEST_ATTR_FWD_METHOD": 0x100 | 3}, Server(RIP, "direct")),
    ({"IPVS_DEST_ATTR_FWD_METHOD": 2, "IPVS_DEST_ATTR_TUN_TYPE": 3}, Server(RIP, "tunnel", tunnel_type="type-3")),
    (
        {"IPVS_DEST_ATTR_FWD_METHOD": 2, "IPVS_DEST_ATTR_TUN_TYPE": 2, "IPVS_DEST_ATTR_TUN_FLAGS": 9},
        Server(RIP, "tunnel", tunnel_type="gre", tunnel_checksum="flags-9"),
    ),
)
# Attributes that mean nothing in an entry, which the kernel returns all the same
IDLE_SERVICES = (
    {"IPVS_SVC_ATTR_TIMEOUT": 300, "IPVS_SVC_ATTR_NETMASK": b"\xff\xff\xff\0"},
    {"IPVS_SVC_ATTR_FLAGS": struct.pack("=II", 0x0002, 0xFFFFFFFF)},
)
IDLE_SERVERS = (
    {"IPVS_DEST_ATTR_TUN_TYPE": 1, "IPVS_DEST_ATTR_TUN_PORT": 6080, "IPVS_DEST_ATTR_TUN_FLAGS": 1},
    {"IPVS_DEST_ATTR_ADDR_FAMILY": None},
    {"IPVS_DEST_ATTR_TUN_TYPE": None, "IPVS_DEST_ATTR_TUN_PORT": None, "IPVS_DEST_ATTR_TUN_FLAGS": None},
)


@given(ANY_TABLES)
def test_what_is_packed_is_unpacked(table):
    for key, entry in table.items():
        assert unpack_service_key(dict(pack_service_key(key)).get) == key
        assert unpack_service(dict(pack_service(entry.service)).get) == entry.service
        for name, server in entry.servers.items():
            assert unpack_server_key(dict(pack_server_key(name)).get, key) == name
            assert unpack_server(dict(pack_server(server)).get, key) == server


@pytest.mark.parametrize(("said", "key"), ODD_SERVICES, ids=[str(case[0]) for case in ODD_SERVICES])
def test_odd_service_of_the_kernel_keeps_its_identity(said, key):
    assert unpack_service_key({**dict(pack_service_key(HTTP)), **said}.get) == key
    assert unpack_service_key(dict(pack_service_key(key)).get) == key


@pytest.mark.parametrize(("said", "server"), ODD_SERVERS, ids=[str(case[0]) for case in ODD_SERVERS])
def test_odd_server_of_the_kernel_loses_nothing(said, server):
    assert unpack_server({**dict(pack_server(Server(RIP))), **said}.get, HTTP) == server
    assert unpack_server(dict(pack_server(server)).get, HTTP) == server


@pytest.mark.parametrize("said", IDLE_SERVICES, ids=str)
def test_idle_attributes_of_a_service_are_not_seen(said):
    assert unpack_service({**dict(pack_service(Service(HTTP))), **said}.get) == Service(HTTP)


@pytest.mark.parametrize("said", IDLE_SERVERS, ids=str)
def test_idle_attributes_of_a_server_are_not_seen(said):
    assert unpack_server({**dict(pack_server(Server(RIP, "nat"))), **said}.get, HTTP) == Server(RIP, "nat")


def test_service_is_packed_with_all_that_the_kernel_asks_for():
    for key in (HTTP, MARK):
        names = {name.replace("IPVS_SVC_ATTR_", "") for name, _value in pack_service(Service(key))}
        assert {"SCHED_NAME", "FLAGS", "TIMEOUT", "NETMASK"} <= names


def test_engine_is_left_out_when_there_is_none():
    assert "IPVS_SVC_ATTR_PE_NAME" not in dict(pack_service(Service(HTTP)))


_SERVICE, _SERVER = Service(HTTP), Server(RIP)
OPERATIONS = (
    ("add service", Operation(HTTP, None, None, _SERVICE), [pack_service(_SERVICE)]),
    ("remove service", Operation(HTTP, None, _SERVICE, None), [pack_service_key(HTTP)]),
    ("add server", Operation(HTTP, RIP, None, _SERVER), [pack_service_key(HTTP), pack_server(_SERVER)]),
    (
        "update server",
        Operation(HTTP, RIP, _SERVER, replace(_SERVER, weight=2)),
        [pack_service_key(HTTP), pack_server(replace(_SERVER, weight=2))],
    ),
    ("remove server", Operation(HTTP, RIP, _SERVER, None), [pack_service_key(HTTP), pack_server_key(RIP)]),
)


@pytest.mark.parametrize(("name", "operation", "packed"), OPERATIONS, ids=[case[0] for case in OPERATIONS])
def test_operation_is_packed_as_identity_or_whole(name, operation, packed):
    names = ["IPVS_CMD_ATTR_SERVICE", "IPVS_CMD_ATTR_DEST"]
    assert pack_operation(operation) == [(name, {"attrs": attributes}) for name, attributes in zip(names, packed)]


DAEMONS = (
    SyncDaemon("master", "eth0", 0, 1, "224.0.0.81", 1, 1),
    SyncDaemon("backup", "eth0.100", 255, 65487, "ff02::81", 65535, 255),
)


@pytest.mark.parametrize("daemon", DAEMONS, ids=str)
def test_packed_daemon_is_unpacked(daemon):
    assert unpack_daemon(dict(pack_daemon(daemon)).get) == daemon


def test_what_is_left_to_the_kernel_is_left_out():
    assert "IPVS_DAEMON_ATTR_SYNC_MAXLEN" not in dict(pack_daemon(SyncDaemon("master", "eth0", 1)))


def test_daemon_of_an_old_kernel_has_what_can_not_be_chosen_there():
    said = {"IPVS_DAEMON_ATTR_STATE": 2, "IPVS_DAEMON_ATTR_MCAST_IFN": "eth0", "IPVS_DAEMON_ATTR_SYNC_ID": 7}
    daemon = unpack_daemon(said.get)
    assert daemon == SyncDaemon("backup", "eth0", 7)
    assert (daemon.multicast_group, daemon.sync_maxlen) == (DEFAULT_MULTICAST_GROUP, None)
