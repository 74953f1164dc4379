# Copyright (c) 2026, the linux.lvs contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a director needs, and why it is refused: every sentence that a user of the role may read."""

from __future__ import annotations

import pytest
from ansible_collections.linux.lvs.plugins.module_utils._director import director_needs, director_refusals, staying_nat
from ansible_collections.linux.lvs.plugins.module_utils._errors import InvalidInput
from ansible_collections.linux.lvs.plugins.module_utils._ipvsadm import parse, unsayable
from ansible_collections.linux.lvs.plugins.module_utils._model import table_to_options
from ansible_collections.linux.lvs.plugins.module_utils._options import Reader
from ansible_collections.linux.lvs.plugins.module_utils._plan import make_plan
from ansible_collections.linux.lvs.plugins.module_utils._sysctls import SYSCTLS, read_wishes
from ansible_collections.linux.lvs.tests.unit.tables import ANY_TABLES, sensible
from hypothesis import given

NAT = {"address": "198.51.100.1", "forwarding": "nat"}
WEB = {"address": "192.0.2.1", "port": 80}


def needs(**variables):
    return director_needs({"services": [WEB], **variables}).to_options()


def problems(**variables):
    with pytest.raises(InvalidInput) as caught:
        director_needs(variables)
    return list(caught.value.problems)


def test_nothing_but_services():
    found = needs()
    assert found["table"] == "-A -t 192.0.2.1:80 -s wlc\n"
    assert found["services"] == [{"address": "192.0.2.1", "port": 80, "protocol": "tcp"}]
    assert found["vips"] == [{"address": "192.0.2.1", "length": 32, "family": "ipv4", "interface": None}]
    assert found["vips_derived"] is True
    assert found["modules"] == ["ip_vs", "ip_vs_wlc"]
    for name in ("timeouts", "sync_daemons"):
        assert found[name] == ""
    assert found["sync_daemons_managed"] is False
    for name in ("marks", "masquerade", "forwarding"):
        assert found[name] == []
    assert found["sysctls"] == {}


@pytest.mark.parametrize(
    ("service", "modules"),
    [
        ({"scheduler": "mh"}, ["ip_vs", "ip_vs_mh"]),
        ({"scheduler": "none"}, ["ip_vs"]),
        (
            {"protocol": "udp", "persistence_timeout": 60, "persistence_engine": "sip"},
            ["ip_vs", "ip_vs_wlc", "ip_vs_pe_sip"],
        ),
        ({"port": 21, "servers": [NAT]}, ["ip_vs", "ip_vs_wlc", "ip_vs_ftp"]),
        ({"port": 21, "servers": [{"address": "198.51.100.1"}]}, ["ip_vs", "ip_vs_wlc"]),
    ],
)
def test_modules(service, modules):
    assert needs(services=[{**WEB, **service}])["modules"] == modules


def test_declared_modules_are_taken_as_they_are():
    assert needs(modules=["ip_vs", "ip_vs_rr"])["modules"] == ["ip_vs", "ip_vs_rr"]


def test_forwarding_follows_the_servers_that_are_behind_nat():
    six = {"address": "2001:db8::1", "port": 80, "servers": [{"address": "2001:db8::2", "forwarding": "nat"}]}
    assert needs(services=[{**WEB, "servers": [NAT]}])["forwarding"] == ["ipv4"]
    assert needs(services=[{**WEB, "servers": [NAT]}, six])["forwarding"] == ["ipv4", "ipv6"]
    assert needs(services=[{**WEB, "servers": [NAT]}], forwarding="no")["forwarding"] == []
    assert needs(forwarding=True)["forwarding"] == ["ipv4", "ipv6"]


