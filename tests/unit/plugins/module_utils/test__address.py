# Copyright (c) 2026, the linux.lvs contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses and netmasks: one normal form for every spelling, one sentence for what is none."""

from __future__ import annotations

import pytest
from ansible_collections.linux.lvs.plugins.module_utils._address import (
    IPV4,
    IPV6,
    endpoint,
    family_of,
    host_netmask,
    is_host,
    pack,
    parse_address,
    parse_netmask,
    parse_network,
    unpack,
)
from ansible_collections.linux.lvs.tests.unit.tables import addresses
from hypothesis import given
from hypothesis import strategies as st

SPELLINGS = (
    ("192.0.2.1", "192.0.2.1"),
    (" 192.0.2.1\n", "192.0.2.1"),
    ("0.0.0.0", "0.0.0.0"),
    ("2001:DB8::A", "2001:db8::a"),
    ("2001:0db8:0000:0000:0000:0000:0000:0001", "2001:db8::1"),
    ("2001:db8:0:0:1::", "2001:db8:0:0:1::"),
    ("2001:db8::1:0:0:1", "2001:db8::1:0:0:1"),
    ("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"),  # one group of zeros is not shortened (RFC 5952, 4.2.2)
    ("[2001:db8::1]", "2001:db8::1"),
    ("::ffff:192.0.2.1", "::ffff:192.0.2.1"),
    ("::FFFF:C000:201", "::ffff:192.0.2.1"),
    ("::192.0.2.1", "::192.0.2.1"),
    ("64:ff9b::192.0.2.1", "64:ff9b::c000:201"),
    ("::", "::"),
    ("::1", "::1"),
)

NO_ADDRESSES = (
    ("", "'' is not an IPv4 or IPv6 address (names are not resolved)"),
    ("www.example.com", "'www.example.com' is not an IPv4 or IPv6 address (names are not resolved)"),
    ("192.0.2", "'192.0.2' is not an IPv4 or IPv6 address (names are not resolved)"),
    ("192.0.2.256", "'192.0.2.256' is not an IPv4 or IPv6 address (names are not resolved)"),
    ("192.0.2.1/24", "'192.0.2.1/24' is not an IPv4 or IPv6 address (names are not resolved)"),
    ("192.0.2.1:80", "'192.0.2.1:80' is not an IPv4 or IPv6 address (names are not resolved)"),
    ("3221225985", "'3221225985' is not an IPv4 or IPv6 address (names are not resolved)"),
    ("0xC0.0.2.1", "'0xC0.0.2.1' is not an IPv4 or IPv6 address (names are not resolved)"),
    ("192.0.2.01", "'192.0.2.01' is not an IPv4 or IPv6 address (names are not resolved)"),
    ("192.0.2.\u0661", "'192.0.2.\u0661' is not an IPv4 or IPv6 address (names are not resolved)"),
    ("192.0.2.1\0", "'192.0.2.1\\x00' is not an IPv4 or IPv6 address (names are not resolved)"),
    ("2001:db8::1::2", "'2001:db8::1::2' is not an IPv4 or IPv6 address (names are not resolved)"),
    ("2001:db8::g", "'2001:db8::g' is not an IPv4 or IPv6 address (names are not resolved)"),
    ("[2001:db8::1", "'[2001:db8::1' is not an IPv4 or IPv6 address (names are not resolved)"),
    ("fe80::1%eth0", "'fe80::1%eth0' has a scope id; IPVS keeps none, write the address without %"),
    ("[fe80::1%2]", "'[fe80::1%2]' has a scope id; IPVS keeps none, write the address without %"),
    (3221225985, "3221225985 is not an IPv4 or IPv6 address"),
    (True, "True is not an IPv4 or IPv6 address"),
    (["192.0.2.1"], "['192.0.2.1'] is not an IPv4 or IPv6 address"),
)

HOSTS = (
    ("192.0.2.1", True),
    ("127.0.0.1", True),
    ("223.255.255.255", True),
    ("240.0.0.1", True),
    ("0.0.0.0", False),
    ("224.0.0.1", False),
    ("239.255.255.255", False),
    ("255.255.255.255", False),
    ("::1", True),
    ("fe80::1", True),
    ("::ffff:192.0.2.1", True),
    ("::", False),
    ("ff02::1", False),
)

NETMASKS = (
    (IPV4, "255.255.255.0", "255.255.255.0"),
    (IPV4, " 255.255.255.0 ", "255.255.255.0"),
    (IPV4, "255.0.255.0", "255.0.255.0"),  # the kernel takes holes
    (IPV4, "24", "255.255.255.0"),
    (IPV4, 24, "255.255.255.0"),
    (IPV4, "/24", "255.255.255.0"),
    (IPV4, 0, "0.0.0.0"),
    (IPV4, "0.0.0.0", "0.0.0.0"),
    (IPV4, 1, "128.0.0.0"),
    (IPV4, 32, "255.255.255.255"),
    (IPV6, 1, "1"),
    (IPV6, "64", "64"),
    (IPV6, "/064", "64"),
    (IPV6, 128, "128"),
)

_IPV4_SENTENCE = "{} is neither an IPv4 netmask such as 255.255.255.0 nor a prefix length between 0 and 32"
_IPV6_SENTENCE = "{} is not a prefix length between 1 and 128, which IPv6 takes instead of a mask"
NO_NETMASKS = (
    *(
        (IPV4, value, _IPV4_SENTENCE)
        for value in (33, -1, "", "255.255.255", "ffff:ff00::", True, 24.0, "\u0662\u0664", ["24"])
    ),
    *(
        (IPV6, value, _IPV6_SENTENCE)
        for value in (0, 129, "", "255.255.255.0", "ffff:ff00::", True, "\u0666\u0664", "-64")
    ),
)

