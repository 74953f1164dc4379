# Copyright (c) 2026, the linux.lvs contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was asked for on top of what is there: kept, followed, refused, left as it is with a warning; and drains."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.linux.lvs.plugins.module_utils._desired import (
    Desired,
    drain_kinds,
    drain_warnings,
    drained_first,
    merge_server,
    merge_service,
    takeover_warnings,
    with_drained_server,
    with_server,
    with_service,
    without_server,
    without_service,
)
from ansible_collections.linux.lvs.plugins.module_utils._errors import InvalidInput
from ansible_collections.linux.lvs.plugins.module_utils._model import Entry, Server, ServerKey, Service, ServiceKey
from ansible_collections.linux.lvs.plugins.module_utils._options import DrainSpec, ServerSpec, ServiceSpec
from ansible_collections.linux.lvs.plugins.module_utils._plan import REMOVE, make_plan
from ansible_collections.linux.lvs.tests.unit.tables import TABLES, applied, changed_tables
from hypothesis import given
from hypothesis import strategies as st

HTTP = ServiceKey("ipv4", "tcp", "192.0.2.1", 80)
SIP = ServiceKey("ipv4", "udp", "192.0.2.1", 5060)
SCTP = ServiceKey("ipv4", "sctp", "192.0.2.1", 2905)
ALL_PORTS = ServiceKey("ipv4", "tcp", "192.0.2.1", 0)
HTTP6 = ServiceKey("ipv6", "tcp", "2001:db8::1", 80)
MARK = ServiceKey("ipv4", fwmark=7)
HOST, HOST6 = "255.255.255.255", "128"

PLAIN = Service(HTTP, "rr")
FULL = Service(SIP, "sh", frozenset({1, 2, 3}), 600, "255.255.255.0", "sip", True)

# name, what is there, what is given, what becomes of it
SERVICES = (
    ("new one takes the defaults", None, HTTP, {}, Service(HTTP, "wlc")),
    (
        "new one takes what is given",
        None,
        SIP,
        {"scheduler": "mh", "scheduler_flags": {"mh-port"}, "one_packet": True},
        Service(SIP, "mh", frozenset({2}), one_packet=True),
    ),
    ("nothing given keeps everything", FULL, SIP, {}, FULL),
    ("one packet off keeps the rest", FULL, SIP, {"one_packet": False}, FULL._replace(one_packet=False)),
    ("same scheduler keeps its flags", FULL, SIP, {"scheduler": "sh"}, FULL),
    (
        "sh to mh keeps fallback and port",
        FULL,
        SIP,
        {"scheduler": "mh"},
        FULL._replace(scheduler="mh", scheduler_flags=frozenset({1, 2})),
    ),
    (
        "sh to rr drops the flags and keeps the persistence",
        FULL,
        SIP,
        {"scheduler": "rr"},
        FULL._replace(scheduler="rr", scheduler_flags=frozenset()),
    ),
    (
        "new scheduler takes its flags along",
        PLAIN,
        HTTP,
        {"scheduler": "sh", "scheduler_flags": {"sh-port"}},
        Service(HTTP, "sh", frozenset({2})),
    ),
    (
        "flags are replaced and not added",
        FULL,
        SIP,
        {"scheduler_flags": {"sh-port"}},
        FULL._replace(scheduler_flags=frozenset({2})),
    ),
    ("no flags takes all away", FULL, SIP, {"scheduler_flags": set()}, FULL._replace(scheduler_flags=frozenset())),
    (
        "bare names of flags serve any scheduler",
        None,
        HTTP,
        {"scheduler_flags": {"flag-3"}},
        Service(HTTP, "wlc", frozenset({3})),
    ),
    (
        "persistence begins with every client for itself",
        PLAIN,
        HTTP,
        {"persistence_timeout": 60},
        PLAIN._replace(persistence_timeout=60, persistence_netmask=HOST),
    ),
    (
        "persistence begins with every IPv6 client for itself",
        None,
        HTTP6,
        {"persistence_timeout": 60},
        Service(HTTP6, persistence_timeout=60, persistence_netmask=HOST6),
    ),
    (
        "new timeout keeps netmask and engine",
        FULL,
        SIP,
        {"persistence_timeout": 60},
        FULL._replace(persistence_timeout=60),
    ),
    (
        "new netmask keeps timeout and engine",
        FULL,
        SIP,
        {"persistence_netmask": "255.0.0.0"},
        FULL._replace(persistence_netmask="255.0.0.0"),
    ),
    ("empty engine is taken away", FULL, SIP, {"persistence_engine": ""}, FULL._replace(persistence_engine="")),
    (
        "persistence off drops netmask and engine",
        FULL,
        SIP,
        {"persistence_timeout": None},
        FULL._replace(persistence_timeout=None, persistence_netmask=None, persistence_engine=""),
    ),
    (
        "persistence off may say that there is no engine",
        FULL,
        SIP,
        {"persistence_timeout": None, "persistence_engine": ""},
        FULL._replace(persistence_timeout=None, persistence_netmask=None, persistence_engine=""),
    ),
    (
        "port 0 with persistence",
        None,
        ALL_PORTS,
        {"persistence_timeout": 60},
        Service(ALL_PORTS, persistence_timeout=60, persistence_netmask=HOST),
    ),
    (
        "mark may have an engine and one packet",
        None,
        MARK,
        {"persistence_timeout": 60, "persistence_engine": "sip", "one_packet": True},
        Service(MARK, "wlc", frozenset(), 60, HOST, "sip", True),
    ),
)

