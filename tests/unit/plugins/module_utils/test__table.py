# Copyright (c) 2026, the linux.lvs contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole table: read with the path of every problem, each state's scope, what is left alone, what is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.linux.lvs.plugins.module_utils._errors import InvalidInput
from ansible_collections.linux.lvs.plugins.module_utils._ipvsadm import parse, render
from ansible_collections.linux.lvs.plugins.module_utils._model import (
    SERVER_ATTRIBUTES,
    SERVICE_ATTRIBUTES,
    Entry,
    Server,
    ServerKey,
    Service,
    ServiceKey,
    table_to_options,
)
from ansible_collections.linux.lvs.plugins.module_utils._options import Reader
from ansible_collections.linux.lvs.plugins.module_utils._plan import make_plan
from ansible_collections.linux.lvs.plugins.module_utils._table import (
    SCOPES,
    TableSpec,
    declared,
    read_entries,
    read_exclude,
    refuse_excluded,
    refuse_unsafe,
    undeclarable,
    with_table,
    without_excluded,
)
from ansible_collections.linux.lvs.tests.unit.tables import TABLES, changed_tables
from hypothesis import given
from hypothesis import strategies as st

HTTP = ServiceKey("ipv4", "tcp", "192.0.2.1", 80)
SIP = ServiceKey("ipv4", "udp", "192.0.2.1", 5060)
MARK = ServiceKey("ipv4", fwmark=7)
MARK6 = ServiceKey("ipv6", fwmark=7)
RIP = ServerKey("198.51.100.1", 80)
VIP = {"address": "192.0.2.1", "port": 80}
_SERVICE_TAKES = (
    "there are address, port, protocol, fwmark, family, scheduler, scheduler_flags, persistence_timeout,"
    " persistence_netmask, persistence_engine, one_packet, servers"
)
_SERVER_TAKES = (
    "there are address, port, forwarding, weight, upper_threshold, lower_threshold, tunnel_type, tunnel_port,"
    " tunnel_checksum"
)

# What was given for services, and all that is wrong with it
PROBLEMS = {
    "no list": ("all", ["services: 'all' is not a list"]),
    "a dictionary": ({"a": 1}, ["services: {'a': 1} is not a list"]),
    "no dictionary": (
        [VIP, "web", None],
        ["services[1]: 'web' is not a dictionary", "services[2]: None is not a dictionary"],
    ),
    "an unknown option of a service": (
        [VIP, {"fwmark": 1, "name": "web", "schedular": "rr"}],
        [
            f"services[1].name: is not an option here; {_SERVICE_TAKES}",
            f"services[1].schedular: is not an option here; {_SERVICE_TAKES}",
        ],
    ),
    "state is no option of an entry": (
        [{**VIP, "state": "absent", "servers": [{"address": "198.51.100.1", "state": "absent"}]}],
        [
            f"services[0].state: is not an option here; {_SERVICE_TAKES}",
            f"services[0].servers[0].state: is not an option here; {_SERVER_TAKES}",
        ],
    ),
    "a service without an identity": (
        [{}, {"scheduler": "rr"}],
        [
            "services[0].address: is required, with port; or fwmark instead of both",
            "services[1].address: is required, with port; or fwmark instead of both",
        ],
    ),
    "servers that are no list": ([{**VIP, "servers": "web1"}], ["services[0].servers: 'web1' is not a list"]),
    "a server that is no dictionary": (
        [{**VIP, "servers": ["198.51.100.1"]}],
        ["services[0].servers[0]: '198.51.100.1' is not a dictionary"],
    ),
    "wrong values of services and of servers": (
        [
            {**VIP, "scheduler": "No!", "servers": [{"address": "198.51.100.1", "weight": 3000000000}, {"weight": -1}]},
            {"fwmark": 0, "servers": [{"address": "198.51.100.1", "upper_threshold": "x"}]},
        ],
        [
            "services[0].scheduler: 'No!' is not a name of 1 to 15 characters out of a-z, 0-9, - and _",
            "services[0].servers[0].weight: 3000000000 is not between 0 and 2147483647",
            "services[0].servers[1].address: is required",
            "services[0].servers[1].weight: -1 is not between 0 and 2147483647",
            "services[1].fwmark: 0 is not between 1 and 4294967295",
            "services[1].servers[0].upper_threshold: 'x' is not a whole number between 0 and 2147483647",
        ],
    ),
    "one service in two spellings": (
        [{"address": "2001:db8::1", "port": 80}, VIP, {"address": "2001:0db8:0::1", "port": "80", "protocol": "tcp"}],
        ["services[2]: tcp [2001:db8::1]:80 is the same service as services[0]"],
    ),
    "a mark three times": (
        [{"fwmark": 7}, {"fwmark": "7", "family": "ipv4"}, {"fwmark": 7, "scheduler": "rr"}],
        [
            "services[1]: fwmark 7 (ipv4) is the same service as services[0]",
            "services[2]: fwmark 7 (ipv4) is the same service as services[0]",
        ],
    ),
    "one server in two spellings": (
        [
            {
                "address": "2001:db8::1",
                "port": 80,
                "servers": [{"address": "2001:db8::9"}, {"address": "[2001:DB8:0::9]", "port": 80, "weight": 3}],
            }
        ],
        ["services[0].servers[1]: [2001:db8::9]:80 is the same server as services[0].servers[0]"],
    ),
    "duplicates of a service that has a wrong value": (
        [
            VIP,
            {
                **VIP,
                "scheduler": "No!",
                "servers": [{"address": "198.51.100.1"}, {"address": "198.51.100.1", "port": 80}],
            },
        ],
        [
            "services[1].scheduler: 'No!' is not a name of 1 to 15 characters out of a-z, 0-9, - and _",
            "services[1].servers[1]: 198.51.100.1:80 is the same server as services[1].servers[0]",
            "services[1]: tcp 192.0.2.1:80 is the same service as services[0]",
        ],
    ),
}

