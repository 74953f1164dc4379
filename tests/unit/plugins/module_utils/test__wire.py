# Copyright (c) 2026, the linux.lvs contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Netlink messages: what is packed is what is unpacked. How they look on the wire is judged on a kernel."""

from __future__ import annotations

import struct

import pytest
from ansible_collections.linux.lvs.plugins.module_utils._model import Server, ServerKey, Service, ServiceKey
from ansible_collections.linux.lvs.plugins.module_utils._plan import Operation
from ansible_collections.linux.lvs.plugins.module_utils._wire import (
    _NO_SHAPE,
    _SERVER_SHAPES,
    CMD_ATTRIBUTES,
    DEST_ATTRIBUTES,
    NLM_F_ACK,
    NLM_F_REQUEST,
    NLMSG_DONE,
    NLMSG_ERROR,
    SVC_ATTRIBUTES,
    _server_shape,
    operation_command,
    pack_message,
    pack_operation,
    pack_server,
    pack_server_key,
    pack_service,
    pack_service_key,
    unpack_attributes,
    unpack_messages,
    unpack_nest,
    unpack_server,
    unpack_server_key,
    unpack_servers,
    unpack_service,
    unpack_service_key,
)
from ansible_collections.linux.lvs.tests.unit.tables import ANY_TABLES
from hypothesis import given
from hypothesis import strategies as st

HTTP = ServiceKey("ipv4", "tcp", "192.0.2.1", 80)
MARK = ServiceKey("ipv6", fwmark=7)
RIP = ServerKey("198.51.100.1", 80)


def u16(value):
    return struct.pack("=H", value)


def u32(value):
    return struct.pack("=I", value)


# What only the kernel can hold, by what it says
ODD_SERVICES = (
    ({"PROTOCOL": u16(47)}, HTTP._replace(protocol="protocol-47")),
    ({"FWMARK": None}, HTTP),
    ({"FWMARK": u32(0)}, HTTP),
)
ODD_SERVERS = (
    ({"FWD_METHOD": u32(1)}, Server(RIP, "local")),
    ({"FWD_METHOD": u32(7)}, Server(RIP, "forwarding-7")),
    ({"FWD_METHOD": u32(0x100 | 3)}, Server(RIP, "direct")),
    ({"FWD_METHOD": u32(2), "TUN_TYPE": b"\3"}, Server(RIP, "tunnel", tunnel_type="type-3")),
    (
        {"FWD_METHOD": u32(2), "TUN_TYPE": b"\2", "TUN_FLAGS": u16(9)},
        Server(RIP, "tunnel", tunnel_type="gre", tunnel_checksum="flags-9"),
    ),
)
# Attributes that mean nothing in an entry, which the kernel returns all the same
IDLE_SERVICES = (
    {"TIMEOUT": u32(300), "NETMASK": b"\xff\xff\xff\0"},
    {"FLAGS": struct.pack("=II", 0x0002, 0xFFFFFFFF)},
)
IDLE_SERVERS = (
    {"TUN_TYPE": b"\1", "TUN_PORT": b"\x17\xc0", "TUN_FLAGS": u16(1)},
    {"ADDR_FAMILY": None},
    {"TUN_TYPE": None, "TUN_PORT": None, "TUN_FLAGS": None},
)


def service_found(service):
    packed = pack_service(service) if isinstance(service, Service) else pack_service_key(service)
    return unpack_nest(packed, "SERVICE")


def server_found(server):
    return unpack_nest(pack_server(server) if isinstance(server, Server) else pack_server_key(server), "DEST")


def joined(attributes):
    packed = [struct.pack("=HH", 4 + len(data), kind) + data for kind, data in attributes]
    return b"".join(each.ljust((len(each) + 3) & ~3, b"\0") for each in packed)


def saying(found, names, said):
    """What was found, with other values of some attributes; None leaves one out."""
    changed = {**found, **{names.index(name): value for name, value in said.items()}}
    return {number: value for number, value in changed.items() if value is not None}


