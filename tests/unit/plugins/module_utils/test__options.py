# Copyright (c) 2026, the linux.lvs contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options: every wrong value is a sentence with its path, all at once; every spelling of a right one is understood."""

from __future__ import annotations

import pytest
from ansible_collections.linux.lvs.plugins.module_utils._model import ServerKey, ServiceKey
from ansible_collections.linux.lvs.plugins.module_utils._options import (
    SERVER_OPTIONS,
    SERVICE_OPTIONS,
    DrainSpec,
    Reader,
    ServerSpec,
    as_list,
    parse_boolean,
    parse_integer,
    read_drain,
    read_server,
    read_service,
    read_service_key,
)

VIP = {"address": "192.0.2.1", "port": 80}
VIP6 = {"address": "2001:db8::1", "port": 80}
HTTP = ServiceKey("ipv4", "tcp", "192.0.2.1", 80)
RIP = {"address": "198.51.100.1"}

_NOT_WHOLE = "{!r} is not a whole number between {} and {}"
_FLAGS = "sh-fallback, sh-port, mh-fallback, mh-port, flag-1, flag-2, flag-3"
_NAME = "is not a name of 1 to 15 characters out of a-z, 0-9, - and _"
_MARK_ONLY = "does not go with fwmark, which is another way to say which service it is"

# A dictionary of options and all that is wrong with it
KEY_PROBLEMS = (
    ({}, ["address: is required, with port; or fwmark instead of both"]),
    ({"address": None, "fwmark": None}, ["address: is required, with port; or fwmark instead of both"]),
    ({"port": 80}, ["address: is required, with port; or fwmark instead of both"]),
    ({"address": "192.0.2.1"}, ["port: is required with address; 0 is all ports of a persistent service"]),
    (
        {**VIP, "address": "www.example.com"},
        ["address: 'www.example.com' is not an IPv4 or IPv6 address (names are not resolved)"],
    ),
    (
        {**VIP, "address": "fe80::1%eth0"},
        ["address: 'fe80::1%eth0' has a scope id; IPVS keeps none, write the address without %"],
    ),
    ({**VIP, "port": 65536}, ["port: 65536 is not between 0 and 65535"]),
    ({**VIP, "port": -1}, ["port: -1 is not between 0 and 65535"]),
    ({**VIP, "port": "http"}, ["port: 'http' is not a whole number between 0 and 65535"]),
    ({**VIP, "protocol": "icmp"}, ["protocol: 'icmp' is not one of tcp, udp, sctp"]),
    ({**VIP, "protocol": "TCP"}, ["protocol: 'TCP' is not one of tcp, udp, sctp"]),
    ({**VIP, "family": "inet"}, ["family: 'inet' is not one of ipv4, ipv6"]),
    ({**VIP, "family": "ipv6"}, ["family: ipv6 is not the family of 192.0.2.1; it is for fwmark only, leave it out"]),
    ({"fwmark": 0}, ["fwmark: 0 is not between 1 and 4294967295"]),
    ({"fwmark": 2**32}, ["fwmark: 4294967296 is not between 1 and 4294967295"]),
    ({"fwmark": -1}, ["fwmark: -1 is not between 1 and 4294967295"]),
    ({"fwmark": "0x10"}, ["fwmark: '0x10' is not a whole number between 1 and 4294967295"]),
    ({"fwmark": 1, "family": "ip"}, ["family: 'ip' is not one of ipv4, ipv6"]),
    ({"fwmark": 1, "address": "192.0.2.1"}, [f"address: {_MARK_ONLY}"]),
    ({"fwmark": 1, "port": 0}, [f"port: {_MARK_ONLY}"]),
    ({"fwmark": 1, "protocol": "tcp"}, [f"protocol: {_MARK_ONLY}"]),
    (
        {"fwmark": 0, "address": "x", "port": "y", "protocol": "z", "family": "a"},
        [
            f"address: {_MARK_ONLY}",
            f"port: {_MARK_ONLY}",
            f"protocol: {_MARK_ONLY}",
            "fwmark: 0 is not between 1 and 4294967295",
            "family: 'a' is not one of ipv4, ipv6",
        ],
    ),
    (
        {"address": "x", "port": 65536, "protocol": "icmp", "family": "a"},
        [
            "address: 'x' is not an IPv4 or IPv6 address (names are not resolved)",
            "port: 65536 is not between 0 and 65535",
            "protocol: 'icmp' is not one of tcp, udp, sctp",
            "family: 'a' is not one of ipv4, ipv6",
        ],
    ),
)