# What looks alike and is not
NO_DUPLICATES = {
    "a mark in both families": [{"fwmark": 7}, {"fwmark": 7, "family": "ipv6"}],
    "a port of two protocols": [VIP, {**VIP, "protocol": "udp"}, {**VIP, "protocol": "sctp"}],
    "a server on two ports": [
        {**VIP, "servers": [{"address": "198.51.100.1"}, {"address": "198.51.100.1", "port": 81}]}
    ],
    "an address mapped into IPv6": [VIP, {"address": "::ffff:192.0.2.1", "port": 80}],
}


def _entries(value):
    problems = []
    entries = read_entries(value, "services", problems)
    assert problems == []
    return tuple(entries)


def _exclusions(value):
    problems = []
    return read_exclude(Reader({"exclude": value}, "", problems)), problems


def _spec(state, services, exclude=(), **options):
    entries = None if services is None else _entries(services)
    actions = ("add", "update", "remove")
    return TableSpec(
        SCOPES[state], entries, exclude=_exclusions(list(exclude))[0], **{"allowed_actions": actions, **options}
    )


def _become(state, current, services, **options):
    return render(with_table(parse(current), _spec(state, services, **options)).table)


@pytest.mark.parametrize(("value", "expected"), PROBLEMS.values(), ids=PROBLEMS)
def test_every_problem_is_told_with_its_path(value, expected):
    problems = []
    read_entries(value, "services", problems)
    assert problems == expected


@pytest.mark.parametrize("value", NO_DUPLICATES.values(), ids=NO_DUPLICATES)
def test_different_entries_are_no_duplicates(value):
    assert len(_entries(value)) == len(value)


def test_null_is_left_out():
    nulls = dict.fromkeys((*SERVICE_ATTRIBUTES, "protocol", "fwmark", "family", "servers"))
    (entry,) = _entries([{**VIP, **nulls}])
    assert (entry.path, entry.service.key, dict(entry.service.given), entry.servers) == ("services[0]", HTTP, {}, None)
    (entry,) = _entries(
        [{**VIP, "servers": [{"address": "198.51.100.1", **dict.fromkeys(("port", *SERVER_ATTRIBUTES))}]}]
    )
    ((path, server),) = entry.servers
    assert (path, server.key(HTTP), dict(server.given)) == ("services[0].servers[0]", RIP, {})


def test_text_of_templates_is_understood():
    (entry,) = _entries(
        [
            {
                "address": " 192.0.2.1 ",
                "port": "80",
                "one_packet": "no",
                "servers": [{"address": "198.51.100.1", "weight": "3"}],
            }
        ]
    )
    assert (entry.service.key, entry.service.given, entry.servers[0][1].given) == (
        HTTP,
        {"one_packet": False},
        {"weight": 3},
    )


def test_servers_left_out_are_not_managed_and_an_empty_list_is_none():
    assert [entry.servers for entry in _entries([VIP, {"fwmark": 1, "servers": []}])] == [None, ()]


# Each state on one table: what of it is kept, what goes back to the defaults, what goes