_SH_TAKES = "which takes flag-1, flag-2, flag-3, sh-fallback, sh-port"
_RR_TAKES = "which takes flag-1, flag-2, flag-3"
SERVICE_ERRORS = (
    (
        "flags of another scheduler",
        FULL,
        SIP,
        {"scheduler_flags": {"mh-port"}},
        [f"scheduler_flags: mh-port is not a flag of scheduler sh, {_SH_TAKES}"],
    ),
    (
        "flags of the scheduler that goes",
        FULL,
        SIP,
        {"scheduler": "rr", "scheduler_flags": {"sh-port"}},
        [f"scheduler_flags: sh-port is not a flag of scheduler rr, {_RR_TAKES}"],
    ),
    (
        "netmask without persistence",
        PLAIN,
        HTTP,
        {"persistence_netmask": "255.0.0.0"},
        ["persistence_netmask: needs persistence_timeout above 0"],
    ),
    (
        "netmask with persistence off",
        FULL,
        SIP,
        {"persistence_timeout": None, "persistence_netmask": "255.0.0.0"},
        ["persistence_netmask: needs persistence_timeout above 0"],
    ),
    (
        "engine without persistence",
        None,
        SIP,
        {"persistence_engine": "sip"},
        ["persistence_engine: needs persistence_timeout above 0"],
    ),
    (
        "engine with persistence off",
        FULL,
        SIP,
        {"persistence_timeout": None, "persistence_engine": "sip"},
        ["persistence_engine: needs persistence_timeout above 0"],
    ),
    (
        "port 0 without persistence",
        None,
        ALL_PORTS,
        {},
        ["port: 0 (all ports) needs a persistent service: give persistence_timeout"],
    ),
    (
        "port 0 whose persistence goes off",
        Service(ALL_PORTS, persistence_timeout=60, persistence_netmask=HOST),
        ALL_PORTS,
        {"persistence_timeout": None},
        ["port: 0 (all ports) needs a persistent service: give persistence_timeout"],
    ),
    (
        "one packet on TCP",
        PLAIN,
        HTTP,
        {"one_packet": True},
        ["one_packet: one-packet scheduling is for protocol udp only, not for tcp"],
    ),
    (
        "everything at once",
        None,
        ALL_PORTS,
        {"persistence_netmask": "255.0.0.0", "persistence_engine": "sip", "one_packet": True},
        [
            "port: 0 (all ports) needs a persistent service: give persistence_timeout",
            "persistence_netmask: needs persistence_timeout above 0",
            "persistence_engine: needs persistence_timeout above 0",
            "persistence_engine: sip works for protocol udp only, not for tcp",
            "one_packet: one-packet scheduling is for protocol udp only, not for tcp",
        ],
    ),
)

RIP = ServerKey("198.51.100.1", 80)
RIP6 = ServerKey("2001:db8::2", 80)
NAT = Server(RIP, "nat", 5, 100, 50)
GUE = Server(RIP, "tunnel", 5, 100, 50, "gue", 6080, "remcsum")
GRE = Server(RIP, "tunnel", 5, 100, 50, "gre", None, "csum")
IPIP = Server(RIP, "tunnel", 5, 100, 50, "ipip")