SERVICE_PROBLEMS = (
    *KEY_PROBLEMS,
    ({**VIP, "scheduler": ""}, [f"scheduler: '' {_NAME}"]),
    ({**VIP, "scheduler": "RR"}, [f"scheduler: 'RR' {_NAME}"]),
    ({**VIP, "scheduler": "a b"}, [f"scheduler: 'a b' {_NAME}"]),
    ({**VIP, "scheduler": "a" * 16}, [f"scheduler: '{'a' * 16}' {_NAME}"]),
    ({**VIP, "scheduler": 1}, [f"scheduler: 1 {_NAME}"]),
    ({**VIP, "scheduler_flags": ["fallback"]}, [f"scheduler_flags: 'fallback' is not one of {_FLAGS}"]),
    ({**VIP, "scheduler_flags": "sh-port,x"}, [f"scheduler_flags: 'x' is not one of {_FLAGS}"]),
    ({**VIP, "scheduler_flags": [1]}, [f"scheduler_flags: 1 is not one of {_FLAGS}"]),
    ({**VIP, "scheduler_flags": [["sh-port"]]}, [f"scheduler_flags: ['sh-port'] is not one of {_FLAGS}"]),
    ({**VIP, "scheduler_flags": {"sh-port": True}}, ["scheduler_flags: {'sh-port': True} is not a list"]),
    ({**VIP, "scheduler_flags": 1}, ["scheduler_flags: 1 is not a list"]),
    ({**VIP, "persistence_timeout": -1}, ["persistence_timeout: -1 is not between 0 and 2678400"]),
    ({**VIP, "persistence_timeout": 2678401}, ["persistence_timeout: 2678401 is not between 0 and 2678400"]),
    ({**VIP, "persistence_timeout": "5m"}, [f"persistence_timeout: {_NOT_WHOLE.format('5m', 0, 2678400)}"]),
    (
        {**VIP, "persistence_netmask": 33},
        [
            "persistence_netmask: 33 is neither an IPv4 netmask such as 255.255.255.0 nor a prefix length between 0 and 32"
        ],
    ),
    (
        {**VIP6, "persistence_netmask": "255.255.255.0"},
        [
            "persistence_netmask: '255.255.255.0' is not a prefix length between 1 and 128, which IPv6 takes instead of a mask"
        ],
    ),
    (
        {"fwmark": 1, "family": "ipv6", "persistence_netmask": 0},
        ["persistence_netmask: 0 is not a prefix length between 1 and 128, which IPv6 takes instead of a mask"],
    ),
    ({**VIP, "persistence_engine": "SIP"}, [f"persistence_engine: 'SIP' {_NAME}"]),
    ({**VIP, "persistence_engine": "a" * 16}, [f"persistence_engine: '{'a' * 16}' {_NAME}"]),
    ({**VIP, "one_packet": "maybe"}, ["one_packet: 'maybe' is neither true nor false"]),
    ({**VIP, "one_packet": 2}, ["one_packet: 2 is neither true nor false"]),
    ({**VIP, "one_packet": []}, ["one_packet: [] is neither true nor false"]),
    (
        {"port": 65536, "scheduler": "", "scheduler_flags": 1, "persistence_timeout": -1, "one_packet": 2},
        [
            "port: 65536 is not between 0 and 65535",
            "address: is required, with port; or fwmark instead of both",
            f"scheduler: '' {_NAME}",
            "scheduler_flags: 1 is not a list",
            "one_packet: 2 is neither true nor false",
            "persistence_timeout: -1 is not between 0 and 2678400",
        ],
    ),
)

