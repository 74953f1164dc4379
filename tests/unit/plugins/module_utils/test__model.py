# Copyright (c) 2026, the linux.lvs contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The nouns: identity and configuration, their shape as options, and what makes no sense in them."""

from __future__ import annotations

from dataclasses import fields

import pytest
from ansible_collections.linux.lvs.plugins.module_utils._model import (
    CONNECTION_KINDS,
    SERVER_ATTRIBUTES,
    SERVER_IDENTITY,
    SERVICE_ATTRIBUTES,
    SERVICE_IDENTITY,
    Connections,
    Entry,
    Server,
    ServerKey,
    Service,
    ServiceKey,
    flag_bits,
    flag_names,
    kept_flags,
    server_problems,
    service_problems,
    sorted_keys,
    table_to_options,
)
from ansible_collections.linux.lvs.plugins.module_utils._options import (
    Reader,
    read_server,
    read_service,
    read_service_key,
)
from ansible_collections.linux.lvs.tests.unit.tables import ANY_TABLES
from hypothesis import given

HTTP = ServiceKey("ipv4", "tcp", "192.0.2.1", 80)
SIP = ServiceKey("ipv4", "udp", "192.0.2.1", 5060)
ALL_PORTS = ServiceKey("ipv4", "tcp", "192.0.2.1", 0)
HTTP6 = ServiceKey("ipv6", "tcp", "2001:db8::1", 80)
MARK = ServiceKey("ipv4", fwmark=7)

WORDS = (
    (HTTP, "tcp 192.0.2.1:80"),
    (HTTP6, "tcp [2001:db8::1]:80"),
    (MARK, "fwmark 7 (ipv4)"),
    (ServerKey("2001:db8::1", 80), "[2001:db8::1]:80"),
)

ORDERED_SERVICES = (
    ServiceKey("ipv4", "sctp", "203.0.113.1", 80),
    ServiceKey("ipv4", "tcp", "9.0.0.1", 443),
    ServiceKey("ipv4", "tcp", "10.0.0.1", 80),
    ServiceKey("ipv4", "tcp", "10.0.0.1", 443),
    ServiceKey("ipv4", "udp", "9.0.0.1", 53),
    ServiceKey("ipv6", "tcp", "::1", 80),
    ServiceKey("ipv6", "tcp", "2001:db8::1", 80),
    ServiceKey("ipv4", fwmark=2),
    ServiceKey("ipv6", fwmark=2),
    ServiceKey("ipv4", fwmark=10),
)

ORDERED_SERVERS = (
    ServerKey("9.0.0.1", 80),
    ServerKey("10.0.0.1", 80),
    ServerKey("10.0.0.1", 443),
    ServerKey("::1", 80),
)

# scheduler, numbers, names
FLAGS = (
    ("rr", {1, 2, 3}, ("flag-1", "flag-2", "flag-3")),
    ("sh", {1, 2, 3}, ("sh-fallback", "sh-port", "flag-3")),
    ("mh", {1, 2}, ("mh-fallback", "mh-port")),
    ("mh", {3}, ("flag-3",)),
    ("wlc", set(), ()),
)

# old scheduler, new scheduler, flags before, flags kept
KEPT_FLAGS = (
    ("rr", "rr", {1, 3}, {1, 3}),
    ("sh", "sh", {1, 3}, {1, 3}),
    ("sh", "mh", {1, 2, 3}, {1, 2}),
    ("mh", "sh", {2}, {2}),
    ("sh", "rr", {1, 2}, set()),
    ("rr", "sh", {1, 2}, set()),
    ("rr", "wrr", {3}, set()),
)

SERVICE_OPTIONS = (
    (
        Service(HTTP),
        {
            "address": "192.0.2.1",
            "port": 80,
            "protocol": "tcp",
            "scheduler": "wlc",
            "scheduler_flags": [],
            "persistence_timeout": 0,
            "one_packet": False,
        },
    ),
    (
        Service(MARK, "sh", frozenset({2, 1}), 600, "255.255.255.0", "sip", True),
        {
            "fwmark": 7,
            "family": "ipv4",
            "scheduler": "sh",
            "scheduler_flags": ["sh-fallback", "sh-port"],
            "persistence_timeout": 600,
            "persistence_netmask": "255.255.255.0",
            "persistence_engine": "sip",
            "one_packet": True,
        },
    ),
    (
        Service(HTTP, persistence_timeout=600, persistence_netmask="255.255.255.255"),
        {
            "address": "192.0.2.1",
            "port": 80,
            "protocol": "tcp",
            "scheduler": "wlc",
            "scheduler_flags": [],
            "persistence_timeout": 600,
            "persistence_netmask": "255.255.255.255",
            "persistence_engine": "",
            "one_packet": False,
        },
    ),
)