SERVERS = (
    ("new one takes the defaults", None, HTTP, RIP, {}, Server(RIP, "direct", 1)),
    ("new one may have weight 0", None, HTTP, RIP, {"weight": 0}, Server(RIP, "direct", 0)),
    ("nothing given keeps everything", GUE, HTTP, RIP, {}, GUE),
    ("new weight keeps forwarding and thresholds", NAT, HTTP, RIP, {"weight": 0}, NAT._replace(weight=0)),
    (
        "new forwarding keeps weight and thresholds",
        NAT,
        HTTP,
        RIP,
        {"forwarding": "direct"},
        NAT._replace(forwarding="direct"),
    ),
    (
        "new thresholds keep the weight",
        NAT,
        HTTP,
        RIP,
        {"upper_threshold": 60},
        NAT._replace(upper_threshold=60),
    ),
    ("tunnel is ipip when nothing is said", NAT, HTTP, RIP, {"forwarding": "tunnel"}, IPIP),
    ("leaving the tunnel drops its options", GUE, HTTP, RIP, {"forwarding": "nat"}, NAT),
    (
        "gue without a checksum has none",
        None,
        HTTP,
        RIP,
        {"forwarding": "tunnel", "tunnel_type": "gue", "tunnel_port": 1},
        Server(RIP, "tunnel", tunnel_type="gue", tunnel_port=1, tunnel_checksum="none"),
    ),
    ("gue keeps its checksum", GUE, HTTP, RIP, {"tunnel_port": 1}, GUE._replace(tunnel_port=1)),
    ("gue keeps its port", GUE, HTTP, RIP, {"tunnel_checksum": "none"}, GUE._replace(tunnel_checksum="none")),
    ("gue to gre drops port and remcsum", GUE, HTTP, RIP, {"tunnel_type": "gre"}, GRE._replace(tunnel_checksum="none")),
    (
        "gue to gre keeps csum",
        GUE._replace(tunnel_checksum="csum"),
        HTTP,
        RIP,
        {"tunnel_type": "gre"},
        GRE,
    ),
    (
        "gre to gue keeps csum",
        GRE,
        HTTP,
        RIP,
        {"tunnel_type": "gue", "tunnel_port": 6080},
        GUE._replace(tunnel_checksum="csum"),
    ),
    ("gre to ipip drops the checksum", GRE, HTTP, RIP, {"tunnel_type": "ipip"}, IPIP),
    (
        "tunnel to a server of the other family",
        None,
        HTTP,
        RIP6,
        {"forwarding": "tunnel"},
        Server(RIP6, "tunnel", tunnel_type="ipip"),
    ),
    (
        "nat to another port",
        None,
        HTTP,
        ServerKey("198.51.100.1", 8080),
        {"forwarding": "nat"},
        Server(ServerKey("198.51.100.1", 8080), "nat"),
    ),
    ("mark's own port", None, MARK, ServerKey("198.51.100.1", 0), {}, Server(ServerKey("198.51.100.1", 0))),
    ("equal thresholds", NAT, HTTP, RIP, {"lower_threshold": 100}, NAT._replace(lower_threshold=100)),
)

_OTHER_FAMILY = (
    "address: 2001:db8::2 is not ipv4 as service tcp 192.0.2.1:80 is;"
    " servers of the other family need forwarding tunnel, not {}"
)
_OTHER_PORT = "port: 8080 is not the service's port 80; another port needs forwarding nat, not {}"
SERVER_ERRORS = (
    ("other family directly", None, RIP6, {}, [_OTHER_FAMILY.format("direct")]),
    (
        "other family leaves its tunnel",
        Server(RIP6, "tunnel", tunnel_type="ipip"),
        RIP6,
        {"forwarding": "nat"},
        [_OTHER_FAMILY.format("nat")],
    ),
    ("other port directly", None, ServerKey("198.51.100.1", 8080), {}, [_OTHER_PORT.format("direct")]),
    (
        "other port leaves nat",
        Server(ServerKey("198.51.100.1", 8080), "nat"),
        ServerKey("198.51.100.1", 8080),
        {"forwarding": "tunnel"},
        [_OTHER_PORT.format("tunnel")],
    ),
    (
        "lower above the upper that is there",
        NAT,
        RIP,
        {"lower_threshold": 101},
        ["lower_threshold: 101 is above upper_threshold 100, which was left out"],
    ),
    (
        "upper below the lower that is there",
        NAT,
        RIP,
        {"upper_threshold": 40},
        ["upper_threshold: 40 is below lower_threshold 50, which was left out"],
    ),
    (
        "no limit below the lower that is there",
        NAT,
        RIP,
        {"upper_threshold": 0},
        ["upper_threshold: 0 is below lower_threshold 50, which was left out"],
    ),
    (
        "both, the wrong way round",
        NAT,
        RIP,
        {"upper_threshold": 7, "lower_threshold": 8},
        ["lower_threshold: 8 is above upper_threshold 7"],
    ),
    (
        "lower without a limit",
        None,
        RIP,
        {"lower_threshold": 1},
        ["lower_threshold: 1 is above upper_threshold 0, which was left out"],
    ),
    (
        "tunnel type without tunnel",
        NAT,
        RIP,
        {"tunnel_type": "ipip"},
        ["tunnel_type: needs forwarding tunnel, not nat"],
    ),
    ("tunnel port without tunnel", NAT, RIP, {"tunnel_port": 1}, ["tunnel_port: needs forwarding tunnel, not nat"]),
    (
        "tunnel options while leaving the tunnel",
        GUE,
        RIP,
        {"forwarding": "direct", "tunnel_port": 1, "tunnel_checksum": "csum"},
        ["tunnel_port: needs forwarding tunnel, not direct", "tunnel_checksum: needs forwarding tunnel, not direct"],
    ),
    (
        "tunnel type of the tunnel that is left",
        GUE,
        RIP,
        {"forwarding": "nat", "tunnel_type": "gue"},
        ["tunnel_type: needs forwarding tunnel, not nat"],
    ),
    (
        "gue without port",
        IPIP,
        RIP,
        {"tunnel_type": "gue"},
        ["tunnel_port: tunnel_type gue needs a UDP port between 1 and 65535"],
    ),
    ("port without gue", GRE, RIP, {"tunnel_port": 1}, ["tunnel_port: needs tunnel_type gue, not gre"]),
    (
        "checksum of ipip",
        IPIP,
        RIP,
        {"tunnel_checksum": "none"},
        ["tunnel_checksum: needs tunnel_type gue or gre, not ipip"],
    ),
    (
        "remcsum of gre",
        GRE,
        RIP,
        {"tunnel_checksum": "remcsum"},
        ["tunnel_checksum: remcsum needs tunnel_type gue, not gre; gre takes none, csum"],
    ),
    (
        "everything at once",
        None,
        ServerKey("2001:db8::2", 8080),
        {"lower_threshold": 1, "tunnel_type": "gue"},
        [
            _OTHER_FAMILY.format("direct"),
            _OTHER_PORT.format("direct"),
            "lower_threshold: 1 is above upper_threshold 0, which was left out",
            "tunnel_type: needs forwarding tunnel, not direct",
        ],
    ),
)