SERVER_PROBLEMS = (
    ({}, ["address: is required"]),
    ({"address": "x"}, ["address: 'x' is not an IPv4 or IPv6 address (names are not resolved)"]),
    (
        {"address": "fe80::1%eth0"},
        ["address: 'fe80::1%eth0' has a scope id; IPVS keeps none, write the address without %"],
    ),
    ({"address": "0.0.0.0"}, ["address: 0.0.0.0 is not a unicast address, so it can't be a real server"]),
    ({"address": "FF02::1"}, ["address: ff02::1 is not a unicast address, so it can't be a real server"]),
    ({**RIP, "port": 65536}, ["port: 65536 is not between 0 and 65535"]),
    ({**RIP, "port": True}, [f"port: {_NOT_WHOLE.format(True, 0, 65535)}"]),
    ({**RIP, "forwarding": "masq"}, ["forwarding: 'masq' is not one of nat, direct, tunnel"]),
    ({**RIP, "weight": -1}, ["weight: -1 is not between 0 and 2147483647"]),
    ({**RIP, "weight": 3000000000}, ["weight: 3000000000 is not between 0 and 2147483647"]),
    ({**RIP, "weight": "3000000000"}, ["weight: 3000000000 is not between 0 and 2147483647"]),
    ({**RIP, "weight": 1.5}, [f"weight: {_NOT_WHOLE.format(1.5, 0, 2147483647)}"]),
    ({**RIP, "weight": [1]}, [f"weight: {_NOT_WHOLE.format([1], 0, 2147483647)}"]),
    ({**RIP, "upper_threshold": 2147483648}, ["upper_threshold: 2147483648 is not between 0 and 2147483647"]),
    ({**RIP, "lower_threshold": -5}, ["lower_threshold: -5 is not between 0 and 2147483647"]),
    ({**RIP, "tunnel_type": "vxlan"}, ["tunnel_type: 'vxlan' is not one of ipip, gue, gre"]),
    ({**RIP, "tunnel_port": 0}, ["tunnel_port: 0 is not between 1 and 65535"]),
    ({**RIP, "tunnel_port": 65536}, ["tunnel_port: 65536 is not between 1 and 65535"]),
    ({**RIP, "tunnel_checksum": True}, ["tunnel_checksum: True is not one of none, csum, remcsum"]),
    (
        {"weight": "x", "tunnel_port": 0, "forwarding": 1},
        [
            "address: is required",
            "forwarding: 1 is not one of nat, direct, tunnel",
            f"weight: {_NOT_WHOLE.format('x', 0, 2147483647)}",
            "tunnel_port: 0 is not between 1 and 65535",
        ],
    ),
)

DRAIN_PROBLEMS = (
    ({"drain_timeout": -1}, ["drain_timeout: -1 is not between 0 and 2147483647"]),
    ({"drain_timeout": "1m"}, [f"drain_timeout: {_NOT_WHOLE.format('1m', 0, 2147483647)}"]),
    ({"drain_wait_for": ["all"]}, ["drain_wait_for: 'all' is not one of active, inactive, persistent"]),
    (
        {"drain_wait_for": []},
        ["drain_wait_for: is empty; give some of active, inactive, persistent, or leave it out"],
    ),
    ({"drain_wait_for": True}, ["drain_wait_for: True is not a list"]),
    ({"minimum_active": -1}, ["minimum_active: -1 is not between 0 and 2147483647"]),
    (
        {"drain_timeout": -1, "drain_wait_for": "x", "minimum_active": "y"},
        [
            "drain_wait_for: 'x' is not one of active, inactive, persistent",
            "drain_timeout: -1 is not between 0 and 2147483647",
            f"minimum_active: {_NOT_WHOLE.format('y', 0, 2147483647)}",
        ],
    ),
)

KEYS = (
    (VIP, HTTP),
    ({"address": " 192.0.2.1 ", "port": "80", "protocol": "tcp"}, HTTP),
    ({**VIP, "family": "ipv4"}, HTTP),
    ({**VIP, "port": 80.0}, HTTP),
    ({**VIP, "port": 0}, ServiceKey("ipv4", "tcp", "192.0.2.1", 0)),
    ({**VIP, "protocol": "sctp"}, ServiceKey("ipv4", "sctp", "192.0.2.1", 80)),
    ({"address": "2001:DB8:0::1", "port": 80}, ServiceKey("ipv6", "tcp", "2001:db8::1", 80)),
    ({"address": "[2001:db8::1]", "port": 80}, ServiceKey("ipv6", "tcp", "2001:db8::1", 80)),
    ({"address": "::ffff:c000:201", "port": 80}, ServiceKey("ipv6", "tcp", "::ffff:192.0.2.1", 80)),
    ({"fwmark": 1}, ServiceKey("ipv4", fwmark=1)),
    ({"fwmark": "4294967295", "family": "ipv6"}, ServiceKey("ipv6", fwmark=4294967295)),
)