def test_addresses():
    marks = [{"mark": 7, "addresses": ["2001:DB8::7", "192.0.2.7"], "ports": "80,443"}]
    derived = needs(services=[WEB, {**WEB, "port": 443}, {"fwmark": 7}], marks=marks, interface="eth1")
    assert [(vip["address"], vip["length"], vip["interface"]) for vip in derived["vips"]] == [
        ("192.0.2.1", 32, "eth1"),
        ("192.0.2.7", 32, "eth1"),
        ("2001:db8::7", 128, "eth1"),
    ]
    assert needs(vips=[])["vips"] == []
    given = needs(vips=[{"address": "192.0.2.9", "interface": "eth2"}, {"address": "192.0.2.8"}], interface="eth1")
    assert [(vip["address"], vip["interface"]) for vip in given["vips"]] == [
        ("192.0.2.9", "eth2"),
        ("192.0.2.8", "eth1"),
    ]
    assert given["vips_derived"] is False


def test_marks_are_split_by_family():
    marks = [{"mark": "7", "protocol": "udp", "addresses": ["192.0.2.7", "2001:db8::7"], "ports": [53, "30000-30100"]}]
    assert needs(marks=marks)["marks"] == [
        {"mark": 7, "protocol": "udp", "family": "ipv4", "addresses": ["192.0.2.7"], "ports": ["53", "30000-30100"]},
        {"mark": 7, "protocol": "udp", "family": "ipv6", "addresses": ["2001:db8::7"], "ports": ["53", "30000-30100"]},
    ]


def test_masquerading_turns_conntrack_on():
    found = needs(masquerade=["192.0.2.1"])
    assert (found["masquerade"], found["sysctls"]) == ([{"address": "192.0.2.1", "family": "ipv4"}], {"conntrack": "1"})


def test_what_is_masqueraded_waits_for_the_rules():
    other, mark = {**WEB, "port": 81}, {"fwmark": 7}
    found = needs(services=[mark, {**WEB, "address": "192.0.2.9"}, other], masquerade=["192.0.2.9"])
    assert [each["number"] for each in found["early"]] == [0, 2]
    assert found["early"][0]["service"] == {"fwmark": 7, "family": "ipv4"}


def test_daemons_and_timeouts_are_lines_of_ipvsadm():
    found = needs(
        sync_daemons=[{"role": "master", "interface": "eth1", "sync_id": "7", "multicast_group": "224.0.0.99"}],
        timeouts={"tcp": "600"},
    )
    assert found["sync_daemons"] == (
        "--start-daemon master --mcast-interface eth1 --syncid 7 --mcast-group 224.0.0.99 --mcast-port 8848 --mcast-ttl 1\n"
    )
    assert found["daemons"] == [
        {
            "role": "master",
            "interface": "eth1",
            "sync_id": 7,
            "sync_maxlen": 0,
            "multicast_group": "224.0.0.99",
            "multicast_port": 8848,
            "multicast_ttl": 1,
        }
    ]
    assert (found["timeouts"], found["timeouts_given"]) == ("--set 600 0 0\n", {"tcp": 600})