# What a kernel may hold and this collection would not create
_GROUP = ServiceKey("ipv4", "tcp", "224.0.0.1", 80)
_NO_CLIENTS = "address: 224.0.0.1 is not a unicast address, so IPVS takes no client's packets for it"
ODD_SERVICES = (
    (Service(_GROUP), _NO_CLIENTS),
    (Service(ALL_PORTS), "port: 0 (all ports) needs a persistent service: give persistence_timeout"),
    (Service(SIP, persistence_engine="sip"), "persistence_engine: needs persistence_timeout above 0"),
    (PLAIN._replace(one_packet=True), "one_packet: one-packet scheduling is for protocol udp only, not for tcp"),
)
ODD_SERVERS = (
    (Server(ServerKey("198.51.100.1", 8080)), _OTHER_PORT.format("direct")),
    (Server(RIP, lower_threshold=5), "lower_threshold: 5 is above upper_threshold 0"),
)


def _ids(cases):
    return [case[0] for case in cases]


def _service_spec(key, given_options):
    options = dict(given_options)
    if "scheduler_flags" in options:
        options["scheduler_flags"] = frozenset(options["scheduler_flags"])
    return ServiceSpec(key, options)


@pytest.mark.parametrize(("name", "current", "key", "options", "merged"), SERVICES, ids=_ids(SERVICES))
def test_service_is_merged(name, current, key, options, merged):
    spec = _service_spec(key, options)
    assert merge_service(spec, current) == merged
    assert merge_service(spec, merged) == merged, "a second run would change it"


@pytest.mark.parametrize(("name", "current", "key", "options", "problems"), SERVICE_ERRORS, ids=_ids(SERVICE_ERRORS))
def test_service_is_refused_with_all_problems(name, current, key, options, problems):
    with pytest.raises(InvalidInput) as caught:
        merge_service(_service_spec(key, options), current, "services[3].")
    assert list(caught.value.problems) == [f"services[3].{problem}" for problem in problems]


@pytest.mark.parametrize(("name", "current", "service", "key", "options", "merged"), SERVERS, ids=_ids(SERVERS))
def test_server_is_merged(name, current, service, key, options, merged):
    spec = ServerSpec(key.address, key.port, options)
    assert merge_server(spec, service, current) == merged
    assert merge_server(spec, service, merged) == merged, "a second run would change it"


@pytest.mark.parametrize(("name", "current", "key", "options", "problems"), SERVER_ERRORS, ids=_ids(SERVER_ERRORS))
def test_server_is_refused_with_all_problems(name, current, key, options, problems):
    with pytest.raises(InvalidInput) as caught:
        merge_server(ServerSpec(key.address, key.port, options), HTTP, current, "services[0].servers[1].")
    assert list(caught.value.problems) == [f"services[0].servers[1].{problem}" for problem in problems]