RIP = ServerKey("198.51.100.1", 80)
BARE_SERVER = {
    "address": "198.51.100.1",
    "port": 80,
    "forwarding": "direct",
    "weight": 1,
    "upper_threshold": 0,
    "lower_threshold": 0,
}
SERVER_OPTIONS = (
    (Server(RIP), BARE_SERVER),
    (
        Server(RIP, "tunnel", 0, 10, 5, "gue", 6080, "none"),
        {
            **BARE_SERVER,
            "forwarding": "tunnel",
            "weight": 0,
            "upper_threshold": 10,
            "lower_threshold": 5,
            "tunnel_type": "gue",
            "tunnel_port": 6080,
            "tunnel_checksum": "none",
        },
    ),
    (
        Server(RIP, "tunnel", tunnel_type="ipip"),
        {**BARE_SERVER, "forwarding": "tunnel", "tunnel_type": "ipip"},
    ),
)

SERVICE_PROBLEMS = (
    (Service(HTTP), ()),
    (Service(SIP, persistence_timeout=60, persistence_engine="sip", one_packet=True), ()),
    (Service(MARK, persistence_timeout=60, persistence_engine="sip", one_packet=True), ()),
    (Service(ALL_PORTS, persistence_timeout=60), ()),
    (Service(MARK), ()),
    *(
        (
            Service(ServiceKey(family, "tcp", address, 80)),
            (f"address: {address} is not a unicast address, so IPVS takes no client's packets for it",),
        )
        for family, address in (
            ("ipv4", "0.0.0.0"),
            ("ipv4", "224.0.0.1"),
            ("ipv4", "239.255.255.255"),
            ("ipv4", "255.255.255.255"),
            ("ipv6", "::"),
            ("ipv6", "ff02::1"),
        )
    ),
    (Service(ServiceKey("ipv4", "tcp", "240.0.0.1", 80)), ()),
    (Service(ServiceKey("ipv4", "tcp", "127.0.0.1", 80)), ()),
    (Service(ALL_PORTS), ("port: 0 (all ports) needs a persistent service: give persistence_timeout",)),
    (Service(HTTP, persistence_netmask="255.0.0.0"), ("persistence_netmask: needs persistence_timeout above 0",)),
    (Service(HTTP, persistence_engine="abc"), ("persistence_engine: needs persistence_timeout above 0",)),
    (
        Service(HTTP, persistence_timeout=60, persistence_engine="sip"),
        ("persistence_engine: sip works for protocol udp only, not for tcp",),
    ),
    (Service(HTTP, one_packet=True), ("one_packet: one-packet scheduling is for protocol udp only, not for tcp",)),
    (
        Service(ALL_PORTS, persistence_netmask="255.0.0.0", persistence_engine="sip", one_packet=True),
        (
            "port: 0 (all ports) needs a persistent service: give persistence_timeout",
            "persistence_netmask: needs persistence_timeout above 0",
            "persistence_engine: needs persistence_timeout above 0",
            "persistence_engine: sip works for protocol udp only, not for tcp",
            "one_packet: one-packet scheduling is for protocol udp only, not for tcp",
        ),
    ),
)