@pytest.mark.parametrize(
    ("variables", "sentences"),
    [
        ({}, ["director_services: is required: the services that this director has, as ipvs_table takes them"]),
        (
            {"services": []},
            ["director_services: is empty; if no service at all is meant, say director_allow_empty: true"],
        ),
        (
            {"services": [{**WEB, "servers": [{"address": "198.51.100.1", "weight": -1}]}]},
            ["director_services[0].servers[0].weight: -1 is not between 0 and 2147483647"],
        ),
        (
            {"services": [WEB], "vips": [{"address": "192.0.2.1"}, {"address": "192.0.2.1"}]},
            ["director_vips[1].address: 192.0.2.1 is there twice"],
        ),
        (
            {"services": [WEB], "vips": [{"adress": "192.0.2.1"}]},
            [
                "director_vips[0].adress: is not an option here; there are address, interface",
                "director_vips[0].address: is required",
            ],
        ),
        (
            {"services": [WEB], "sysctls": {"conntrack": 2, "nonsense": 1}},
            [
                "director_sysctls.conntrack: 2 is neither true nor false",
                "director_sysctls.nonsense: is no sysctl of IPVS that is known here; there are "
                + ", ".join(sorted(SYSCTLS)),
            ],
        ),
        (
            {"services": [WEB], "masquerade": ["192.0.2.1"], "sysctls": {"conntrack": 0}},
            ["director_sysctls.conntrack: masquerading needs it on; leave it out, or director_masquerade"],
        ),
        (
            {"services": [WEB], "timeouts": {"udp": 0}},
            ["director_timeouts.udp: 0 is not between 1 and 2678400"],
        ),
        (
            {"services": [WEB], "marks": [{"mark": 1, "addresses": ["192.0.2.1"], "ports": ["90-80"]}]},
            ["director_marks[0].ports: 80 is not between 90 and 65535"],
        ),
        (
            {
                "services": [WEB],
                "sync_daemons": [{"role": role, "interface": "eth0", "sync_id": 1} for role in ("master", "backup")],
                "sysctls": {"backup_only": 1},
            },
            [
                "director_sysctls.backup_only: with both daemons on one host the active director would stop scheduling; "
                "leave one out"
            ],
        ),
        (
            {"services": [WEB], "sync_daemons": [{"role": "master", "interface": "eth0", "sync_id": 1}] * 2},
            [
                "director_sync_daemons[1]: the master is there already, in director_sync_daemons[0]; a host has one of each role"
            ],
        ),
        (
            {"services": [{"fwmark": 7}, WEB], "exclude": [{"network": "192.0.2.0/24"}]},
            ["director_services[1]: tcp 192.0.2.1:80 is excluded by director_exclude[0]; take one of them out"],
        ),
        (
            {"services": [WEB, {**WEB, "address": "0.0.0.0"}]},
            [
                "director_services[1].address: 0.0.0.0 is not a unicast address, so IPVS takes no client's packets for it"
            ],
        ),
        (
            {"services": [WEB], "forwarding": "perhaps"},
            ["director_forwarding: 'perhaps' is neither true nor false"],
        ),
    ],
)
def test_wrong_variables(variables, sentences):
    found = problems(**variables)
    assert len(found) == len(sentences)
    for sentence, expected in zip(found, sentences):
        assert sentence.startswith(expected.partition(": ")[0])
    assert found == sentences


@given(ANY_TABLES)
def test_what_can_be_declared_can_be_loaded_by_ipvsadm(table):
    declared = sensible(table)
    found = needs(services=table_to_options(declared), allow_empty=True, vips=[])
    assert parse(found["table"]) == declared
    assert [unsayable(operation) for operation in make_plan({}, declared) if unsayable(operation)] == []


@pytest.mark.parametrize(
    ("declared", "text", "on_eight_cpus"),
    [
        ("all", "all", "0-7"),
        ([0, "2-3"], "0,2-3", "0,2-3"),
        ("0, 1-N:1/2", "0,1-N:1/2", "0-1,3,5,7"),
        ("0-2,1", "0-2,1", "0-2"),
        ("", "", ""),
    ],
)
def test_cpus_stay_as_they_were_declared_until_the_host_is_known(declared, text, on_eight_cpus):
    sysctls = needs(sysctls={"est_cpulist": declared})["sysctls"]
    assert sysctls == {"est_cpulist": text}
    refused = []
    (wish,) = read_wishes(Reader({"values": sysctls}, "", refused), frozenset(range(8)))
    assert (wish.value, refused) == (on_eight_cpus, [])


@pytest.mark.parametrize("declared", ["3-1", "all:2/1", "some", "9999"])
def test_cpus_of_no_host_are_refused(declared):
    (sentence,) = problems(services=[WEB], sysctls={"est_cpulist": declared})
    assert sentence.startswith("director_sysctls.est_cpulist: ")


LINKS = [
    {"ifname": "eth0", "flags": ["BROADCAST", "UP"], "altnames": ["enp1s0"]},
    {"ifname": "eth1", "flags": ["BROADCAST"]},
]
LOOKED = {
    "default": {"ipv4": "eth0", "ipv6": None},
    "held": {},
    "loaded": {},
    "links": LINKS,
    "addresses": {"eth1": ["192.0.2.3/32"]},
    "unserved": [],
    "taken": [],
    "overriding": [],
    "record": {},
    "beside": {},
}


def refusals(found, **facts):
    general = {
        "looked": LOOKED,
        "owners": [],
        "settings": [],
        "exclude": [],
        "table_state": "replaced",
        "others": {},
        "real_server_vips": [],
    }
    return director_refusals({"needs": found, **general, **facts})