@pytest.mark.parametrize(("odd", "problem"), ODD_SERVICES, ids=[case[1] for case in ODD_SERVICES])
def test_odd_service_that_would_not_change_is_warned_of_and_not_refused(odd, problem):
    table = {odd.key: Entry(odd, {})}
    desired = with_service(table, ServiceSpec(odd.key, {"scheduler": odd.scheduler}))
    assert desired.table == table
    assert desired.warnings == (f"{odd.key}: the kernel holds it so, left as it is: {problem}",)


@pytest.mark.parametrize(("odd", "problem"), ODD_SERVICES, ids=[case[1] for case in ODD_SERVICES])
def test_odd_service_that_would_change_is_refused(odd, problem):
    with pytest.raises(InvalidInput) as caught:
        with_service({odd.key: Entry(odd, {})}, ServiceSpec(odd.key, {"scheduler": "nq"}))
    assert caught.value.problems == (problem,)


@pytest.mark.parametrize(("odd", "problem"), ODD_SERVERS, ids=[case[1] for case in ODD_SERVERS])
def test_odd_server_that_would_not_change_is_warned_of_and_not_refused(odd, problem):
    table = {HTTP: Entry(PLAIN, {odd.key: odd})}
    desired = with_server(table, HTTP, ServerSpec(odd.key.address, odd.key.port, {"weight": odd.weight}))
    assert desired.table == table
    assert desired.warnings == (f"{HTTP} -> {odd.key}: the kernel holds it so, left as it is: {problem}",)


@pytest.mark.parametrize(("odd", "problem"), ODD_SERVERS, ids=[case[1] for case in ODD_SERVERS])
def test_odd_server_that_would_change_is_refused(odd, problem):
    spec = ServerSpec(odd.key.address, odd.key.port, {"forwarding": "tunnel", "weight": 9})
    with pytest.raises(InvalidInput) as caught:
        with_server({HTTP: Entry(PLAIN, {odd.key: odd})}, HTTP, spec)
    assert caught.value.problems == (problem.replace("not direct", "not tunnel"),)


@pytest.mark.parametrize(("odd", "problem"), ODD_SERVERS, ids=[case[1] for case in ODD_SERVERS])
def test_odd_server_of_which_only_the_weight_would_change_is_warned_of_and_not_refused(odd, problem):
    table = {HTTP: Entry(PLAIN, {odd.key: odd})}
    attributes = {name: getattr(odd, name) for name in ("forwarding", "upper_threshold", "lower_threshold")}
    warnings = (f"{HTTP} -> {odd.key}: the kernel holds it so, left as it is: {problem}",)
    for given_options in ({}, attributes):
        spec = ServerSpec(odd.key.address, odd.key.port, given_options)
        drained = with_drained_server(table, HTTP, spec, DrainSpec())
        assert drained.table[HTTP].servers == {odd.key: odd._replace(weight=0)}
        assert (drained.awaited, drained.warnings) == (((HTTP, odd.key),), warnings)
        back = with_server(drained.table, HTTP, replace(spec, given={**given_options, "weight": 9}))
        assert back.table[HTTP].servers == {odd.key: odd._replace(weight=9)}
        assert back.warnings == warnings


def test_a_checksum_that_only_the_kernel_takes_stays_while_the_tunnel_does():
    odd = Server(RIP, forwarding="tunnel", tunnel_type="gre", tunnel_checksum="remcsum")
    table = {HTTP: Entry(PLAIN, {RIP: odd})}
    drained = with_drained_server(table, HTTP, ServerSpec(RIP.address, RIP.port, {}), DrainSpec())
    assert drained.table[HTTP].servers == {RIP: odd._replace(weight=0)}
    other = with_server(table, HTTP, ServerSpec(RIP.address, RIP.port, {"tunnel_type": "gue", "tunnel_port": 6080}))
    assert other.table[HTTP].servers[RIP].tunnel_checksum == "remcsum"
    with pytest.raises(InvalidInput, match="remcsum needs tunnel_type gue"):
        with_server(table, HTTP, ServerSpec(RIP.address, RIP.port, {"upper_threshold": 9}))


def test_service_keeps_its_servers_and_the_others():
    table = {HTTP: Entry(PLAIN, {RIP: NAT}), MARK: Entry(Service(MARK), {})}
    desired = with_service(table, ServiceSpec(HTTP, {"scheduler": "wlc"}))
    assert desired == Desired({**table, HTTP: Entry(PLAIN._replace(scheduler="wlc"), {RIP: NAT})})