SERVICES = (
    ({}, {}),
    (
        dict.fromkeys(
            (
                "scheduler",
                "scheduler_flags",
                "persistence_timeout",
                "persistence_netmask",
                "persistence_engine",
                "one_packet",
            )
        ),
        {},
    ),
    ({"scheduler": "none"}, {"scheduler": "none"}),
    ({"scheduler": "my_own-2"}, {"scheduler": "my_own-2"}),
    ({"scheduler": "a" * 15}, {"scheduler": "a" * 15}),
    ({"scheduler_flags": []}, {"scheduler_flags": frozenset()}),
    ({"scheduler_flags": ""}, {"scheduler_flags": frozenset()}),
    (
        {"scheduler_flags": ["sh-port", "sh-fallback", "sh-port"]},
        {"scheduler_flags": frozenset({"sh-fallback", "sh-port"})},
    ),
    ({"scheduler_flags": "sh-port, flag-3"}, {"scheduler_flags": frozenset({"sh-port", "flag-3"})}),
    ({"persistence_timeout": "600"}, {"persistence_timeout": 600}),
    ({"persistence_timeout": 2678400}, {"persistence_timeout": 2678400}),
    ({"persistence_timeout": 0}, {"persistence_timeout": None}),
    ({"persistence_timeout": "0"}, {"persistence_timeout": None}),
    ({"persistence_netmask": "/24"}, {"persistence_netmask": "255.255.255.0"}),
    ({"persistence_engine": "sip"}, {"persistence_engine": "sip"}),
    ({"persistence_engine": ""}, {"persistence_engine": ""}),
    ({"one_packet": "yes"}, {"one_packet": True}),
    ({"one_packet": False}, {"one_packet": False}),
)

SERVERS = (
    ({}, None, {}),
    ({"port": "8080"}, 8080, {}),
    ({"port": 0}, 0, {}),
    ({"weight": 0}, None, {"weight": 0}),
    ({"weight": " 2147483647 "}, None, {"weight": 2147483647}),
    ({"weight": None, "forwarding": "nat"}, None, {"forwarding": "nat"}),
    (
        {"upper_threshold": "10", "lower_threshold": 0},
        None,
        {"upper_threshold": 10, "lower_threshold": 0},
    ),
    (
        {"forwarding": "tunnel", "tunnel_type": "gue", "tunnel_port": "6080", "tunnel_checksum": "none"},
        None,
        {"forwarding": "tunnel", "tunnel_type": "gue", "tunnel_port": 6080, "tunnel_checksum": "none"},
    ),
)

DRAINS = (
    ({}, DrainSpec()),
    ({"drain_timeout": "60", "minimum_active": "1"}, DrainSpec(60, None, 1)),
    ({"drain_wait_for": ["inactive", "active"]}, DrainSpec(0, ("inactive", "active"))),
    ({"drain_wait_for": "active,persistent"}, DrainSpec(0, ("active", "persistent"))),
)

INTEGERS = (
    *((value, 5) for value in (5, "5", " 5 ", "+5", "005", 5.0)),
    *((value, -5) for value in (-5, "-5")),
)
NO_INTEGERS = (
    "",
    "x",
    "5.0",
    "5e0",
    "0x5",
    "1_0",
    "\u0665",
    "--5",
    "+-5",
    "9" * 30,
    True,
    5.5,
    float("nan"),
    float("inf"),
    None,
)
BOOLEANS = (
    *((value, True) for value in (True, "true", "True", " YES ", "on", "1", 1, "y", "t")),
    *((value, False) for value in (False, "false", "No", "off", "0", 0, "n", "F")),
)


def _ids(cases):
    return [", ".join(f"{name}={value!r:.40}" for name, value in case[0].items()) or "nothing" for case in cases]


def _problems(read, options, path=""):
    problems = []
    return read(Reader(options, path, problems)), problems


@pytest.mark.parametrize(("options", "expected"), KEY_PROBLEMS, ids=_ids(KEY_PROBLEMS))
def test_every_problem_of_a_service_key_is_told(options, expected):
    assert _problems(read_service_key, options) == (None, expected)


@pytest.mark.parametrize(("options", "expected"), SERVICE_PROBLEMS, ids=_ids(SERVICE_PROBLEMS))
def test_every_problem_of_a_service_is_told(options, expected):
    assert _problems(read_service, options) == (None, expected)


@pytest.mark.parametrize(("options", "expected"), SERVER_PROBLEMS, ids=_ids(SERVER_PROBLEMS))
def test_every_problem_of_a_server_is_told(options, expected):
    assert _problems(read_server, options) == (None, expected)


@pytest.mark.parametrize(("options", "expected"), DRAIN_PROBLEMS, ids=_ids(DRAIN_PROBLEMS))
def test_every_problem_of_a_drain_is_told(options, expected):
    assert _problems(read_drain, options)[1] == expected


