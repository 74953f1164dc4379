# Copyright (c) 2026, the linux.lvs contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a host becomes a real server: the lines for each method, and every sentence that a user of the role may read."""

from __future__ import annotations

import pytest
from ansible_collections.linux.lvs.plugins.module_utils._errors import InvalidInput
from ansible_collections.linux.lvs.plugins.module_utils._real_server import real_server_lines, real_server_needs

LOOKED = {
    "links": [
        {"ifname": "lo", "link_type": "loopback", "flags": ["UP"]},
        {"ifname": "eth0", "link_type": "ether", "flags": ["UP"]},
        {"ifname": "dummy0", "link_type": "ether", "flags": ["NOARP"]},
        {"ifname": "gretap0", "link_type": "ether", "flags": ["BROADCAST"], "linkinfo": {"info_kind": "gretap"}},
        {"ifname": "lvs0", "link_type": "ether", "flags": ["UP", "NOARP"]},
    ],
    "addresses": {"eth0": ["198.51.100.1/24", "203.0.113.1/24", "2001:db8:1::1/64"]},
    "ways": {
        "198.51.100.254": {"device": "eth0", "source": "198.51.100.1", "neighbour": True, "answers": True},
        "2001:db8:1::fe": {"device": "eth0", "source": "2001:db8:1::1", "neighbour": True, "answers": True},
    },
    "sysctls": {"net/ipv4/conf/eth0/arp_ignore": "0", "net/ipv4/ip_forward": "0"},
    "record": {},
    "overriding": [],
    "ssh": 2222,
    "beside": {},
    "backup_only": False,
}
ARP = [
    "sysctl net/ipv4/conf/default/arp_ignore 1",
    "sysctl net/ipv4/conf/default/arp_announce 2",
    "sysctl net/ipv4/conf/eth0/arp_ignore 1",
    "sysctl net/ipv4/conf/eth0/arp_announce 2",
]


def lines(**variables):
    return real_server_lines(real_server_needs(variables), LOOKED)["lines"]


def test_direct_suppresses_arp_before_the_address_is_there():
    assert lines(vips=["192.0.2.1", "2001:DB8::1"]) == [
        *ARP,
        "link add lvs0 type dummy",
        "sysctl net/ipv6/conf/lvs0/addr_gen_mode 1",
        "link set lvs0 up",
        "-4 address add 192.0.2.1/32 dev lvs0",
        "-6 address add 2001:db8::1/128 dev lvs0 nodad",
    ]


def test_chosen_interfaces():
    found = lines(vips=["192.0.2.1"], interfaces=["eth0"])
    assert [line for line in found if line.startswith("sysctl net/ipv4")] == ARP


def _suppressed_among(kind, addresses, **variables):
    port = {"ifname": "port", "link_type": "ether", "flags": ["UP"], "linkinfo": {"info_kind": kind}, "link_netnsid": 0}
    looked = {**LOOKED, "links": [*LOOKED["links"], port], "addresses": {**LOOKED["addresses"], **addresses}}
    found = real_server_lines(real_server_needs({"vips": ["192.0.2.1"], **variables}), looked)["lines"]
    return [line.split("/")[3] for line in found if "/arp_ignore " in line]


@pytest.mark.parametrize("addresses", [{}, {"port": []}, {"port": ["fe80::1/64", "169.254.0.1/32"]}], ids=str)
@pytest.mark.parametrize("kind", ["veth", "tun", "macvtap"])
def test_ways_to_guests_come_and_go_and_are_left_out(kind, addresses):
    assert _suppressed_among(kind, addresses) == ["default", "eth0"]
    assert _suppressed_among(kind, addresses, interfaces=["port"]) == ["default", "port"]


@pytest.mark.parametrize("address", ["198.51.100.2/24", "2001:db8:1::2/64"])
def test_the_interface_of_a_guest_itself_is_as_any_other(address):
    assert _suppressed_among("veth", {"port": [address, "fe80::1/64"]}) == ["default", "eth0", "port"]


@pytest.mark.parametrize("kind", ["bridge", "vlan", "bond"])
def test_what_stays_is_suppressed_without_an_address_too(kind):
    assert _suppressed_among(kind, {}) == ["default", "eth0", "port"]


def test_a_director_for_the_same_address_is_refused_without_backup_only():
    needs = real_server_needs({"vips": ["192.0.2.1", "192.0.2.2"]})
    beside = {"addresses": ["192.0.2.1", "192.0.2.9"]}
    with pytest.raises(InvalidInput) as caught:
        real_server_lines(needs, {**LOOKED, "beside": beside})
    assert [problem.partition(";")[0] for problem in caught.value.problems] == [
        "real_server_vips: this host is a real server for 192.0.2.1 and a director too"
    ]
    assert real_server_lines(needs, {**LOOKED, "beside": beside, "backup_only": True})["lines"]
    assert real_server_lines(needs, {**LOOKED, "beside": {"services": []}})["lines"]