def test_absent_service_goes_alone():
    table = {HTTP: Entry(PLAIN, {RIP: NAT}), MARK: Entry(Service(MARK), {})}
    assert without_service(table, HTTP) == Desired({MARK: table[MARK]})
    assert without_service(table, SIP) == Desired(table)


def test_server_keeps_its_service_and_the_others():
    other = Server(ServerKey("198.51.100.2", 80), "nat")
    table = {HTTP: Entry(PLAIN, {RIP: NAT, other.key: other}), MARK: Entry(Service(MARK), {})}
    desired = with_server(table, HTTP, ServerSpec(RIP.address, None, {"weight": 0}))
    expected = Entry(PLAIN, {RIP: NAT._replace(weight=0), other.key: other})
    assert desired == Desired({**table, HTTP: expected})


def test_server_of_a_missing_service_is_refused_and_the_service_named():
    with pytest.raises(InvalidInput) as caught:
        with_server({}, HTTP, ServerSpec(RIP.address, None, {}))
    assert caught.value.problems == (
        "service: tcp 192.0.2.1:80 does not exist; create it first (linux.lvs.ipvs_service)",
    )


@pytest.mark.parametrize("check", [False, True])
def test_a_missing_service_that_can_not_be_created_is_not_asked_for(check):
    with pytest.raises(InvalidInput) as caught:
        with_server({}, _GROUP, ServerSpec("198.51.100.1", 8080, {}), assume_service=check)
    assert caught.value.problems == (f"service.{_NO_CLIENTS}", _OTHER_PORT.format("direct"))


def test_a_service_that_would_not_be_created_takes_servers_where_the_kernel_holds_it():
    desired = with_server({_GROUP: Entry(Service(_GROUP), {})}, _GROUP, ServerSpec(RIP.address, None, {}))
    assert desired.table[_GROUP].servers == {RIP: Server(RIP)}


def test_check_mode_assumes_a_missing_service_with_a_warning():
    desired = with_server({}, HTTP, ServerSpec(RIP.address, None, {}), assume_service=True)
    assert desired.table == {HTTP: Entry(Service(HTTP), {RIP: Server(RIP)})}
    assert desired.warnings == (
        "service: tcp 192.0.2.1:80 does not exist; assuming that an earlier task creates it in a real run",
    )


# Whether the service is one-packet, how each server is forwarded to, and who is warned of
ONE_PACKET = (
    (True, ("nat", "nat"), ("198.51.100.1:5060", "198.51.100.2:5060")),
    (True, ("nat", "direct"), ("198.51.100.1:5060",)),
    (True, ("direct", "tunnel"), ()),
    (False, ("nat", "nat"), ()),
)


@pytest.mark.parametrize(("one_packet", "forwardings", "warned"), ONE_PACKET, ids=str)
def test_one_packet_with_masqueraded_servers_is_warned_of(one_packet, forwardings, warned):
    names = [ServerKey(f"198.51.100.{number}", 5060) for number in (1, 2)]
    kinds = {"nat": None, "direct": None, "tunnel": "ipip"}
    servers = {
        name: Server(name, forwarding, tunnel_type=kinds[forwarding]) for name, forwarding in zip(names, forwardings)
    }
    table = {SIP: Entry(Service(SIP, one_packet=one_packet), servers)}
    sentence = (
        f"one_packet: replies of masqueraded servers ({', '.join(warned)}) leave with the server's own address"
        " instead of udp 192.0.2.1:5060's; use forwarding direct or tunnel"
    )
    assert with_service(table, ServiceSpec(SIP, {})).warnings == ((sentence,) if warned else ())
    for name in names:
        concerned = servers[name].forwarding == "nat" and warned
        assert with_server(table, SIP, ServerSpec(name.address, None, {})).warnings == (
            (sentence,) if concerned else ()
        )


# Weights of the server in question and of the others, minimum_active, and how many others are active when refused
MINIMUM = (
    (1, (), 0, None),
    (1, (), 1, 0),
    (1, (0, 0), 1, 0),
    (1, (1, 0), 1, None),
    (1, (1, 5), 3, 2),
    (1, (1, 5), 2, None),
)


@pytest.mark.parametrize(("weight", "others", "minimum", "left"), MINIMUM, ids=str)
@pytest.mark.parametrize("verb", ["remove", "drain"])
def test_minimum_active_counts_the_others_that_have_weight(verb, weight, others, minimum, left):
    names = [ServerKey(f"198.51.100.{number}", 80) for number in range(1, len(others) + 2)]
    weights = (weight, *others)
    table = {HTTP: Entry(PLAIN, {name: Server(name, weight=value) for name, value in zip(names, weights)})}
    if left is None:
        assert _taken_away(verb, table, minimum).table != table
        return
    with pytest.raises(InvalidInput) as caught:
        _taken_away(verb, table, minimum)
    assert str(caught.value) == (
        f"minimum_active: refused to {verb} 198.51.100.1:80: {left} other servers of tcp 192.0.2.1:80 have a weight"
        f" above 0, and {minimum} must be left"
    )