NETWORKS = (
    ("192.0.2.0/24", IPV4, "192.0.2.0", 24),
    (" 192.0.2.0/24 ", IPV4, "192.0.2.0", 24),
    ("192.0.2.1/32", IPV4, "192.0.2.1", 32),
    ("192.0.2.1", IPV4, "192.0.2.1", 32),
    ("192.0.2.128/025", IPV4, "192.0.2.128", 25),
    ("128.0.0.0/1", IPV4, "128.0.0.0", 1),
    ("0.0.0.0/0", IPV4, "0.0.0.0", 0),
    ("2001:DB8:0::/64", IPV6, "2001:db8::", 64),
    ("[2001:db8::]/33", IPV6, "2001:db8::", 33),
    ("2001:db8::1", IPV6, "2001:db8::1", 128),
    ("::ffff:10.0.0.0/104", IPV6, "::ffff:10.0.0.0", 104),
    ("::/0", IPV6, "::", 0),
)

_NO_NETWORK = "{!r} is not an IPv4 or IPv6 network such as 192.0.2.0/24 or 2001:db8::/64"
_NO_LENGTH = "{!r}: the prefix length of {} is a number between 0 and {}"
_HOST_BITS = "{!r} has bits set beyond its prefix length; the network is {}"
NO_NETWORKS = (
    *(
        (value, _NO_NETWORK.format(value))
        for value in ("", "/24", "web/24", "10.96/12", "fe80::%eth0/64", 10, None, ["10.0.0.0/8"])
    ),
    *(
        (value, _NO_LENGTH.format(value, "ipv4", 32))
        for value in ("10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/255.0.0.0")
    ),
    *((value, _NO_LENGTH.format(value, "ipv6", 128)) for value in ("::/129", "::/x", "::/\u0661", "::/64/64")),
    ("10.96.0.1/12", _HOST_BITS.format("10.96.0.1/12", "10.96.0.0/12")),
    ("192.0.2.1/31", _HOST_BITS.format("192.0.2.1/31", "192.0.2.0/31")),
    ("192.0.2.1/0", _HOST_BITS.format("192.0.2.1/0", "0.0.0.0/0")),
    ("2001:db8::1/64", _HOST_BITS.format("2001:db8::1/64", "2001:db8::/64")),
)


@pytest.mark.parametrize(("spelling", "normal"), SPELLINGS, ids=[repr(case[0]) for case in SPELLINGS])
def test_address_has_one_normal_form(spelling, normal):
    assert parse_address(spelling) == normal
    assert parse_address(normal) == normal


@pytest.mark.parametrize(("value", "sentence"), NO_ADDRESSES, ids=[ascii(case[0]) for case in NO_ADDRESSES])
def test_what_is_no_address_is_refused_in_a_sentence(value, sentence):
    with pytest.raises(ValueError, match="address") as caught:
        parse_address(value)
    assert str(caught.value) == sentence


@pytest.mark.parametrize(("address", "expected"), HOSTS, ids=[case[0] for case in HOSTS])
def test_real_server_has_a_unicast_address(address, expected):
    assert is_host(address) is expected


@pytest.mark.parametrize(("family", "value", "normal"), NETMASKS, ids=[f"{case[0]} {case[1]!r}" for case in NETMASKS])
def test_netmask_has_one_normal_form(family, value, normal):
    assert parse_netmask(family, value) == normal
    assert parse_netmask(family, normal) == normal


@pytest.mark.parametrize(
    ("family", "value", "sentence"), NO_NETMASKS, ids=[f"{case[0]} {case[1]!a}" for case in NO_NETMASKS]
)
def test_what_is_no_netmask_is_refused_in_a_sentence(family, value, sentence):
    with pytest.raises(ValueError, match="prefix length") as caught:
        parse_netmask(family, value)
    assert str(caught.value) == sentence.format(repr(value))


@pytest.mark.parametrize(("value", "family", "address", "length"), NETWORKS, ids=[repr(case[0]) for case in NETWORKS])
def test_network_is_an_address_and_a_mask(value, family, address, length):
    found, network, mask = parse_network(value)
    assert (found, unpack(family, network)) == (family, address)
    assert "".join(f"{byte:08b}" for byte in mask) == "1" * length + "0" * (8 * len(mask) - length)


@pytest.mark.parametrize(("value", "sentence"), NO_NETWORKS, ids=[ascii(case[0]) for case in NO_NETWORKS])
def test_what_is_no_network_is_refused_in_a_sentence(value, sentence):
    with pytest.raises(ValueError, match=r"network|prefix length") as caught:
        parse_network(value)
    assert str(caught.value) == sentence


@given(st.sampled_from((IPV4, IPV6)).flatmap(lambda family: st.tuples(st.just(family), addresses(family))))
def test_normal_form_survives_the_wire(case):
    family, address = case
    assert family_of(address) == family
    assert parse_address(address) == address
    assert unpack(family, pack(address)) == address
    assert unpack(family, pack(address).ljust(16, b"\0")) == address


def test_host_netmask_is_what_the_parser_makes_of_a_full_length():
    assert host_netmask(IPV4) == parse_netmask(IPV4, 32) == "255.255.255.255"
    assert host_netmask(IPV6) == parse_netmask(IPV6, 128) == "128"


def test_endpoint_has_brackets_around_ipv6_only():
    assert endpoint("192.0.2.1", 80) == "192.0.2.1:80"
    assert endpoint("2001:db8::1", 0) == "[2001:db8::1]:0"