NOW = """\
-A -t 192.0.2.1:80 -s sh -p 60 -M 255.255.255.0 -b sh-port
-a -t 192.0.2.1:80 -r 198.51.100.1:80 -m -w 5 -x 9 -y 8
-a -t 192.0.2.1:80 -r 198.51.100.2:80 -i -w 5 --tun-type gue --tun-port 6080 --tun-csum
-A -f 7 -s rr
-a -f 7 -r 198.51.100.1:0 -g -w 1
"""
OTHER = "-A -f 7 -s rr\n-a -f 7 -r 198.51.100.1:0 -g -w 1\n"
FIRST, SECOND = ({"address": f"198.51.100.{number}"} for number in (1, 2))
STATES = (
    ("merged keeps what is left out", "merged", [VIP], NOW),
    ("merged changes what is given", "merged", [{**VIP, "persistence_timeout": 90}], NOW.replace("-p 60", "-p 90")),
    (
        "merged keeps servers that are not listed",
        "merged",
        [{**VIP, "servers": [{**FIRST, "weight": 6}]}],
        NOW.replace("-m -w 5", "-m -w 6"),
    ),
    ("merged with no servers removes none", "merged", [{**VIP, "servers": []}], NOW),
    ("merged with no services does nothing", "merged", [], NOW),
    (
        "merged adds with the defaults",
        "merged",
        [{"fwmark": 8, "servers": [{"address": "198.51.100.1"}]}],
        f"{NOW}-A -f 8 -s wlc\n-a -f 8 -r 198.51.100.1:0 -g -w 1\n",
    ),
    (
        "replaced resets the service and leaves servers that are left out",
        "replaced",
        [VIP],
        NOW.replace("-s sh -p 60 -M 255.255.255.0 -b sh-port", "-s wlc"),
    ),
    (
        "replaced resets servers too, and those that are not listed go",
        "replaced",
        [{**VIP, "scheduler": "rr", "servers": [FIRST]}],
        f"-A -t 192.0.2.1:80 -s rr\n-a -t 192.0.2.1:80 -r 198.51.100.1:80 -g -w 1\n{OTHER}",
    ),
    (
        "replaced resets the tunnel of a server that stays behind one",
        "replaced",
        [{**VIP, "scheduler": "rr", "servers": [{**SECOND, "forwarding": "tunnel"}]}],
        f"-A -t 192.0.2.1:80 -s rr\n-a -t 192.0.2.1:80 -r 198.51.100.2:80 -i -w 1 --tun-type ipip\n{OTHER}",
    ),
    ("replaced with no servers has none", "replaced", [{**VIP, "servers": []}], f"-A -t 192.0.2.1:80 -s wlc\n{OTHER}"),
    ("replaced with no services does nothing", "replaced", [], NOW),
    (
        "overridden resets, and services that are not listed go",
        "overridden",
        [{**VIP, "servers": [SECOND]}],
        "-A -t 192.0.2.1:80 -s wlc\n-a -t 192.0.2.1:80 -r 198.51.100.2:80 -g -w 1\n",
    ),
    (
        "overridden leaves servers that are left out",
        "overridden",
        [{"fwmark": 7}],
        "-A -f 7 -s wlc\n-a -f 7 -r 198.51.100.1:0 -g -w 1\n",
    ),
    ("overridden with no services has none", "overridden", [], ""),
    ("deleted takes those listed", "deleted", [VIP], OTHER),
    ("deleted takes no heed of other options", "deleted", [{**VIP, "scheduler": "rr", "servers": [FIRST]}], OTHER),
    ("deleted without services takes all", "deleted", None, ""),
    ("deleted with no services takes none", "deleted", [], NOW),
    ("deleted is fine with a service that is not there", "deleted", [{"fwmark": 9}], NOW),
)


@pytest.mark.parametrize(
    ("state", "services", "expected"), [case[1:] for case in STATES], ids=[case[0] for case in STATES]
)
def test_state_is_a_scope(state, services, expected):
    assert _become(state, NOW, services) == render(parse(expected))


# Attribute, how ipvsadm writes an entry that has it, and one that has not
KEPT_OR_RESET = (
    ("scheduler", "-A -t 192.0.2.1:80 -s rr", "-s wlc"),
    ("scheduler_flags", "-A -t 192.0.2.1:80 -s wlc -b flag-3", "-s wlc"),
    ("persistence_timeout", "-A -t 192.0.2.1:80 -s wlc -p 60", "-s wlc"),
    ("persistence_netmask", "-A -t 192.0.2.1:80 -s wlc -p 60 -M 255.0.0.0", "-s wlc"),
    ("persistence_engine", "-A -u 192.0.2.1:5060 -s wlc -p 60 --pe sip", "-s wlc"),
    ("one_packet", "-A -u 192.0.2.1:5060 -s wlc -o", "-s wlc"),
    ("forwarding", "-m -w 1", "-g -w 1"),
    ("weight", "-g -w 7", "-g -w 1"),
    ("upper_threshold", "-g -w 1 -x 9", "-g -w 1"),
    ("lower_threshold", "-g -w 1 -x 9 -y 8", "-g -w 1"),
    ("tunnel_type", "-i -w 1 --tun-type gre --tun-nocsum", "-g -w 1"),
    ("tunnel_port", "-i -w 1 --tun-type gue --tun-port 6080 --tun-nocsum", "-g -w 1"),
    ("tunnel_checksum", "-i -w 1 --tun-type gre --tun-csum", "-g -w 1"),
)