@pytest.mark.parametrize(
    ("declared", "kernel", "on"),
    [({}, "1", True), ({}, "2", True), ({}, "0", False), ({}, None, False)]
    + [({"backup_only": value}, "0", True) for value in (1, "1", True, "yes")]
    + [({"backup_only": value}, "1", False) for value in (0, "0", False, "no", "n", None, "perhaps")],
)
def test_backup_only_is_on_as_declared_and_otherwise_as_it_is(declared, kernel, on):
    found = {**LOOKED, "beside": {"addresses": ["192.0.2.1"]}, "sysctls": {"net/ipv4/vs/backup_only": kernel}}
    del found["backup_only"]
    needs = real_server_needs({"vips": ["192.0.2.1"]})
    if on:
        assert real_server_lines(needs, {**found, **declared})["lines"]
    else:
        with pytest.raises(InvalidInput, match="this host is a real server for"):
            real_server_lines(needs, {**found, **declared})


def test_somebody_else_s_device_with_such_a_name_is_as_any_other():
    other = {"ifname": "lvs-uplink", "link_type": "ether", "flags": ["UP"]}
    found = real_server_lines(real_server_needs({"vips": ["192.0.2.1"]}), {**LOOKED, "links": [other]})
    assert "sysctl net/ipv4/conf/lvs-uplink/arp_ignore 1" in found["lines"]


@pytest.mark.parametrize(
    ("variables", "devices"),
    [
        ({}, ["lvs0"]),
        ({"forwarding": "tunnel", "directors": ["203.0.113.8", "203.0.113.9"]}, ["lvs0", "lvs1"]),
        ({"forwarding": "tunnel"}, []),
        ({"forwarding": "nat", "vips": [], "gateway": ["198.51.100.254"]}, []),
    ],
)
def test_its_own_devices_are_named(variables, devices):
    assert real_server_lines(real_server_needs({"vips": ["192.0.2.1"], **variables}), LOOKED)["devices"] == devices


IGNORE = "net/ipv4/conf/{}/arp_ignore"


def _sysctls(now, recorded, **variables):
    needs = real_server_needs(variables or {"vips": ["192.0.2.1"]})
    now = {IGNORE.format(name): value for name, value in now.items()}
    recorded = {IGNORE.format(name): value for name, value in recorded.items()}
    found = real_server_lines(needs, {**LOOKED, "sysctls": now, "record": {"sysctls": recorded}})
    return [{name.split("/")[3]: value for name, value in found[what].items()} for what in ("found", "back")]


def test_sysctls_are_remembered_as_they_were_before_the_first_run():
    assert _sysctls({"default": "0", "eth0": "0"}, {}) == [{"default": "0", "eth0": "0"}, {}]
    assert _sysctls({"default": "1", "eth0": "1"}, {"default": "0", "eth0": "0"}) == [{"default": "0", "eth0": "0"}, {}]


def test_an_interface_that_came_later_had_what_was_default_before():
    assert _sysctls({"default": "1", "eth0": "1"}, {"default": "0"}) == [{"default": "0", "eth0": "0"}, {}]
    assert _sysctls({"default": "1", "eth0": "8"}, {"default": "0"}) == [{"default": "0", "eth0": "8"}, {}]
    named = {"vips": ["192.0.2.1"], "interfaces": ["eth0"]}  # since a later run: it may have been there all the time
    assert _sysctls({"default": "1", "eth0": "1"}, {"default": "0"}, **named)[0] == {"default": "0", "eth0": "1"}


def test_what_is_no_longer_needed_is_put_back_but_not_where_an_interface_is_away():
    """When that comes again, it would answer for the virtual address."""
    recorded = {"default": "0", "lo": "2", "bond0.100": "0"}
    assert _sysctls({"default": "1"}, recorded) == [recorded, {"lo": "2"}]
    by_nat = {"forwarding": "nat", "vips": [], "gateway": ["198.51.100.254"]}
    assert _sysctls({}, {"default": "0", "eth0": "0"}, **by_nat)[1] == {"default": "0", "eth0": "0"}