OWNER = {"program": "keepalived", "path": "/etc/k", "line": 3, "enabled": True, "running": False}


def owner(service, **state):
    return {**OWNER, "service": service, **state}


def setting(name, **state):
    return {**OWNER, "name": name, "value": "", **state}


def test_nothing_speaks_against_it():
    assert refusals(needs()) == []


def test_a_family_without_default_route_needs_an_interface():
    (sentence,) = refusals(needs(services=[WEB, {"address": "2001:db8::1", "port": 80}]))
    assert sentence.startswith("director_interface: is required for the ipv6 addresses 2001:db8::1")
    assert refusals(needs(services=[{"address": "2001:db8::1", "port": 80}], interface="eth0")) == []


def test_interfaces_are_there_and_up():
    vips = [{"address": "192.0.2.1", "interface": "eth7"}, {"address": "192.0.2.2", "interface": "eth1"}]
    daemons = [
        {"role": "master", "interface": "eth1", "sync_id": 1},
        {"role": "backup", "interface": "eth9", "sync_id": 1},
    ]
    assert refusals(needs(vips=vips, sync_daemons=daemons)) == [
        "director_vips: 192.0.2.2: eth1 is down; bring it up first (ip link set eth1 up)",
        "director_vips: 192.0.2.1: this host has no interface eth7; it has eth0, eth1",
        "director_sync_daemons[0].interface: eth1 is down; the kernel starts no sync daemon on it",
        "director_sync_daemons[1].interface: this host has no interface eth9; it has eth0, eth1",
    ]
    up = [{"role": "master", "interface": "enp1s0", "sync_id": 1}]
    # an address that is there stays when somebody takes its interface down
    assert refusals(needs(vips=[{"address": "192.0.2.3", "interface": "eth1"}], sync_daemons=up)) == []


def test_an_address_without_a_service_would_stay_down():
    vips = [{"address": "192.0.2.1"}, {"address": "192.0.2.2"}, {"address": "192.0.2.3"}]
    nobodys = {**LOOKED, "unserved": ["192.0.2.1", "192.0.2.2"]}
    (sentence,) = refusals(needs(vips=vips), looked=nobodys)
    assert sentence.startswith("director_vips: 192.0.2.2: no service is for that")
    assert refusals(needs(services=[WEB, {"fwmark": 7}], vips=vips), looked=nobodys) == []
    up = {**nobodys, "unserved": ["192.0.2.3"]}
    assert refusals(needs(vips=[{"address": "192.0.2.3", "interface": "eth1"}]), looked=up) == []
    (sentence,) = refusals(needs(vips=[{"address": "192.0.2.3", "interface": "eth0"}]), looked=up)
    assert sentence.startswith("director_vips: 192.0.2.3: no service is for that")
    marked = needs(marks=[{"mark": 7, "addresses": ["192.0.2.2"], "ports": [80]}])
    (sentence,) = refusals(marked, looked={**nobodys, "default": {"ipv4": "eth0", "ipv6": None}})
    assert sentence.startswith("director_marks: 192.0.2.2: no service")


def test_what_was_seen_on_the_host_is_told():
    assert refusals(needs(), looked={**LOOKED, "taken": ["a"], "overriding": ["b"]}) == ["a", "b"]


def test_a_service_has_one_owner():
    same, other = {"address": "192.0.2.1", "port": 80, "protocol": "tcp"}, {"fwmark": 9, "family": "ipv4"}
    (sentence,) = refusals(needs(), owners=[owner(same), owner(other)])
    assert sentence.startswith("/etc/k:3: keepalived declares tcp 192.0.2.1:80 too")
    assert refusals(needs(), owners=[owner(same, enabled=False)]) == []
    assert refusals(needs(), owners=[owner(same, enabled=False, running=True)]) != []