def test_every_attribute_is_a_case_here():
    assert tuple(case[0] for case in KEPT_OR_RESET) == SERVICE_ATTRIBUTES + SERVER_ATTRIBUTES


@pytest.mark.parametrize(
    ("line", "default"), [case[1:] for case in KEPT_OR_RESET], ids=[case[0] for case in KEPT_OR_RESET]
)
@pytest.mark.parametrize("state", ["merged", "replaced", "overridden"])
def test_attribute_that_is_left_out_is_kept_or_reset(state, line, default):
    if line.startswith("-A"):
        words, (address, port) = line.split(" -s ")[0], line.split()[2].split(":")
        entry = {"address": address, "port": port, "protocol": "udp" if "-u" in line else "tcp"}
        now, reset = f"{line}\n", f"{words} {default}\n"
    else:
        entry = {**VIP, "servers": [FIRST]}
        service = "-A -t 192.0.2.1:80 -s wlc\n-a -t 192.0.2.1:80 -r 198.51.100.1:80"
        now, reset = f"{service} {line}\n", f"{service} {default}\n"
    assert _become(state, now, [entry]) == (now if state == "merged" else reset)


# What is there and makes no sense


ODD = {
    "direct server on another port": Entry(
        Service(HTTP), {ServerKey("198.51.100.1", 81): Server(ServerKey("198.51.100.1", 81))}
    ),
    "port 0 without persistence": Entry(Service(HTTP._replace(port=0)), {}),
    "all addresses": Entry(Service(HTTP._replace(address="0.0.0.0")), {RIP: Server(RIP)}),
    "another protocol": Entry(Service(HTTP._replace(protocol="protocol-47")), {}),
    "one-packet on TCP": Entry(Service(HTTP, one_packet=True), {}),
    "an engine without persistence": Entry(Service(HTTP, persistence_engine="sip"), {}),
    "persistent for two months": Entry(
        Service(HTTP, persistence_timeout=5356800, persistence_netmask="255.255.255.255"), {}
    ),
    "forwarding local": Entry(Service(HTTP), {RIP: Server(RIP, "local")}),
    "forwarding bypass": Entry(Service(HTTP), {RIP: Server(RIP, "bypass")}),
    "forwarding 7": Entry(Service(HTTP), {RIP: Server(RIP, "forwarding-7")}),
    "tunnel type 3": Entry(Service(HTTP), {RIP: Server(RIP, "tunnel", tunnel_type="type-3")}),
    "tunnel checksum 3": Entry(
        Service(HTTP), {RIP: Server(RIP, "tunnel", tunnel_type="gre", tunnel_checksum="flags-3")}
    ),
    "thresholds from 2147483648 on": Entry(
        Service(HTTP), {RIP: Server(RIP, upper_threshold=4294967295, lower_threshold=2147483648)}
    ),
}


@pytest.mark.parametrize("entry", ODD.values(), ids=ODD)
@pytest.mark.parametrize("state", ["merged", "replaced", "overridden"])
def test_whatever_the_kernel_holds_can_be_declared_again(state, entry):
    table = {entry.service.key: entry}
    assert with_table(table, _spec(state, table_to_options(table))).table == table


@pytest.mark.parametrize("entry", ODD.values(), ids=ODD)
def test_whatever_makes_no_sense_is_refused_where_it_is_not_there(entry):
    with pytest.raises(InvalidInput, match=r"^services\[0\]\.(servers\[0\]\.)?[a-z_]+: "):
        declared(_entries(table_to_options({entry.service.key: entry})))


def test_odd_entries_that_stay_are_warned_of_with_their_path():
    entry = ODD["direct server on another port"]
    desired = with_table({HTTP: entry}, _spec("merged", [{"fwmark": 1}, *table_to_options({HTTP: entry})]))
    assert desired.warnings == (
        "services[1].servers[0]: tcp 192.0.2.1:80 -> 198.51.100.1:81: the kernel holds it so, left as it is:"
        " port: 81 is not the service's port 80; another port needs forwarding nat, not direct",
    )


@pytest.mark.parametrize("state", ["merged", "replaced", "overridden"])
def test_odd_servers_of_which_only_the_weight_changes_are_warned_of_with_their_path(state):
    entry = ODD["direct server on another port"]
    services = table_to_options({HTTP: entry})
    services[0]["servers"][0]["weight"] = 0
    desired = with_table({HTTP: entry}, _spec(state, services))
    (server,) = desired.table[HTTP].servers.values()
    assert (server.key.port, server.weight) == (81, 0)
    (warning,) = desired.warnings
    assert warning.startswith("services[0].servers[0]: tcp 192.0.2.1:80 -> 198.51.100.1:81: the kernel holds it so")


