# Copyright (c) 2026, the linux.lvs contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever the kernel holds can be gathered and declared again, also what this collection would not create."""

from __future__ import annotations

import pytest
from ansible_collections.linux.lvs.plugins.module_utils._model import Server, ServerKey, Service, ServiceKey
from helpers import failed, ok, put, seen, warned

HTTP = {"address": "192.0.2.1", "port": 80}
TCP = ServiceKey("ipv4", "tcp", "192.0.2.1", 80)
UDP = ServiceKey("ipv4", "udp", "192.0.2.1", 5060)
ALL_PORTS = ServiceKey("ipv4", "tcp", "192.0.2.1", 0)
OTHER_PROTOCOL = ServiceKey("ipv4", "protocol-47", "192.0.2.1", 80)
MARK = ServiceKey("ipv6", fwmark=4294967295)
ANYWHERE = ServiceKey("ipv6", "udp", "::", 9)
GROUP = ServiceKey("ipv4", "tcp", "224.0.0.1", 80)
BROADCAST = ServiceKey("ipv4", "sctp", "255.255.255.255", 80)
RIP, RIP6 = ServerKey("198.51.100.1", 80), ServerKey("2001:db8:1::1", 80)
HOST = "255.255.255.255"


def persistent(key, timeout, **options):
    return Service(key, "rr", persistence_timeout=timeout, persistence_netmask=HOST, **options)


# What is in the kernel, and the path of the first warning about it
ODD = {
    "direct server on another port": (
        [(TCP, Service(TCP)), (TCP, Server(ServerKey(RIP.address, 81)))],
        "services[0].servers[0]",
    ),
    "tunnel server on another port": (
        [(TCP, Service(TCP)), (TCP, Server(ServerKey(RIP.address, 81), "tunnel", tunnel_type="ipip"))],
        "services[0].servers[0]",
    ),
    "port 0 without persistence": (
        [(ALL_PORTS, Service(ALL_PORTS, "rr")), (ALL_PORTS, Server(ServerKey(RIP.address, 0)))],
        "services[0]",
    ),
    "protocol 47": (
        [(OTHER_PROTOCOL, Service(OTHER_PROTOCOL, "rr")), (OTHER_PROTOCOL, Server(RIP, weight=3))],
        "services[0]",
    ),
    "one-packet on TCP": ([(TCP, Service(TCP, one_packet=True))], "services[0]"),
    "engine on TCP": ([(TCP, persistent(TCP, 60, persistence_engine="sip"))], "services[0]"),
    "engine without persistence": ([(UDP, Service(UDP, persistence_engine="sip"))], "services[0]"),
    "persistent for more than a month": ([(TCP, persistent(TCP, 2678401))], None),
    "persistent for ever": ([(MARK, Service(MARK, persistence_timeout=4294967295, persistence_netmask="1"))], None),
    "forwarding local": ([(TCP, Service(TCP)), (TCP, Server(RIP, "local"))], "services[0].servers[0]"),
    "forwarding bypass": ([(TCP, Service(TCP)), (TCP, Server(RIP, "bypass"))], "services[0].servers[0]"),
    "forwarding 7": ([(TCP, Service(TCP)), (TCP, Server(RIP, "forwarding-7"))], "services[0].servers[0]"),
    "tunnel type 3": (
        [(TCP, Service(TCP)), (TCP, Server(RIP, "tunnel", tunnel_type="type-3"))],
        "services[0].servers[0]",
    ),
    "remote checksum of gre": (
        [(TCP, Service(TCP)), (TCP, Server(RIP, "tunnel", tunnel_type="gre", tunnel_checksum="remcsum"))],
        "services[0].servers[0]",
    ),
    "a mark with a server on a port": (
        [(MARK, Service(MARK)), (MARK, Server(RIP6, "direct", 2))],
        "services[0].servers[0]",
    ),
    "all addresses": ([(ANYWHERE, Service(ANYWHERE, "rr")), (ANYWHERE, Server(RIP6, "nat"))], "services[0]"),
    "a group": ([(GROUP, Service(GROUP))], "services[0]"),
    "broadcast": ([(BROADCAST, Service(BROADCAST))], "services[0]"),
}


@pytest.mark.parametrize(("entries", "path"), ODD.values(), ids=ODD)
def test_what_was_gathered_changes_nothing(netns, quick, entries, path):
    put(netns, *entries)
    before = seen(netns)
    assert len(before.save) == len(entries)
    gathered = ok(quick("ipvs_table", state="gathered"))["gathered"]
    assert gathered == ok(quick("ipvs_info", gather=["services"]))["services"]
    for state in ("merged", "replaced", "overridden"):
        result = ok(quick("ipvs_table", state=state, services=gathered))
        assert (result["changed"], result["commands"]) == (False, []), state
        told = [warning.partition(": ")[0] for warning in warned(result)]
        assert told == ([] if path is None else [path] * len(told)), state
        assert bool(told) is (path is not None), state
        assert all("the kernel holds it so, left as it is" in warning for warning in warned(result))
    assert seen(netns) == before