def test_a_device_of_the_kernel_s_own_is_loose_only_as_long_as_it_is_used():
    needs = real_server_needs({"forwarding": "tunnel", "vips": ["192.0.2.1"]})
    name = "net/ipv4/conf/tunl0/rp_filter"
    assert needs["sysctls"][name] is None
    for value, remembered in (("0", True), (None, False)):
        found = real_server_lines(needs, {**LOOKED, "sysctls": {name: value}})
        assert f"sysctl {name} 2" in found["lines"]
        assert (name in found["found"]) is remembered


def test_tunnels_of_ipip_take_packets_of_their_directors_only():
    found = lines(forwarding="tunnel", vips=["192.0.2.1"], directors=["203.0.113.8", "203.0.113.9"])
    assert found[len(ARP) :] == [
        "link add lvs0 type ipip remote 203.0.113.8",
        "sysctl net/ipv6/conf/lvs0/addr_gen_mode 1",
        "sysctl net/ipv4/conf/lvs0/rp_filter 2",
        "link set lvs0 up",
        "-4 address add 192.0.2.1/32 dev lvs0",
        "link add lvs1 type ipip remote 203.0.113.9",
        "sysctl net/ipv6/conf/lvs1/addr_gen_mode 1",
        "sysctl net/ipv4/conf/lvs1/rp_filter 2",
        "link set lvs1 up",
        "-4 address add 192.0.2.1/32 dev lvs1",
        "-4 rule add from 192.0.2.1 lookup 4320 priority 4321",
        "-4 rule add lookup main suppress_prefixlength 0 priority 4320",
        "defaults -4 4320 20",
    ]


def test_without_directors_the_kernel_s_own_devices_take_them():
    found = lines(forwarding="tunnel", tunnel_type="gre", vips=["192.0.2.1", "2001:db8::1"])
    assert "link set gre0 up" in found
    assert "link set ip6gre0 up" in found
    assert not [line for line in found if line.startswith("link add")]


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        (
            {"tunnel_type": "gue", "directors": ["203.0.113.8"]},
            ["fou add port 6080 gue", "link add lvs0 type ipip remote 203.0.113.8"],
        ),
        ({"tunnel_type": "gre", "directors": ["203.0.113.8"]}, ["link add lvs0 type gre remote 203.0.113.8"]),
        ({"directors": ["2001:db8::8"]}, ["link add lvs0 type ip6tnl mode any remote 2001:db8::8"]),
        (
            {"tunnel_type": "gue", "tunnel_port": 7000, "directors": ["2001:db8::8"]},
            ["fou add port 7000 gue -6", "link add lvs0 type ip6tnl mode any remote 2001:db8::8"],
        ),
    ],
)
def test_other_tunnels(variables, expected):
    found = lines(forwarding="tunnel", vips=["192.0.2.1"], **variables)
    assert [line for line in found if line.split()[:2] in (["link", "add"], ["fou", "add"])] == expected


def test_a_family_without_a_director_of_its_own_comes_through_the_other():
    found = lines(forwarding="tunnel", vips=["192.0.2.1", "2001:db8::1"], directors=["203.0.113.8"])
    assert "link add lvs1 type sit remote 203.0.113.8" in found
    assert "-6 address add 2001:db8::1/128 dev lvs1 nodad" in found


@pytest.mark.parametrize(
    ("variables", "modules"),
    [
        ({"vips": ["192.0.2.1"]}, ["dummy"]),
        ({"forwarding": "nat", "gateway": ["198.51.100.254"]}, []),
        ({"forwarding": "tunnel", "vips": ["192.0.2.1", "2001:db8::1"]}, ["ip6_tunnel", "ipip"]),
        ({"forwarding": "tunnel", "tunnel_type": "gue", "vips": ["192.0.2.1"]}, ["fou", "ipip"]),
        ({"forwarding": "tunnel", "tunnel_type": "gre", "vips": ["192.0.2.1", "2001:db8::1"]}, ["ip6_gre", "ip_gre"]),
    ],
)
def test_modules(variables, modules):
    assert real_server_needs(variables)["modules"] == modules


def test_nat_leaves_the_default_route_alone():
    assert lines(forwarding="nat", gateway=["198.51.100.254", "2001:db8:1::fe"]) == [
        "sysctl net/ipv4/conf/all/accept_redirects 0",
        "sysctl net/ipv4/conf/eth0/accept_redirects 0",
        "-4 rule add ipproto 6 sport 2222 lookup main priority 4319",
        "-4 route add default via 198.51.100.254 dev eth0 table 4320",
        "-4 rule add lookup main suppress_prefixlength 0 priority 4320",
        "-4 rule add from 198.51.100.1 lookup 4320 priority 4321",
        "-6 rule add ipproto 6 sport 2222 lookup main priority 4319",
        "-6 route add default via 2001:db8:1::fe dev eth0 table 4320",
        "-6 rule add lookup main suppress_prefixlength 0 priority 4320",
        "-6 rule add from 2001:db8:1::1 lookup 4320 priority 4321",
    ]