@pytest.mark.parametrize("keep", ["zero", "all"])
def test_a_kept_weight_is_no_reason_to_refuse_an_odd_server(keep):
    entry = ODD["direct server on another port"]
    drained = Entry(entry.service, {key: server._replace(weight=0) for key, server in entry.servers.items()})
    spec = replace(_spec("replaced", table_to_options({HTTP: entry})), keep_weights=keep)
    assert with_table({HTTP: drained}, spec).table == {HTTP: drained}


def test_what_the_options_cannot_say_is_a_warning_with_its_path():
    table = {key: Entry(Service(key), {}) for key in (MARK, HTTP)}
    table[SIP] = Entry(Service(SIP, persistence_timeout=0, persistence_netmask="255.255.255.255"), {})
    assert undeclarable(table) == (
        "services[1].persistence_timeout: udp 192.0.2.1:5060 is persistent for 0 s, which no option can say: declared again"
        " it would not be persistent",
    )
    assert table_to_options(table)[1]["address"] == "192.0.2.1"


def test_what_the_options_cannot_say_can_be_declared_as_gathered():
    """Then it is not persistent, as the warning says, and no error."""
    odd = Service(SIP, "rr", persistence_timeout=0, persistence_netmask="255.0.0.0", persistence_engine="sip")
    table = {SIP: Entry(odd, {})}
    assert _declared_again(table) == {SIP: Entry(Service(SIP, "rr"), {})}


def _declared_again(table):
    return with_table(table, _spec("overridden", table_to_options(table))).table


@given(TABLES)
def test_what_was_gathered_changes_nothing(table):
    assert make_plan(table, _declared_again(table)) == ()


def test_values_that_do_not_go_together_are_told_all_at_once_with_their_paths():
    services = [
        {"address": "192.0.2.1", "port": 0, "servers": [{"address": "198.51.100.1", "port": 81}]},
        {
            **VIP,
            "one_packet": True,
            "servers": [{"address": "2001:db8::9"}, {"address": "198.51.100.1", "tunnel_port": 1}],
        },
    ]
    with pytest.raises(InvalidInput) as caught:
        with_table({}, _spec("merged", services))
    assert caught.value.problems == (
        "services[0].port: 0 (all ports) needs a persistent service: give persistence_timeout",
        "services[0].servers[0].port: 81 is not the service's port 0; another port needs forwarding nat, not direct",
        "services[1].one_packet: one-packet scheduling is for protocol udp only, not for tcp",
        "services[1].servers[0].address: 2001:db8::9 is not ipv4 as service tcp 192.0.2.1:80 is;"
        " servers of the other family need forwarding tunnel, not direct",
        "services[1].servers[1].tunnel_port: needs forwarding tunnel, not direct",
    )


def test_reset_is_asked_whether_it_goes_together():
    """A netmask alone is enough for merged, where the service is persistent already."""
    services = [{**VIP, "persistence_netmask": "255.255.0.0"}]
    assert _become("merged", NOW, services) == NOW.replace("-M 255.255.255.0", "-M 255.255.0.0")
    with pytest.raises(InvalidInput, match=r"^services\[0\]\.persistence_netmask: needs persistence_timeout above 0$"):
        _become("replaced", NOW, services)


def test_one_packet_with_masqueraded_servers_is_warned_of_with_its_path():
    services = [{"fwmark": 7, "one_packet": True, "servers": [{"address": "198.51.100.1", "forwarding": "nat"}]}]
    (warning,) = with_table({}, _spec("merged", services)).warnings
    assert warning.startswith("services[0].one_packet: replies of masqueraded servers (198.51.100.1:0) leave with")


@st.composite
def _pairs(draw):
    table = draw(TABLES)
    return table, draw(changed_tables(table))


def _sensible(table):
    """What of a table we would create."""
    return {
        key: Entry(
            entry.service._replace(one_packet=entry.service.one_packet and key.protocol in (None, "udp")),
            {name: server for name, server in entry.servers.items() if server.forwarding == "nat" or not key.fwmark},
        )
        for key, entry in table.items()
        if key.family == "ipv4"
    }


@given(_pairs(), st.sampled_from(sorted(SCOPES)), st.randoms(use_true_random=False))
def test_order_of_the_input_has_no_influence(pair, state, chance):
    current, wanted = pair[0], table_to_options(_sensible(pair[1]))
    plan = make_plan(current, with_table(current, _spec(state, wanted)).table)
    shuffled = [
        {**options, "servers": chance.sample(options["servers"], len(options["servers"]))} for options in wanted
    ]
    chance.shuffle(shuffled)
    keys = chance.sample(sorted(current, key=str), len(current))
    again = {key: current[key] for key in keys}
    assert make_plan(again, with_table(again, _spec(state, shuffled)).table) == plan