@pytest.mark.parametrize(
    ("service", "name"),
    [
        ({"address": "192.0.2.9", "port": 25, "protocol": "tcp"}, "tcp 192.0.2.9:25"),
        ({"address": "2001:db8::9", "port": 25, "protocol": "udp"}, "udp [2001:db8::9]:25"),
        ({"fwmark": 9, "family": "ipv6"}, "fwmark 9"),
    ],
)
def test_what_ipvsadm_loads_at_boot_is_not_lost_with_its_boot(service, name):
    """The role switches that off, so that what nobody declares would be gone after the next boot."""
    loads = owner(service, program="ipvsadm")
    there = {**LOOKED, "loaded": {name: []}}
    (sentence,) = refusals(needs(), owners=[loads], looked=there)
    assert sentence.startswith("/etc/k:3: ipvsadm loads ") and name in sentence
    assert refusals(needs(services=[WEB, service], vips=[]), owners=[loads], looked=there) == []
    assert refusals(needs(), owners=[loads]) == []  # it has never been loaded, or is gone
    assert refusals(needs(), owners=[{**loads, "enabled": False}], looked=there) == []


def test_what_was_handed_over_is_not_removed():
    recorded = {"address": "192.0.2.9", "port": 443, "protocol": "tcp"}
    looked = {**LOOKED, "record": {"services": [recorded]}}
    (sentence,) = refusals(needs(), owners=[owner(recorded)], looked=looked)
    assert sentence.startswith("/etc/k:3: keepalived declares tcp 192.0.2.9:443 now, which an earlier run of this role")
    assert refusals(needs(), owners=[owner(recorded, enabled=False)], looked=looked) == []
    exclude = [{"network": "192.0.2.9"}]
    assert refusals(needs(vips=[]), owners=[owner(recorded)], looked=looked, exclude=exclude) == []


def test_a_derived_interface_is_where_the_address_is():
    looked = {**LOOKED, "held": {"2001:db8::1": "eth0"}}
    assert refusals(needs(services=[{"address": "2001:db8::1", "port": 80}]), looked=looked) == []


@pytest.mark.parametrize(
    ("declared", "state", "left"),
    [
        ({"servers": [{"address": "198.51.100.1"}]}, "replaced", []),
        ({"servers": [{"address": "198.51.100.1"}]}, "merged", ["ipv4", "ipv6"]),
        ({}, "replaced", ["ipv4", "ipv6"]),  # somebody else keeps its servers
    ],
)
def test_servers_by_nat_that_nobody_declares_and_stay(declared, state, left):
    """Somebody else's, those of a service whose servers are not declared, and what is left as it is."""

    def staying(loaded, recorded=(), exclude=()):
        found = needs(services=[{**WEB, **declared}])
        looked = {"loaded": loaded, "record": {"services": list(recorded)}}
        return staying_nat({"needs": found, "looked": looked, "exclude": list(exclude), "table_state": state})

    assert staying({"tcp 192.0.2.1:80": ["ipv6", "ipv4"], "tcp 192.0.2.9:80": []}) == left
    assert staying({"fwmark 7": ["ipv6"]}) == ["ipv6"]
    gone = [{"fwmark": 7, "family": "ipv4"}]
    assert staying({"fwmark 7": ["ipv6"]}, gone) == []
    assert staying({"fwmark 7": ["ipv6"]}, gone, [{"fwmark": 7}]) == ["ipv6"]


def test_with_overridden_only_what_is_excluded_stays():
    loaded = {"udp [2001:db8::9]:53": ["ipv6"], "fwmark 7": ["ipv4"], "tcp 192.0.2.1:80": ["ipv4"]}
    facts = {"needs": needs(services=[{**WEB, "servers": []}]), "looked": {"loaded": loaded, "record": {}}}
    for exclude, left in (([], []), ([{"network": "2001:db8::/32"}], ["ipv6"]), ([{"fwmark": 7}], ["ipv4"])):
        assert staying_nat({**facts, "exclude": exclude, "table_state": "overridden"}) == left
    facts["needs"] = needs()  # whose servers are not declared
    assert staying_nat({**facts, "exclude": [], "table_state": "overridden"}) == ["ipv4"]