def _taken_away(verb, table, minimum):
    drain = DrainSpec(minimum_active=minimum)
    if verb == "remove":
        return without_server(table, HTTP, RIP, drain)
    return with_drained_server(table, HTTP, ServerSpec(RIP.address, None, {}), drain)


@pytest.mark.parametrize("table", [{}, {HTTP: Entry(PLAIN, {})}], ids=["no service", "no server"])
@pytest.mark.parametrize("verb", ["remove", "drain"])
def test_minimum_active_is_not_asked_of_a_missing_server(verb, table):
    assert _taken_away(verb, table, 5) == Desired(table)


def test_minimum_active_is_not_asked_when_the_server_is_drained_already():
    table = {HTTP: Entry(PLAIN, {RIP: NAT._replace(weight=0)})}
    assert _taken_away("drain", table, 5) == Desired(table, awaited=((HTTP, RIP),))


def test_absent_server_goes_alone():
    other = Server(ServerKey("198.51.100.2", 80), "nat")
    table = {HTTP: Entry(PLAIN, {RIP: NAT, other.key: other})}
    assert without_server(table, HTTP, RIP, DrainSpec()) == Desired({HTTP: Entry(PLAIN, {other.key: other})})


def test_drained_server_has_weight_0_keeps_the_rest_and_is_awaited():
    desired = with_drained_server(
        {HTTP: Entry(PLAIN, {RIP: NAT})}, HTTP, ServerSpec(RIP.address, None, {}), DrainSpec()
    )
    assert desired == Desired({HTTP: Entry(PLAIN, {RIP: NAT._replace(weight=0)})}, awaited=((HTTP, RIP),))


def test_drained_server_may_change_otherwise():
    spec = ServerSpec(RIP.address, None, {"upper_threshold": 70})
    desired = with_drained_server({HTTP: Entry(PLAIN, {RIP: NAT})}, HTTP, spec, DrainSpec())
    assert desired.table[HTTP].servers[RIP] == NAT._replace(weight=0, upper_threshold=70)


TCP_P, UDP_P = PLAIN._replace(persistence_timeout=60), Service(SIP, persistence_timeout=60)
MARK_P = Service(MARK, persistence_timeout=60)
# service, drain_wait_for, expire_quiescent_template, kinds
KINDS = (
    ("TCP", PLAIN, None, False, ("active",)),
    ("SCTP", Service(SCTP), None, False, ("active",)),
    ("UDP", Service(SIP), None, False, ("inactive",)),
    ("mark", Service(MARK), None, False, ("active", "inactive")),
    ("persistent TCP", TCP_P, None, False, ("active", "persistent")),
    ("persistent UDP", UDP_P, None, False, ("inactive", "persistent")),
    ("persistent mark", MARK_P, None, False, ("active", "inactive", "persistent")),
    ("persistent TCP whose templates expire", TCP_P, None, True, ("active",)),
    ("persistent mark whose templates expire", MARK_P, None, True, ("active", "inactive")),
    ("what was asked for", TCP_P, ("inactive",), False, ("inactive",)),
    ("protocol of the kernel's own", Service(HTTP._replace(protocol="protocol-47")), None, False, ("active",)),
)


@pytest.mark.parametrize(("name", "service", "wait_for", "expire", "kinds"), KINDS, ids=_ids(KINDS))
def test_kinds_of_connections_to_wait_for(name, service, wait_for, expire, kinds):
    assert drain_kinds(service, wait_for, expire) == kinds