@given(_pairs())
def test_overridden_becomes_exactly_what_was_declared(pair):
    current, wanted = pair[0], _sensible(pair[1])
    assert with_table(current, _spec("overridden", table_to_options(wanted))).table == wanted


@given(_pairs())
def test_merged_removes_nothing_and_replaced_touches_nothing_else(pair):
    current, wanted = pair[0], table_to_options(_sensible(pair[1]))
    assert "remove" not in {
        operation.verb for operation in make_plan(current, with_table(current, _spec("merged", wanted)).table)
    }
    listed = {entry.service.key for entry in _entries(wanted)}
    replaced = with_table(current, _spec("replaced", wanted)).table
    assert {key: entry for key, entry in replaced.items() if key not in listed} == {
        key: entry for key, entry in current.items() if key not in listed
    }


# keep_weights

WEIGHTS = """\
-A -t 192.0.2.1:80 -s rr
-a -t 192.0.2.1:80 -r 198.51.100.1:80 -g -w 0
-a -t 192.0.2.1:80 -r 198.51.100.2:80 -g -w 7
"""


@pytest.mark.parametrize(("keep", "expected"), [("none", [5, 5, 5]), ("zero", [0, 5, 5]), ("all", [0, 7, 5])])
@pytest.mark.parametrize("state", ["merged", "replaced", "overridden"])
def test_weights_are_kept_as_asked_and_new_servers_get_theirs(state, keep, expected):
    servers = [{"address": f"198.51.100.{number}", "weight": 5} for number in (1, 2, 3)]
    table = with_table(parse(WEIGHTS), _spec(state, [{**VIP, "servers": servers}], keep_weights=keep)).table
    assert [server.weight for server in table[HTTP].servers.values()] == expected


def test_kept_weight_is_not_reset_when_none_is_given():
    services = [{**VIP, "scheduler": "rr", "servers": [FIRST, SECOND]}]
    assert _become("replaced", WEIGHTS, services, keep_weights="all") == WEIGHTS
    assert _become("replaced", WEIGHTS, services) == WEIGHTS.replace("-w 0", "-w 1").replace("-w 7", "-w 1")


def test_kept_weight_does_not_keep_a_server_that_is_not_listed():
    services = [{**VIP, "scheduler": "rr", "servers": [SECOND]}]
    assert "198.51.100.1:80" not in _become("replaced", WEIGHTS, services, keep_weights="zero")


# exclude

MANY = {
    name: ServiceKey(family, protocol, address, port)
    for name, family, protocol, address, port in (
        ("first", "ipv4", "tcp", "10.96.0.1", 443),
        ("last of the first network", "ipv4", "tcp", "10.111.255.255", 80),
        ("after the first network", "ipv4", "tcp", "10.112.0.0", 80),
        ("udp", "ipv4", "udp", "10.96.0.10", 53),
        ("tcp", "ipv4", "tcp", "10.96.0.10", 53),
        ("single", "ipv4", "tcp", "192.0.2.1", 80),
        ("beside", "ipv4", "tcp", "192.0.2.2", 80),
        ("six", "ipv6", "tcp", "2001:db8:1::1", 80),
        ("six again", "ipv6", "tcp", "2001:db8:2::ffff", 80),
        ("six outside", "ipv6", "tcp", "2001:db8:3::", 80),
        ("mapped", "ipv6", "tcp", "::ffff:10.96.0.1", 443),
    )
}
MANY["mark"], MANY["mark six"], MANY["another mark"] = MARK, MARK6, ServiceKey("ipv4", fwmark=8)

EXCLUDED = {
    "two IPv4 networks": (
        [{"network": "10.96.0.0/12"}, {"network": "192.0.2.0/31"}],
        {"first", "last of the first network", "udp", "tcp", "single"},
    ),
    "a single address": ([{"network": "192.0.2.1/32"}], {"single"}),
    "a single address without a length": ([{"network": "192.0.2.1"}], {"single"}),
    "two IPv6 networks": ([{"network": "2001:db8:1::/64"}, {"network": "2001:DB8:2::/64"}], {"six", "six again"}),
    "a single IPv6 address": ([{"network": "2001:db8:1::1/128"}], {"six"}),
    "all of IPv4": (
        [{"network": "0.0.0.0/0"}],
        {name for name, key in MANY.items() if key.family == "ipv4" and not key.fwmark},
    ),
    "all of IPv6": (
        [{"network": "::/0"}],
        {name for name, key in MANY.items() if key.family == "ipv6" and not key.fwmark},
    ),
    "a protocol of a network": ([{"network": "10.96.0.0/12", "protocol": "udp"}], {"udp"}),
    "a port of a network": ([{"network": "10.96.0.0/12", "port": "53"}], {"udp", "tcp"}),
    "a port and a protocol": ([{"network": "10.96.0.0/12", "port": 53, "protocol": "tcp"}], {"tcp"}),
    "port 0 is a port": ([{"network": "10.96.0.0/12", "port": 0}], set()),
    "a mark in both families": ([{"fwmark": 7}], {"mark", "mark six"}),
    "a mark in one family": ([{"fwmark": "7", "family": "ipv6"}], {"mark six"}),
    "a network and a mark": ([{"network": "192.0.2.1"}, {"fwmark": 8}], {"single", "another mark"}),
    "nothing": ([], set()),
}