@pytest.mark.parametrize(
    ("gateway", "addresses", "answering"),
    [
        ("198.51.100.254", ["198.51.100.1/32"], ["198.51.100.1"]),
        ("2001:db8:1::fe", ["2001:db8:1::1/128", "fe80::1/64"], ["2001:db8:1::1"]),
        ("fe80::fe", ["2001:db8:1::1/64", "198.51.100.1/24", "fe80::1/64"], ["2001:db8:1::1"]),
        ("2001:db8:1::fe", ["2001:db8:1::1/64", "2001:db8:2::1/64"], ["2001:db8:1::1"]),
        ("169.254.0.9", ["198.51.100.1/24", "169.254.0.1/16"], ["169.254.0.1"]),
        ("fe80::fe", ["198.51.100.1/24", "fe80::1/64"], None),
    ],
)
def test_what_directors_send_to_is_answered_through_the_gateway(gateway, addresses, answering):
    way = {"device": "eth0", "source": None, "neighbour": True, "answers": True}
    looked = {**LOOKED, "ways": {gateway: way}, "addresses": {"eth0": addresses}}
    needs = real_server_needs({"forwarding": "nat", "gateway": [gateway]})
    if answering:
        found = real_server_lines(needs, looked)["lines"]
        assert [line.split()[4] for line in found if " rule add from " in line] == answering
    else:
        with pytest.raises(
            InvalidInput, match=r"real_server_gateway\[0\]: eth0, which leads to fe80::fe, has no address"
        ):
            real_server_lines(needs, looked)


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"vips": []}, "real_server_vips: is required with direct"),
        ({"forwarding": "tunnel", "vips": []}, "real_server_vips: is required with tunnel"),
        ({"forwarding": "dr"}, "real_server_forwarding: 'dr' is not one of"),
        ({"vips": ["192.0.2.256"]}, "real_server_vips[0]: '192.0.2.256'"),
        ({"vips": ["224.0.0.1"]}, "real_server_vips[0]: '224.0.0.1' is not the address of a host"),
        (
            {"forwarding": "nat", "vips": ["192.0.2.1"], "gateway": ["198.51.100.1"]},
            "real_server_vips: a server behind NAT has none",
        ),
        ({"forwarding": "nat"}, "real_server_gateway: is required with nat"),
        (
            {"forwarding": "nat", "gateway": ["198.51.100.1", "198.51.100.2"]},
            "real_server_gateway: at most one address of each family",
        ),
        ({"gateway": ["198.51.100.1"]}, "real_server_gateway: goes with nat only"),
        ({"directors": ["198.51.100.1"]}, "real_server_directors: goes with tunnel only"),
        ({"tunnel_port": 0}, "real_server_tunnel_port: 0 is not between 1 and 65535"),
        ({"interfaces": ["a/b"]}, "real_server_interfaces: 'a/b' is not the name of a network interface"),
    ],
)
def test_wrong_variables(variables, sentence):
    given = {} if variables.get("forwarding") == "nat" else {"vips": ["192.0.2.1"]}
    with pytest.raises(InvalidInput) as caught:
        real_server_needs({**given, **variables})
    assert [problem.startswith(sentence) for problem in caught.value.problems] == [True]


def test_hosts_that_can_not_be_made_so():
    needs = real_server_needs({"forwarding": "nat", "gateway": ["198.51.100.254", "2001:db8:1::fe"]})
    ways = {
        "198.51.100.254": {"device": "eth0", "source": "198.51.100.1", "neighbour": True, "answers": False},
        "2001:db8:1::fe": {"device": "eth0", "source": None, "neighbour": False, "answers": False},
    }
    with pytest.raises(InvalidInput) as caught:
        real_server_lines(needs, {**LOOKED, "ways": ways, "overriding": ["a file"]})
    first, second, third = caught.value.problems
    assert first == "a file"
    assert second.startswith("real_server_gateway[0]: 198.51.100.254 does not answer on eth0")
    assert third.startswith("real_server_gateway[1]: 2001:db8:1::fe is on none of this host's networks")


def test_interfaces_that_do_not_exist():
    with pytest.raises(InvalidInput, match=r"real_server_interfaces\[0\]: eth9 does not exist; there are lo, eth0"):
        lines(vips=["192.0.2.1"], interfaces=["eth9"])