RIP6 = ServerKey("2001:db8::2", 80)
OTHER_PORT = ServerKey("198.51.100.1", 8080)
SERVER_PROBLEMS = (
    (HTTP, Server(RIP), ()),
    (HTTP, Server(OTHER_PORT, "nat"), ()),
    (HTTP, Server(RIP, upper_threshold=5, lower_threshold=5), ()),
    (HTTP, Server(RIP6, "tunnel", tunnel_type="ipip"), ()),
    (HTTP6, Server(RIP, "tunnel", tunnel_type="gre", tunnel_checksum="csum"), ()),
    (HTTP, Server(RIP, "tunnel", tunnel_type="gue", tunnel_port=6080, tunnel_checksum="remcsum"), ()),
    (MARK, Server(ServerKey("198.51.100.1", 0)), ()),
    (MARK, Server(OTHER_PORT, "nat"), ()),
    (HTTP, Server(ServerKey("224.0.0.1", 80)), ("address: 224.0.0.1 is not a unicast address",)),
    (
        HTTP,
        Server(RIP6),
        (
            "address: 2001:db8::2 is not ipv4 as service tcp 192.0.2.1:80 is;"
            " servers of the other family need forwarding tunnel, not direct",
        ),
    ),
    (
        HTTP6,
        Server(RIP, "nat"),
        (
            "address: 198.51.100.1 is not ipv6 as service tcp [2001:db8::1]:80 is;"
            " servers of the other family need forwarding tunnel, not nat",
        ),
    ),
    (
        HTTP,
        Server(OTHER_PORT),
        ("port: 8080 is not the service's port 80; another port needs forwarding nat, not direct",),
    ),
    (
        HTTP,
        Server(OTHER_PORT, "tunnel", tunnel_type="ipip"),
        ("port: 8080 is not the service's port 80; another port needs forwarding nat, not tunnel",),
    ),
    (MARK, Server(RIP), ("port: 80 is not the service's port 0; another port needs forwarding nat, not direct",)),
    (HTTP, Server(RIP, lower_threshold=1), ("lower_threshold: 1 is above upper_threshold 0",)),
    (HTTP, Server(RIP, upper_threshold=4, lower_threshold=5), ("lower_threshold: 5 is above upper_threshold 4",)),
    (
        HTTP,
        Server(RIP, "nat", tunnel_type="gue", tunnel_port=1, tunnel_checksum="none"),
        (
            "tunnel_type: needs forwarding tunnel, not nat",
            "tunnel_port: needs forwarding tunnel, not nat",
            "tunnel_checksum: needs forwarding tunnel, not nat",
        ),
    ),
    (
        HTTP,
        Server(RIP, "tunnel", tunnel_type="gue"),
        ("tunnel_port: tunnel_type gue needs a UDP port between 1 and 65535",),
    ),
    (
        HTTP,
        Server(RIP, "tunnel", tunnel_type="ipip", tunnel_port=1),
        ("tunnel_port: needs tunnel_type gue, not ipip",),
    ),
    (
        HTTP,
        Server(RIP, "tunnel", tunnel_type="gre", tunnel_port=1),
        ("tunnel_port: needs tunnel_type gue, not gre",),
    ),
    (
        HTTP,
        Server(RIP, "tunnel", tunnel_type="ipip", tunnel_checksum="none"),
        ("tunnel_checksum: needs tunnel_type gue or gre, not ipip",),
    ),
    (
        HTTP,
        Server(RIP, "tunnel", tunnel_type="gre", tunnel_checksum="remcsum"),
        ("tunnel_checksum: remcsum needs tunnel_type gue, not gre; gre takes none, csum",),
    ),
)


def _id(problems):
    return problems[0].partition(";")[0] if problems else "fine"


@pytest.mark.parametrize(("key", "words"), WORDS, ids=[case[1] for case in WORDS])
def test_key_in_words(key, words):
    assert str(key) == words


def test_services_are_ordered_by_number_with_marks_last():
    assert sorted_keys(dict.fromkeys(reversed(ORDERED_SERVICES))) == list(ORDERED_SERVICES)


def test_servers_are_ordered_by_number_with_ipv4_first():
    assert sorted_keys(dict.fromkeys(reversed(ORDERED_SERVERS))) == list(ORDERED_SERVERS)


@pytest.mark.parametrize(("scheduler", "bits", "names"), FLAGS, ids=[f"{case[0]} {case[2]}" for case in FLAGS])
def test_flags_have_the_names_of_their_scheduler(scheduler, bits, names):
    assert flag_names(scheduler, frozenset(bits)) == names
    assert flag_bits(scheduler, frozenset(names)) == bits


def test_flags_go_by_their_bare_names_too():
    assert flag_bits("sh", frozenset({"flag-1", "sh-port"})) == {1, 2}