@pytest.mark.parametrize(("options", "key"), KEYS, ids=_ids(KEYS))
def test_service_key_is_read_from_any_spelling(options, key):
    assert _problems(read_service_key, options) == (key, [])


@pytest.mark.parametrize(("options", "expected"), SERVICES, ids=_ids(SERVICES))
def test_service_spec_holds_what_was_given_and_nothing_else(options, expected):
    spec, problems = _problems(read_service, {**VIP, **options})
    assert (spec.key, dict(spec.given), problems) == (HTTP, expected, [])


@pytest.mark.parametrize(("options", "port", "expected"), SERVERS, ids=_ids(SERVERS))
def test_server_spec_holds_what_was_given_and_nothing_else(options, port, expected):
    spec, problems = _problems(read_server, {**RIP, **options})
    assert (spec, problems) == (ServerSpec("198.51.100.1", port, expected), [])


@pytest.mark.parametrize(("options", "expected"), DRAINS, ids=_ids(DRAINS))
def test_drain_spec_is_what_was_given(options, expected):
    assert _problems(read_drain, options) == (expected, [])


def test_problems_of_entries_have_their_path():
    problems = []
    read_server(Reader({"weight": 3000000000}, "services[2].servers[0].", problems))
    assert problems == [
        "services[2].servers[0].address: is required",
        "services[2].servers[0].weight: 3000000000 is not between 0 and 2147483647",
    ]


def test_problems_of_a_sub_dictionary_have_its_path():
    problems = []
    options = Reader({"service": {"fwmark": 0}}, "servers[1].", problems)
    assert read_service_key(options.sub("service")) is None
    assert problems == ["servers[1].service.fwmark: 0 is not between 1 and 4294967295"]


@pytest.mark.parametrize("value", ["192.0.2.1:80", ["fwmark"], 7], ids=repr)
def test_what_is_no_dictionary_is_told(value):
    problems = []
    assert Reader({"service": value}, "", problems).sub("service") is None
    assert problems == [f"service: {value!r} is not a dictionary"]


def test_options_that_do_not_exist_are_told_with_those_that_do():
    problems = []
    Reader({"wieght": 1, "addres": "x", "port": 80}, "servers[0].", problems).refuse_unknown(("port", "weight"))
    assert problems == [
        "servers[0].addres: is not an option here; there are port, weight",
        "servers[0].wieght: is not an option here; there are port, weight",
    ]


@pytest.mark.parametrize(("port", "expected"), [(None, 80), (0, 0), (8080, 8080)], ids=["left out", "zero", "given"])
def test_port_of_a_server_is_that_of_its_service_when_left_out(port, expected):
    assert ServerSpec("198.51.100.1", port, {}).key(HTTP) == ServerKey("198.51.100.1", expected)


def test_port_of_a_server_of_a_mark_is_the_packets_own_when_left_out():
    assert ServerSpec("198.51.100.1", None, {}).key(ServiceKey("ipv4", fwmark=1)).port == 0


@pytest.mark.parametrize(("value", "number"), INTEGERS, ids=[repr(case[0]) for case in INTEGERS])
def test_whole_numbers_are_taken_as_text_too(value, number):
    parsed = parse_integer(value, -10, 10)
    assert (parsed, type(parsed)) == (number, int)


@pytest.mark.parametrize("value", NO_INTEGERS, ids=ascii)
def test_what_is_no_whole_number_is_refused(value):
    with pytest.raises(ValueError, match="whole number") as caught:
        parse_integer(value, -10, 10)
    assert str(caught.value) == f"{value!r} is not a whole number between -10 and 10"


@pytest.mark.parametrize(("value", "truth"), BOOLEANS, ids=[repr(case[0]) for case in BOOLEANS])
def test_booleans_are_taken_as_words_too(value, truth):
    assert parse_boolean(value) is truth


@pytest.mark.parametrize("value", ["a, b,,", ["a", "b"], ("a", "b")], ids=repr)
def test_lists_are_taken_as_text_with_commas_too(value):
    assert list(as_list(value)) == ["a", "b"]


def test_options_are_identity_and_attributes():
    assert SERVICE_OPTIONS[:5] == ("address", "port", "protocol", "fwmark", "family")
    assert SERVER_OPTIONS[:2] == ("address", "port")
    assert not set(SERVICE_OPTIONS) & {"servers", "state"}