@pytest.mark.parametrize(
    ("name", "declared", "sentence"),
    [
        ("lvs_flush", {}, "would remove the services of this role whenever it starts; "),
        ("lvs_flush_on_stop", {}, "would remove the services of this role whenever it stops; say lvs_flush_on_stop VS"),
        ("lvs_sync_daemon", {"sync_daemons": []}, "starts and stops sync daemons; they have one owner: "),
        ("lvs_timeouts", {"timeouts": {"udp": 9}}, "sets timeouts whenever it starts and stops; they have one owner: "),
    ],
)
def test_what_others_set_for_the_whole_table_must_not_be_ours(name, declared, sentence):
    ours = needs(**declared)
    (refusal,) = refusals(ours, settings=[setting(name)])
    assert refusal.startswith(f"/etc/k:3: {name}: keepalived {sentence}")
    assert refusals(ours, settings=[setting(name, enabled=False)]) == []
    assert refusals(ours, settings=[setting(name, enabled=False, running=True)]) == [refusal]
    assert refusals(needs(services=[], allow_empty=True), settings=[setting(name)]) == []


def test_settings_of_another_version_are_no_conflict():
    assert refusals(needs(), settings=[setting("lvs_what")]) == []


def test_a_service_that_is_left_alone_keeps_its_address():
    before = {"services": [{"address": "192.0.2.9", "port": 53, "protocol": "udp"}, {"fwmark": 4, "family": "ipv4"}]}
    looked, exclude = {**LOOKED, "record": before}, [{"network": "192.0.2.9"}, {"fwmark": 4}]
    (sentence,) = refusals(needs(), looked=looked, exclude=exclude)
    assert sentence.startswith(
        "director_exclude: udp 192.0.2.9:53 was declared by an earlier run, which brought 192.0.2.9 up"
    )
    for vips in ([], [{"address": "192.0.2.1"}, {"address": "192.0.2.9"}]):
        assert refusals(needs(vips=vips), looked=looked, exclude=exclude) == []
    assert refusals(needs(), looked=looked) == []
    beside = [WEB, {"address": "192.0.2.9", "port": 80}]
    assert refusals(needs(services=beside), looked=looked, exclude=[{"network": "192.0.2.9", "port": 53}]) == []


def test_overridden_would_remove_what_others_own():
    other = owner({"fwmark": 9, "family": "ipv4"})
    (sentence,) = refusals(needs(), owners=[other], table_state="overridden")
    assert "director_table_state overridden would remove" in sentence
    assert refusals(needs(), owners=[other], table_state="overridden", exclude=[{"fwmark": 9}]) == []


def test_two_hosts_do_not_derive_the_same_address():
    (sentence,) = refusals(needs(), others={"second": needs()})
    assert sentence.startswith("director_vips: 192.0.2.1 would be on second as well")
    assert refusals(needs(), others={"second": needs(vips=[])}) == []
    assert refusals(needs(vips=[{"address": "192.0.2.1"}]), others={"second": needs()}) == []


MARKED = {
    "services": [{"fwmark": 7}],
    "marks": [{"mark": 7, "addresses": ["192.0.2.7", "2001:db8::7"], "ports": [80]}],
    "vips": [],
}


@pytest.mark.parametrize(
    ("declared", "facts", "shared"),
    [
        ({}, {"real_server_vips": ["nonsense", "192.0.2.1", "192.0.2.5"]}, "192.0.2.1"),
        ({}, {"real_server_vips": "192.0.2.5, 192.0.2.1"}, "192.0.2.1"),
        ({}, {"looked": {**LOOKED, "beside": {"addresses": ["192.0.2.5", "192.0.2.1"]}}}, "192.0.2.1"),
        (MARKED, {"real_server_vips": ["192.0.2.7", "2001:db8::7"]}, "192.0.2.7"),  # of the other family is no service
    ],
)
def test_a_real_server_of_its_own_services_needs_backup_only(declared, facts, shared):
    (sentence,) = refusals(needs(**declared), **facts)
    assert sentence.startswith(f"real_server_vips: this host is a real server for {shared} and a director too;")
    assert refusals(needs(**declared, sysctls={"backup_only": True}), **facts) == []


@pytest.mark.parametrize("declared", [None, "192.0.2.5", ["192.0.2.5"], 7])
def test_a_real_server_of_others_is_welcome(declared):
    assert refusals(needs(), real_server_vips=declared) == []