def test_flag_of_another_scheduler_is_refused_with_those_that_are_allowed():
    with pytest.raises(ValueError, match="is not a flag") as caught:
        flag_bits("sh", frozenset({"mh-port", "mh-fallback", "sh-port"}))
    assert str(caught.value) == (
        "mh-fallback, mh-port is not a flag of scheduler sh, which takes flag-1, flag-2, flag-3, sh-fallback, sh-port"
    )


@pytest.mark.parametrize(
    ("old", "new", "flags", "kept"), KEPT_FLAGS, ids=[f"{case[0]} to {case[1]}" for case in KEPT_FLAGS]
)
def test_new_scheduler_keeps_only_flags_that_mean_the_same_to_it(old, new, flags, kept):
    assert kept_flags(old, new, frozenset(flags)) == kept


@pytest.mark.parametrize(("service", "options"), SERVICE_OPTIONS, ids=["bare", "everything", "persistent"])
def test_service_as_options(service, options):
    assert service.to_options() == options


@pytest.mark.parametrize(("server", "options"), SERVER_OPTIONS, ids=["bare", "gue", "ipip"])
def test_server_as_options(server, options):
    assert server.to_options() == options


@given(ANY_TABLES)
def test_what_was_gathered_can_be_declared_again(table):
    problems = []
    for options in table_to_options(table):
        servers = options.pop("servers")
        reader = Reader(options, "", problems)
        key = read_service_key(reader)
        service = table[key].service
        given_service = read_service(reader).given
        persistent = service.persistence_timeout is not None
        engine = {"persistence_engine"} if persistent or service.persistence_engine else set()
        left_out = set() if persistent else {"persistence_netmask", "persistence_engine"}
        assert set(given_service) == (set(SERVICE_ATTRIBUTES) - left_out) | engine
        bits = flag_bits(service.scheduler, given_service["scheduler_flags"])
        assert service._replace(**{**given_service, "scheduler_flags": bits}) == service
        for server in servers:
            spec = read_server(Reader(server, "", problems))
            assert Server(spec.key(key), **spec.given) == table[key].servers[spec.key(key)]
    assert problems == []


def test_entry_as_options_has_its_servers_in_order():
    entry = Entry(Service(HTTP), {name: Server(name) for name in reversed(ORDERED_SERVERS)})
    addresses = [(server["address"], server["port"]) for server in entry.to_options()["servers"]]
    assert addresses == [(name.address, name.port) for name in ORDERED_SERVERS]


def test_connections_as_options_are_by_kind():
    assert Connections(1, 2, 3).to_options() == {"active": 1, "inactive": 2, "persistent": 3}
    assert tuple(field.name for field in fields(Connections)) == CONNECTION_KINDS


@pytest.mark.parametrize(
    ("service", "problems"), SERVICE_PROBLEMS, ids=[f"{case[0].key} {_id(case[1])}" for case in SERVICE_PROBLEMS]
)
def test_what_makes_no_sense_in_a_service(service, problems):
    assert service_problems(service) == problems


@pytest.mark.parametrize(
    ("service", "server", "problems"),
    SERVER_PROBLEMS,
    ids=[f"{case[1].key} {_id(case[2])}" for case in SERVER_PROBLEMS],
)
def test_what_makes_no_sense_in_a_server(service, server, problems):
    assert server_problems(service, server) == problems


def test_attributes_are_the_fields_in_their_order():
    assert Service._fields == ("key", *SERVICE_ATTRIBUTES)
    assert Server._fields == ("key", *SERVER_ATTRIBUTES)
    assert set(ServiceKey._fields) == set(SERVICE_IDENTITY)
    assert ServerKey._fields == SERVER_IDENTITY


@pytest.mark.parametrize(
    "noun", [HTTP, RIP, Service(HTTP), Server(RIP), Entry(Service(HTTP), {})], ids=lambda noun: type(noun).__name__
)
def test_nouns_are_frozen(noun):
    with pytest.raises(AttributeError):
        setattr(noun, noun._fields[0], None)


def test_equality_is_configuration_and_not_identity():
    assert Server(RIP, weight=1) != Server(RIP, weight=2)
    assert Server(RIP, weight=1).key == Server(RIP, weight=2).key