@pytest.mark.parametrize(("exclude", "covered"), EXCLUDED.values(), ids=EXCLUDED)
def test_excluded_services_are_those_and_no_others(exclude, covered):
    exclusions, problems = _exclusions(exclude)
    assert problems == []
    table = {key: Entry(Service(key), {}) for key in MANY.values()}
    assert {name for name, key in MANY.items() if key not in without_excluded(table, exclusions)} == covered


_EXCLUSION_TAKES = "there are network, protocol, port, fwmark, family"
NO_EXCLUSIONS = (
    ({}, ["exclude[0].network: is required (and protocol and port where wanted); or fwmark instead"]),
    ({"port": 80}, ["exclude[0].network: is required (and protocol and port where wanted); or fwmark instead"]),
    (
        {"network": "10.0.0.0/33"},
        ["exclude[0].network: '10.0.0.0/33': the prefix length of ipv4 is a number between 0 and 32"],
    ),
    (
        {"network": "192.0.2.1/24"},
        ["exclude[0].network: '192.0.2.1/24' has bits set beyond its prefix length; the network is 192.0.2.0/24"],
    ),
    (
        {"network": "x", "protocol": "icmp", "port": 65536},
        [
            "exclude[0].network: 'x' is not an IPv4 or IPv6 network such as 192.0.2.0/24 or 2001:db8::/64",
            "exclude[0].protocol: 'icmp' is not one of tcp, udp, sctp",
            "exclude[0].port: 65536 is not between 0 and 65535",
        ],
    ),
    (
        {"fwmark": 0, "network": "10.0.0.0/8", "protocol": "tcp", "port": 80, "family": "ipv5"},
        [
            "exclude[0].family: 'ipv5' is not one of ipv4, ipv6",
            *(
                f"exclude[0].{name}: does not go with fwmark, which is another way to say which services are meant"
                for name in ("network", "protocol", "port")
            ),
            "exclude[0].fwmark: 0 is not between 1 and 4294967295",
        ],
    ),
    (
        {"network": "10.0.0.0/8", "family": "ipv4"},
        ["exclude[0].family: is for fwmark only; a network has a family of its own"],
    ),
    ({"fwmark": 1, "mark": 2}, [f"exclude[0].mark: is not an option here; {_EXCLUSION_TAKES}"]),
    ("10.0.0.0/8", ["exclude[0]: '10.0.0.0/8' is not a dictionary"]),
)


@pytest.mark.parametrize(("value", "expected"), NO_EXCLUSIONS, ids=[str(case[0]) for case in NO_EXCLUSIONS])
def test_wrong_exclusion_is_told_with_its_path(value, expected):
    exclusions, problems = _exclusions([value, {"fwmark": 1}])
    assert problems == expected
    assert [exclusion.path for exclusion in exclusions] == ["exclude[1]"]


def test_exclude_that_is_no_list_is_told():
    assert _exclusions({"network": "10.0.0.0/8"})[1] == ["exclude: {'network': '10.0.0.0/8'} is not a list"]


@pytest.mark.parametrize(
    ("state", "services", "left"),
    [
        ("overridden", [], {"first", "mark"}),
        ("overridden", [{"address": "192.0.2.2", "port": 80}], {"first", "mark", "beside"}),
        ("deleted", None, {"first", "mark"}),
    ],
)
def test_no_state_touches_what_is_excluded(state, services, left):
    server = Server(ServerKey("198.51.100.1", 443), "bypass", 3)
    table = {MANY[name]: Entry(Service(MANY[name], "rr"), {server.key: server}) for name in ("first", "mark", "single")}
    exclude = [{"network": "10.96.0.0/12"}, {"fwmark": 7}]
    after = with_table(table, _spec(state, services, exclude=exclude)).table
    assert set(after) == {MANY[name] for name in left}
    assert all(after[MANY[name]] == table[MANY[name]] for name in ("first", "mark"))