def test_what_was_gathered_changes_nothing_of_all_of_them_together(netns, quick):
    for number, (entries, _path) in enumerate(ODD.values(), 1):
        put(netns, *((_moved(key, number), _moved(entry, number)) for key, entry in entries))
    before = seen(netns)
    assert len(before.save) == sum(len(entries) for entries, _path in ODD.values())
    gathered = ok(quick("ipvs_table", state="gathered"))["gathered"]
    result = ok(quick("ipvs_table", state="overridden", services=gathered))
    assert (result["changed"], seen(netns)) == (False, before)


def _moved(noun, number):
    """To a service of its own, so that all stand side by side."""
    if isinstance(noun, Server):
        return noun
    if isinstance(noun, Service):
        return noun._replace(key=_moved(noun.key, number))
    if noun.fwmark:
        return noun._replace(fwmark=number)
    return noun._replace(address=f"203.0.113.{number}" if noun.family == "ipv4" else f"2001:db8::{number}")


def test_checksum_that_nobody_knows_is_left(netns, quick):
    """ipvsadm -S crashes over it."""
    server = Server(RIP, "tunnel", tunnel_type="gre", tunnel_checksum="flags-3")
    put(netns, (TCP, Service(TCP)), (TCP, server))
    gathered = ok(quick("ipvs_table", state="gathered"))["gathered"]
    assert gathered[0]["servers"][0]["tunnel_checksum"] == "flags-3"
    result = ok(quick("ipvs_table", state="overridden", services=gathered))
    assert (result["changed"], result["commands"]) == (False, [])
    servers = [{"address": RIP.address, "tunnel_checksum": "csum"}]
    assert ok(quick("ipvs_table", services=[{**HTTP, "servers": servers}]))["changed"] is True
    assert netns.save()[1] == "-a -t 192.0.2.1:80 -r 198.51.100.1:80 -i -w 1 --tun-type gre --tun-csum"


@pytest.mark.parametrize(
    ("entries", "path"), [case for case in ODD.values() if case[1]], ids=[name for name in ODD if ODD[name][1]]
)
def test_what_makes_no_sense_is_refused_where_it_is_not_there(netns, make_netns, quick, entries, path):
    put(netns, *entries)
    gathered = ok(quick("ipvs_table", state="gathered"))["gathered"]
    other = make_netns()
    assert failed(quick("ipvs_table", netns=other.name, services=gathered)).startswith(f"{path}.")
    assert other.save() == []


def test_odd_entries_go_when_they_are_not_listed(netns, quick):
    put(netns, *ODD["protocol 47"][0], *ODD["forwarding 7"][0])
    result = ok(quick("ipvs_table", state="overridden", services=[{"fwmark": 1}]))
    assert netns.save() == ["-A -f 1 -s wlc"]
    assert warned(result) == ["commands: ipvsadm has no word for protocol-47 (remove protocol-47 192.0.2.1:80)"]


def test_odd_entries_beside_do_not_stand_in_the_way(netns, quick):
    put(netns, *ODD["protocol 47"][0], *ODD["forwarding 7"][0])
    before = seen(netns).save
    ok(quick("ipvs_table", services=[{**HTTP, "servers": [{"address": "198.51.100.2"}]}, {"fwmark": 1}]))
    added = ("-A -f 1 -s wlc", "-a -t 192.0.2.1:80 -r 198.51.100.2:80 -g -w 1")
    assert seen(netns).save == tuple(sorted([*before, *added]))


@pytest.mark.parametrize("exclude", [[], [{"fwmark": 7}]], ids=["", "the first one is excluded"])
def test_persistence_of_0_seconds_is_warned_of_with_its_path(netns, quick, exclude):
    """No option can say it: 0 is not persistent. Declared as it was gathered it becomes that, and nothing else does."""
    first = ServiceKey("ipv4", fwmark=7)
    put(netns, (first, Service(first)), (UDP, persistent(UDP, 0, persistence_engine="sip")), (TCP, Service(TCP)))
    before = seen(netns)
    result = ok(quick("ipvs_table", state="gathered", exclude=exclude))
    number = [service.get("port") for service in result["gathered"]].index(5060)
    assert warned(result) == [
        f"services[{number}].persistence_timeout: udp 192.0.2.1:5060 is persistent for 0 s, which no option can say:"
        " declared again it would not be persistent"
    ]
    assert seen(netns) == before
    result = ok(quick("ipvs_table", state="overridden", services=result["gathered"], exclude=exclude))
    assert result["commands"] == [f"ip netns exec {netns.name} ipvsadm -E -u 192.0.2.1:5060 -s rr"]
    assert netns.save() == ["-A -f 7 -s wlc", "-A -t 192.0.2.1:80 -s wlc", "-A -u 192.0.2.1:5060 -s rr"]


def test_ipvs_info_warns_of_persistence_of_0_seconds_too(netns, quick):
    put(netns, (UDP, persistent(UDP, 0)))
    result = ok(quick("ipvs_info"))
    assert (warned(result), result["services"][0]["persistence_timeout"]) == (
        [
            "services[0].persistence_timeout: udp 192.0.2.1:5060 is persistent for 0 s, which no option can say: declared"
            " again it would not be persistent"
        ],
        0,
    )


def test_persistence_of_0_seconds_is_left_where_it_is_left_out(netns, quick):
    put(netns, (UDP, persistent(UDP, 0)))
    before = seen(netns)
    services = [{"address": "192.0.2.1", "port": 5060, "protocol": "udp"}]
    assert ok(quick("ipvs_table", services=services))["changed"] is False
    assert seen(netns) == before