@given(ANY_TABLES)
def test_what_is_packed_is_unpacked(table):
    for key, entry in table.items():
        assert unpack_service_key(service_found(key)) == key
        assert unpack_service(service_found(entry.service)) == entry.service
        for name, server in entry.servers.items():
            assert unpack_server_key(server_found(name), key) == name
            assert unpack_server(server_found(server), key) == server


@pytest.mark.parametrize(("said", "key"), ODD_SERVICES, ids=[str(case[0]) for case in ODD_SERVICES])
def test_odd_service_of_the_kernel_keeps_its_identity(said, key):
    assert unpack_service_key(saying(service_found(HTTP), SVC_ATTRIBUTES, said)) == key
    assert unpack_service_key(service_found(key)) == key


@pytest.mark.parametrize(("said", "server"), ODD_SERVERS, ids=[str(case[0]) for case in ODD_SERVERS])
def test_odd_server_of_the_kernel_loses_nothing(said, server):
    assert unpack_server(saying(server_found(Server(RIP)), DEST_ATTRIBUTES, said), HTTP) == server
    assert unpack_server(server_found(server), HTTP) == server


# As a kernel of today writes them (ip_vs_genl_fill_dest), and which of them those before it do not know
KERNEL_ORDER = (
    *("ADDR", "PORT", "FWD_METHOD", "WEIGHT", "TUN_TYPE", "TUN_PORT", "TUN_FLAGS", "U_THRESH", "L_THRESH"),
    *("ACTIVE_CONNS", "INACT_CONNS", "PERSIST_CONNS", "ADDR_FAMILY", "STATS", "STATS64"),
)
YOUNG = ("TUN_TYPE", "TUN_PORT", "TUN_FLAGS", "ADDR_FAMILY", "STATS64")
SERVERS = ANY_TABLES.filter(lambda table: any(entry.servers for entry in table.values())).map(
    lambda table: next((key, server) for key, entry in table.items() for server in entry.servers.values())
)


@given(
    st.lists(st.tuples(SERVERS, st.sampled_from([(), YOUNG]), st.sampled_from([0, 0, 0, 2])), min_size=1, max_size=4)
)
def test_message_of_a_server_is_read_as_its_attributes_are(cases):
    """In the kernel's order and in others, by kernels of any age, of shapes that follow each other in one process."""
    _SERVER_SHAPES.clear()
    payloads, expected = [], []
    for (key, server), unknown, turned in cases:
        observed = {f"{name}_CONNS": u32(7) for name in ("ACTIVE", "INACT", "PERSIST")}
        observed.update(STATS=bytes(40), STATS64=bytes(80))
        found = saying(server_found(server), DEST_ATTRIBUTES, {**observed, **dict.fromkeys(unknown)})
        names = [name for name in KERNEL_ORDER if DEST_ATTRIBUTES.index(name) in found]
        names = names[turned:] + names[:turned]
        inner = joined([(DEST_ATTRIBUTES.index(name), found[DEST_ATTRIBUTES.index(name)]) for name in names])
        payload = struct.pack("=HH", 4 + len(inner), CMD_ATTRIBUTES.index("DEST")) + inner
        assert unpack_servers([payload], key) == [unpack_server(found, key)]
        assert unknown or unpack_servers([payload], key) == [server]
        assert (_server_shape(payload) is _NO_SHAPE) is bool(unknown or turned)
        payloads.append(payload)
        expected.append(unpack_server(found, HTTP))
    assert unpack_servers(payloads, HTTP) == expected


@pytest.mark.parametrize("said", IDLE_SERVICES, ids=str)
def test_idle_attributes_of_a_service_are_not_seen(said):
    assert unpack_service(saying(service_found(Service(HTTP)), SVC_ATTRIBUTES, said)) == Service(HTTP)


@pytest.mark.parametrize("said", IDLE_SERVERS, ids=str)
def test_idle_attributes_of_a_server_are_not_seen(said):
    server = Server(RIP, "nat")
    assert unpack_server(saying(server_found(server), DEST_ATTRIBUTES, said), HTTP) == server