_REFUSED = "clients whose server is drained are refused instead of sent to another one"
_COMING = (
    "tcp 192.0.2.1:80 is persistent and net.ipv4.vs.expire_quiescent_template is 0: known clients keep coming to a"
    " server with weight 0 until their persistence ends; set the sysctl to 1 to move them"
)
DRAIN_WARNINGS = (
    ("rr", PLAIN, False, ()),
    ("sh", Service(HTTP, "sh"), False, (f"tcp 192.0.2.1:80 uses scheduler sh without sh-fallback: {_REFUSED}",)),
    (
        "sh-port",
        Service(HTTP, "sh", frozenset({2})),
        True,
        (f"tcp 192.0.2.1:80 uses scheduler sh without sh-fallback: {_REFUSED}",),
    ),
    ("sh-fallback", Service(HTTP, "sh", frozenset({1})), False, ()),
    ("mh", Service(HTTP, "mh"), False, (f"tcp 192.0.2.1:80 uses scheduler mh without mh-fallback: {_REFUSED}",)),
    ("mh-fallback", Service(HTTP, "mh", frozenset({1, 2})), False, ()),
    ("dh", Service(HTTP, "dh"), False, (f"tcp 192.0.2.1:80 uses scheduler dh: {_REFUSED}",)),
    (
        "dh with a flag",
        Service(HTTP, "dh", frozenset({1})),
        False,
        (f"tcp 192.0.2.1:80 uses scheduler dh: {_REFUSED}",),
    ),
    ("persistent", TCP_P, False, (_COMING,)),
    ("persistent whose templates expire", TCP_P, True, ()),
    (
        "persistent dh",
        TCP_P._replace(scheduler="dh"),
        False,
        (_COMING, f"tcp 192.0.2.1:80 uses scheduler dh: {_REFUSED}"),
    ),
)


@pytest.mark.parametrize(("name", "service", "expire", "warnings"), DRAIN_WARNINGS, ids=_ids(DRAIN_WARNINGS))
def test_what_a_drain_does_to_clients_is_warned_of(name, service, expire, warnings):
    assert drain_warnings(service, expire) == warnings


WIDER = HTTP._replace(port=0)
ACTIVE, IDLE = {RIP: NAT}, {RIP: NAT._replace(weight=0)}
# what goes, what is left, and whether that would take the clients at once
TAKEOVERS = (
    ("all ports", HTTP, {WIDER: ACTIVE}, True),
    ("all ports without a server that takes any", HTTP, {WIDER: IDLE}, False),
    ("all ports without servers", HTTP, {WIDER: {}}, False),
    ("another protocol", HTTP, {WIDER._replace(protocol="udp"): ACTIVE}, False),
    ("another address", HTTP, {WIDER._replace(address="192.0.2.9"): ACTIVE}, False),
    ("another port", HTTP, {HTTP._replace(port=81): ACTIVE}, False),
    ("the service stays", HTTP, {WIDER: ACTIVE, HTTP: ACTIVE}, False),
    ("all ports go", WIDER, {HTTP: ACTIVE}, False),
    ("a mark", MARK, {WIDER: ACTIVE}, False),
)


@pytest.mark.parametrize(("name", "key", "left", "warned"), TAKEOVERS, ids=_ids(TAKEOVERS))
def test_clients_that_another_service_would_take_at_once_are_warned_of(name, key, left, warned):
    desired = {other: Entry(Service(other), servers) for other, servers in left.items()}
    sentence = (
        "tcp 192.0.2.1:80 is drained before it goes: for up to 60 s its new clients are refused instead of sent to"
        " tcp 192.0.2.1:0, which takes them at once where drain_timeout is 0"
    )
    assert takeover_warnings(key, desired, 60) == ((sentence,) if warned else ())


@st.composite
def _pairs(draw):
    table = draw(TABLES)
    return table, draw(changed_tables(table))


@given(_pairs())
def test_drained_first_has_all_that_is_kept_as_desired_and_all_that_goes_at_weight_0(pair):
    current, desired = pair
    middle, awaited = drained_first(current, desired)
    assert set(middle) == set(current) | set(desired)
    for key, entry in middle.items():
        kept = desired[key].servers if key in desired else {}
        going = (
            {name: server for name, server in current[key].servers.items() if name not in kept}
            if key in current
            else {}
        )
        assert entry.service == (desired if key in desired else current)[key].service
        assert entry.servers == {**kept, **{name: server._replace(weight=0) for name, server in going.items()}}
        assert {name for service, name in awaited if service == key} == set(going)
    assert len(awaited) == len(set(awaited))


@given(_pairs())
def test_nothing_is_removed_before_the_wait_and_only_removals_come_after(pair):
    current, desired = pair
    middle, awaited = drained_first(current, desired)
    first, second = make_plan(current, middle), make_plan(middle, desired)
    assert not [operation for operation in first if operation.verb == REMOVE]
    assert not [operation for operation in second if operation.verb != REMOVE]
    assert applied(applied(current, first), second) == desired
    assert bool(awaited) == any(
        name not in (desired[key].servers if key in desired else {}) for key in current for name in current[key].servers
    )


def test_servers_are_awaited_in_their_order():
    names = [ServerKey(f"198.51.100.{number}", 80) for number in (10, 9)]
    current = {key: Entry(Service(key), {name: Server(name) for name in names}) for key in (MARK, HTTP)}
    assert drained_first(current, {})[1] == tuple((key, name) for key in (HTTP, MARK) for name in reversed(names))