def test_listing_what_is_excluded_names_both():
    problems = []
    entries = _entries([VIP, {"fwmark": 7}, {"fwmark": 7, "family": "ipv6"}, {"address": "10.96.0.1", "port": 443}])
    exclude = _exclusions([{"network": "10.0.0.0/8"}, {"network": "10.96.0.0/12"}, {"fwmark": 7, "family": "ipv6"}])[0]
    refuse_excluded(entries, exclude, problems)
    assert problems == [
        "services[2]: fwmark 7 (ipv6) is excluded by exclude[2]; take one of them out",
        "services[3]: tcp 10.96.0.1:443 is excluded by exclude[0]; take one of them out",
    ]


# What a run is not to do

SAFE = """\
-A -t 192.0.2.1:80 -s rr
-a -t 192.0.2.1:80 -r 198.51.100.1:80 -g -w 1
-a -t 192.0.2.1:80 -r 198.51.100.2:80 -g -w 1
-a -t 192.0.2.1:80 -r 198.51.100.3:80 -g -w 0
-A -f 7 -s rr
-a -f 7 -r 198.51.100.1:0 -g -w 1
"""
ONE_LESS = SAFE.replace("-a -t 192.0.2.1:80 -r 198.51.100.2:80 -g -w 1\n", "")
DRAINED = SAFE.replace("-r 198.51.100.2:80 -g -w 1", "-r 198.51.100.2:80 -g -w 0")
CHANGED = SAFE.replace("-A -f 7 -s rr", "-A -f 7 -s lc") + "-A -f 8 -s rr\n"
MARK_GONE = SAFE.partition("-A -f 7")[0]
_FEWER = "minimum_active: tcp 192.0.2.1:80 has {} servers with a weight above 0, and would be left with {} instead of {} at least"

UNSAFE = {
    "every action is allowed": ({}, ONE_LESS, ()),
    "no removal": (
        {"allowed_actions": ("add", "update")},
        ONE_LESS,
        (
            "allowed_actions: add, update is allowed, and remove would be needed for: remove tcp 192.0.2.1:80 -> 198.51.100.2:80",
        ),
    ),
    "several actions": (
        {"allowed_actions": ("remove",)},
        CHANGED,
        (
            "allowed_actions: remove is allowed, and add, update would be needed for:"
            " add fwmark 8 (ipv4), update fwmark 7 (ipv4)",
        ),
    ),
    "nothing at all": (
        {"allowed_actions": ()},
        MARK_GONE,
        ("allowed_actions: nothing is allowed, and remove would be needed for: remove fwmark 7 (ipv4)",),
    ),
    "nothing at all, and nothing to do": ({"allowed_actions": ()}, SAFE, ()),
    "as many as at least": ({"minimum_active": 1}, ONE_LESS, ()),
    "fewer by removal": ({"minimum_active": 2}, ONE_LESS, (_FEWER.format(2, 1, 2),)),
    "fewer by weight 0": ({"minimum_active": 2}, DRAINED, (_FEWER.format(2, 1, 2),)),
    "fewer already, and left so": ({"minimum_active": 3}, CHANGED, ()),
    "fewer already, and fewer yet": ({"minimum_active": 3}, ONE_LESS, (_FEWER.format(2, 1, 3),)),
    "a server of weight 0 goes": (
        {"minimum_active": 2},
        SAFE.replace("-a -t 192.0.2.1:80 -r 198.51.100.3:80 -g -w 0\n", ""),
        (),
    ),
    "a whole service goes": ({"minimum_active": 1}, MARK_GONE, ()),
    "a new service without servers": ({"minimum_active": 1}, f"{SAFE}-A -f 8 -s rr\n", ()),
    "both": (
        {"minimum_active": 2, "allowed_actions": ("add", "update")},
        ONE_LESS,
        (
            "allowed_actions: add, update is allowed, and remove would be needed for: remove tcp 192.0.2.1:80 -> 198.51.100.2:80",
            _FEWER.format(2, 1, 2),
        ),
    ),
}


@pytest.mark.parametrize(("options", "desired", "expected"), UNSAFE.values(), ids=UNSAFE)
def test_what_a_run_is_not_to_do_is_refused(options, desired, expected):
    spec = _spec("merged", [], **options)
    problems = ()
    try:
        refuse_unsafe(parse(SAFE), parse(desired), spec)
    except InvalidInput as error:
        problems = error.problems
    assert problems == expected


def test_long_list_of_what_would_have_been_done_is_shortened():
    spec = _spec("merged", [], allowed_actions=())
    wanted = parse("".join(f"-A -f {number} -s rr\n" for number in range(1, 31)))
    with pytest.raises(InvalidInput, match=r"add fwmark 20 \(ipv4\) and 10 more$"):
        refuse_unsafe({}, wanted, spec)