def test_service_is_packed_with_all_that_the_kernel_asks_for():
    for key in (HTTP, MARK):
        names = {SVC_ATTRIBUTES[number] for number in service_found(Service(key))}
        assert {"SCHED_NAME", "FLAGS", "TIMEOUT", "NETMASK"} <= names


def test_engine_is_left_out_when_there_is_none():
    assert SVC_ATTRIBUTES.index("PE_NAME") not in service_found(Service(HTTP))


_SERVICE, _SERVER = Service(HTTP), Server(RIP)
_HEAVIER = _SERVER._replace(weight=2)
OPERATIONS = (
    ("NEW_SERVICE", Operation(HTTP, None, None, _SERVICE), pack_service(_SERVICE)),
    ("SET_SERVICE", Operation(HTTP, None, Service(HTTP, "rr"), _SERVICE), pack_service(_SERVICE)),
    ("DEL_SERVICE", Operation(HTTP, None, _SERVICE, None), pack_service_key(HTTP)),
    ("NEW_DEST", Operation(HTTP, RIP, None, _SERVER), pack_service_key(HTTP) + pack_server(_SERVER)),
    ("SET_DEST", Operation(HTTP, RIP, _SERVER, _HEAVIER), pack_service_key(HTTP) + pack_server(_HEAVIER)),
    ("DEL_DEST", Operation(HTTP, RIP, _SERVER, None), pack_service_key(HTTP) + pack_server_key(RIP)),
)


@pytest.mark.parametrize(("command", "operation", "packed"), OPERATIONS, ids=[case[0] for case in OPERATIONS])
def test_operation_is_packed_as_identity_or_whole(command, operation, packed):
    assert operation_command(operation) == command
    assert pack_operation(operation) == packed


def test_message_has_the_headers_of_netlink_and_of_the_family():
    message = pack_message(26, 8, b"abcd", NLM_F_REQUEST | NLM_F_ACK, 7)
    assert message == struct.pack("=IHHII", 24, 26, 5, 7, 0) + bytes([8, 1, 0, 0]) + b"abcd"


def test_messages_of_a_datagram_are_told_apart():
    data = pack_message(26, 5, b"abcd", 2, 7)
    error = struct.pack("=IHHIIi", 20, NLMSG_ERROR, 0, 8, 0, -17) + bytes(16)
    error = struct.pack("=I", len(error)) + error[4:]
    done = struct.pack("=IHHIIi", 20, NLMSG_DONE, 2, 9, 0, 0)
    bare = struct.pack("=IHHII", 16, NLMSG_DONE, 2, 10, 0)
    assert list(unpack_messages(data + error + done + bare)) == [
        (26, 7, 0, b"abcd"),
        (NLMSG_ERROR, 8, 17, b""),
        (NLMSG_DONE, 9, 0, b""),
        (NLMSG_DONE, 10, 0, b""),
    ]


def test_datagram_that_is_cut_short_yields_what_is_whole():
    assert list(unpack_messages(b"")) == []
    assert list(unpack_messages(pack_message(26, 5, b"", 0, 1)[:12])) == []
    assert list(unpack_messages(bytes(32))) == []


def test_attributes_end_where_they_make_no_sense():
    assert unpack_attributes(struct.pack("=HHI", 8, 3, 7) + bytes(8)) == {3: u32(7)}


ATTRIBUTES = st.lists(st.tuples(st.integers(1, 3), st.binary(max_size=6)), max_size=4)


@given(st.lists(st.tuples(ATTRIBUTES, st.integers(0, 3)), max_size=6))
def test_attributes_are_told_apart_whatever_came_before_in_the_same_size(messages):
    """Kinds may repeat, padding may be missing at the end: the last of a kind counts, and nothing of an earlier message."""
    for attributes, cut in messages:
        data = joined(attributes)
        padding = -len(attributes[-1][1]) % 4 if attributes else 0
        assert unpack_attributes(data[: len(data) - min(cut, padding)]) == dict(attributes)


def test_attribute_that_claims_more_than_there_is_yields_what_there_is():
    for _time in range(2):
        assert unpack_attributes(struct.pack("=HHI", 12, 3, 7)) == {3: u32(7)}
