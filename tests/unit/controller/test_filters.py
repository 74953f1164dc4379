# Copyright (c) 2026, the linux.lvs contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filters: what they return, all that is wrong in one error, and that they need nothing but Ansible."""

from __future__ import annotations

import json
import subprocess
import sys

import jinja2
import pytest
import yaml
from ansible.errors import AnsibleFilterError
from ansible_collections.linux.lvs.plugins.filter import (
    director_needs,
    director_refusals,
    director_sysctls,
    from_ipvsadm,
    from_survey,
    real_server_lines,
    real_server_needs,
    reject_excluded,
    select_servers,
    to_ipvsadm,
)
from ansible_collections.linux.lvs.plugins.module_utils._ipvsadm import render
from ansible_collections.linux.lvs.plugins.module_utils._model import table_to_options
from ansible_collections.linux.lvs.tests.unit.controller.repository import FILTERS, read_yaml
from ansible_collections.linux.lvs.tests.unit.tables import ANY_TABLES, sensible
from hypothesis import given

TEXT = """\
# the web
-A -t 192.0.2.1:80
-a -r 198.51.100.2 -t 192.0.2.1:80 -x 9
-a -t 192.0.2.1:80 -r 198.51.100.1:8080 -mw5

-A -f 7 -6 -p -s sh -b sh-port
"""
SERVICES = [
    {
        "address": "192.0.2.1",
        "port": 80,
        "protocol": "tcp",
        "scheduler": "wlc",
        "scheduler_flags": [],
        "persistence_timeout": 0,
        "one_packet": False,
        "servers": [
            {
                "address": "198.51.100.1",
                "port": 8080,
                "forwarding": "nat",
                "weight": 5,
                "upper_threshold": 0,
                "lower_threshold": 0,
            },
            {
                "address": "198.51.100.2",
                "port": 80,
                "forwarding": "direct",
                "weight": 1,
                "upper_threshold": 9,
                "lower_threshold": 0,
            },
        ],
    },
    {
        "fwmark": 7,
        "family": "ipv6",
        "scheduler": "sh",
        "scheduler_flags": ["sh-port"],
        "persistence_timeout": 360,
        "persistence_netmask": "128",
        "persistence_engine": "",
        "one_packet": False,
        "servers": [],
    },
]
NORMAL = """\
-A -t 192.0.2.1:80 -s wlc
-a -t 192.0.2.1:80 -r 198.51.100.1:8080 -m -w 5
-a -t 192.0.2.1:80 -r 198.51.100.2:80 -g -w 1 -x 9
-A -f 7 -6 -s sh -p 360 -b sh-port
"""

# Blocks what modules need on a director, and plays both filters
ALONE = """
import sys
sys.modules["pyroute2"] = None
from ansible_collections.linux.lvs.plugins.filter.{name} import FilterModule
(name, call), = FilterModule().filters().items()
print(name, call({value!r}))
"""


class Text(str):
    """As newer Ansible hands strings to filters: of a type of its own."""


class List(list):
    pass


class Dictionary(dict):
    pass


def read(value):
    return from_ipvsadm.FilterModule().filters()["from_ipvsadm"](value)


def written(value):
    return to_ipvsadm.FilterModule().filters()["to_ipvsadm"](value)


def selected(value, addresses=("198.51.100.1",)):
    return select_servers.FilterModule().filters()["select_servers"](value, addresses)


def left(value, exclude=None):
    return reject_excluded.FilterModule().filters()["reject_excluded"](value, exclude)


def meant(value):
    return from_survey.FilterModule().filters()["from_survey"](value, "lvs_services")


def refused(call, *values):
    with pytest.raises(AnsibleFilterError) as caught:
        call(*values)
    return str(caught.value)


def test_text_becomes_services_with_every_option():
    assert read(TEXT) == SERVICES
    assert read(Text(TEXT)) == SERVICES
    assert read("") == []


def test_services_become_text_with_thresholds():
    assert written(SERVICES) == NORMAL
    assert written([]) == ""
    assert read(NORMAL) == SERVICES


def test_options_that_are_left_out_take_their_defaults():
    services = List(
        [
            Dictionary(
                address=Text("192.0.2.1"),
                port="80",
                persistence_timeout="60",
                servers=List([Dictionary(address="198.51.100.1", forwarding="nat")]),
            ),
            {"fwmark": 7, "scheduler": None, "servers": None},
        ]
    )
    assert written(services) == (
        "-A -t 192.0.2.1:80 -s wlc -p 60\n-a -t 192.0.2.1:80 -r 198.51.100.1:80 -m -w 1\n-A -f 7 -s wlc\n"
    )


@given(ANY_TABLES)
def test_services_survive_the_way_to_text_and_back(table):
    text = render(sensible(table))
    assert written(read(text)) == text


def test_servers_are_selected_by_address_in_every_service():
    server = {"address": "2001:db8::1", "port": 0, "forwarding": "tunnel"}
    services = [
        {"fwmark": "7", "servers": [server, {**server, "port": 81, "forwarding": "nat"}], "family": "ipv6"},
        *SERVICES[:1],
        {"address": "192.0.2.2", "port": 80},
    ]
    found = selected(services, List(["198.51.100.2", Text("2001:DB8:0::1")]))
    web = {"address": "192.0.2.1", "port": 80, "protocol": "tcp"}
    name = "tcp 192.0.2.1:80 -> 198.51.100.2:80"
    assert found[0] == {"name": name, "service": web, "server": SERVICES[0]["servers"][1]}
    assert [entry["service"] for entry in found[1:]] == [{"fwmark": 7, "family": "ipv6"}] * 2
    assert [entry["server"]["port"] for entry in found[1:]] == [0, 81]


def test_entries_that_make_no_sense_do_not_keep_servers_from_being_selected():
    service = {"fwmark": 7, "family": "ipv4"}
    found = selected([{**service, "servers": [{"address": "198.51.100.1", "port": 80}]}, *SERVICES])
    assert [entry["name"] for entry in found] == [
        "tcp 192.0.2.1:80 -> 198.51.100.1:8080",
        "fwmark 7 (ipv4) -> 198.51.100.1:80",
    ]
    assert found[1]["service"] == service
    assert found[1]["server"] == {
        "address": "198.51.100.1",
        "port": 80,
        "forwarding": "direct",
        "weight": 1,
        "upper_threshold": 0,
        "lower_threshold": 0,
    }


@given(ANY_TABLES)
def test_whatever_a_kernel_holds_its_servers_are_selected_as_they_were_read(table):
    services = table_to_options(table)
    addresses = [server["address"] for service in services for server in service["servers"]]
    found = selected(services, addresses)
    assert [entry["server"] for entry in found] == [server for service in services for server in service["servers"]]


def test_wrong_services_are_told_when_servers_are_selected():
    server = {"address": "198.51.100.1", "weight": -1}
    assert refused(selected, [{"fwmark": 7}, {"fwmark": 7, "servers": [server, 7]}]) == (
        "services[1].servers[1]: 7 is not a dictionary; "
        "services[1].servers[0].weight: -1 is not between 0 and 2147483647; "
        "services[1]: fwmark 7 (ipv4) is the same service as services[0]"
    )


def test_servers_of_no_service_are_none():
    assert selected(SERVICES, []) == selected(SERVICES, "192.0.2.77,2001:db8::1") == selected([]) == []


def test_services_that_are_excluded_are_rejected_and_the_others_stay_as_they_are():
    services = List(
        [Dictionary(address=Text("192.0.2.1"), port="80"), {"fwmark": 7}, {"address": "192.0.2.9", "port": 80}]
    )
    assert left(services, [{"network": "192.0.2.8/29"}, {"fwmark": 7, "family": "ipv6"}]) == services[:2]
    assert left(services, [{"network": "192.0.2.0/24", "port": 81}, {"fwmark": 7}]) == [services[0], services[2]]
    assert left(services) == left(services, []) == services


def test_wrong_exclusions_and_services_are_told_in_one_error():
    assert refused(left, [7], [{"fwmark": 0}, "x"]) == (
        "services[0]: 7 is not a dictionary; exclude[1]: 'x' is not a dictionary; "
        "exclude[0].fwmark: 0 is not between 1 and 4294967295"
    )


@pytest.mark.parametrize("value", [SERVICES, [], {"a": 1}, 7, None], ids=type)
def test_what_is_no_text_is_as_it_was_given(value):
    assert meant(value) is value


@pytest.mark.parametrize("text", [json.dumps(SERVICES), Text(json.dumps(SERVICES)), yaml.safe_dump(SERVICES)])
def test_text_of_a_survey_is_what_it_says(text):
    assert meant(text) == SERVICES


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[{address: 192.0.2.1", "line 1, column 21: expected ',' or '}', but got '<stream end>'"),
        ("- a\n- {b: c}}", "line 2, column 9: expected <block end>, but found '}'"),
        ("!!python/object:os.system {}", "line 1, column 1: could not determine a constructor"),
        ("\0", "unacceptable character #x0000"),
    ],
)
def test_text_that_is_no_yaml_is_told_with_the_variable_and_the_place(text, told):
    assert refused(meant, text).startswith(f"lvs_services: is not YAML: {told}")


def test_all_wrong_addresses_are_told_in_one_error():
    assert refused(selected, SERVICES, ["web1", "198.51.100.1", 7]) == (
        "addresses[0]: 'web1' is not an IPv4 or IPv6 address (names are not resolved); "
        "addresses[2]: 7 is not an IPv4 or IPv6 address"
    )
    assert refused(selected, SERVICES, 7) == "addresses: 7 is not a list"


def test_all_bad_lines_are_told_in_one_error():
    assert refused(read, "-A -t www:80\n-A -f 7\n-a -f 7 -r 198.51.100.1 -w -1\n") == (
        "line 1: --tcp-service: 'www' is not an IPv4 or IPv6 address (names are not resolved); ipvsadm -S -n writes"
        " addresses and ports as numbers: -A -t www:80; "
        "line 3: --weight: -1 is not between 0 and 2147483647: -a -f 7 -r 198.51.100.1 -w -1"
    )


def test_all_that_is_wrong_with_services_is_told_in_one_error():
    server = {"address": "198.51.100.1"}
    services = [
        {"address": "192.0.2.1", "port": 99999, "colour": "red", "servers": [server, {**server, "weight": -1}]},
        {"address": "192.0.2.1", "port": 80, "servers": [{**server, "port": 81}, server]},
        {"address": "192.0.2.1", "port": "80", "servers": 7},
        "x",
        {"fwmark": 7, "persistence_netmask": "255.0.0.0"},
    ]
    problems = refused(written, services)
    for problem in (
        "services[0].colour: is not an option here; there are address, port, ",
        "services[0].port: 99999 is not between 0 and 65535; ",
        "services[0].servers[1].weight: -1 is not between 0 and 2147483647; ",
        "services[1].servers[0].port: 81 is not the service's port 80; another port needs forwarding nat, not direct",
        "services[2]: tcp 192.0.2.1:80 is the same service as services[1]; ",
        "services[2].servers: 7 is not a list; ",
        "services[3]: 'x' is not a dictionary; ",
        "services[4].persistence_netmask: needs persistence_timeout above 0",
    ):
        assert problem in problems


NEEDS = director_needs.director_needs(
    {
        "services": [{"address": "192.0.2.1", "port": 80}],
        "sync_daemons": [{"role": "master", "interface": "eth0", "sync_id": 1}],
    }
)
FACTS = {
    "needs": NEEDS,
    "looked": {
        "default": {"ipv4": "eth0", "ipv6": None},
        "held": {"192.0.2.1": "eth0"},
        "loaded": {"fwmark 7": ["ipv4"]},
        "links": [{"ifname": "eth0", "flags": ["UP"]}],
        "addresses": {"eth0": ["198.51.100.1/24"]},
        "unserved": ["192.0.2.1"],
        "taken": ["a"],
        "overriding": ["b"],
        "record": {"services": [{"fwmark": 7}]},
        "beside": {},
    },
    "owners": [{"program": "x", "path": "/x", "line": 1, "enabled": True, "running": False, "service": {"fwmark": 7}}],
    "settings": [{"program": "x", "path": "/x", "line": 2, "enabled": True, "running": False, "name": "lvs_flush"}],
    "exclude": [{"fwmark": 7}],
    "table_state": "overridden",
    "others": {"second": NEEDS},
    "real_server_vips": ["192.0.2.9"],
}
SYSCTL_FACTS = {
    "needs": director_needs.director_needs({"services": SERVICES[:1], "forwarding": True}),
    "looked": {
        "learned": ["eth0"],
        "sysctls": {"net/ipv4/ip_forward": "0"},
        "loaded": {"fwmark 7": ["ipv4"]},
        "record": {"sysctls": {"x": "1"}, "services": [{"fwmark": 7}]},
    },
    "exclude": [],
    "table_state": "replaced",
}
LOOKED = {
    "links": [{"ifname": "eth0", "link_type": "ether", "flags": ["UP"], "linkinfo": {"info_kind": "vlan"}}],
    "addresses": {"eth0": ["198.51.100.1/24"]},
    "ways": {"198.51.100.254": {"device": "eth0", "neighbour": True, "answers": True}},
    "sysctls": {"net/ipv4/ip_forward": "0"},
    "record": {"sysctls": {"net/ipv4/conf/eth0/arp_ignore": "0"}},
    "overriding": [],
    "ssh": 22,
    "beside": {"addresses": ["192.0.2.9"]},
    "backup_only": False,
}
NONSENSE = (None, 7, 1.5, True, "", "x", [], [None], ["x"], [{}], {}, {"a": 1}, {7: [7]})


def nonsense_for(value):
    """The value with nonsense in one place, for every place, or without one of its names."""
    yield from NONSENSE
    if isinstance(value, dict):
        for name in value:
            yield {key: item for key, item in value.items() if key != name}
            yield from ({**value, name: other} for other in nonsense_for(value[name]))
    if isinstance(value, list):
        for number, item in enumerate(value):
            yield from ([*value[:number], other, *value[number + 1 :]] for other in nonsense_for(item))


@pytest.mark.parametrize(
    ("call", "value"),
    [
        (director_needs.director_needs, {"services": SERVICES, "marks": [{"mark": 7, "addresses": [], "ports": [80]}]}),
        (director_refusals.director_refusals, FACTS),
        (director_sysctls.director_sysctls, SYSCTL_FACTS),
        (real_server_needs.real_server_needs, {"vips": ["192.0.2.1"]}),
        *(
            (
                lambda value: real_server_lines.real_server_lines(*value),
                [real_server_needs.real_server_needs(given), LOOKED],
            )
            for given in (
                {"vips": ["192.0.2.1"]},
                {"vips": ["192.0.2.1"], "forwarding": "tunnel", "directors": ["198.51.100.254"]},
                {"forwarding": "nat", "gateway": ["198.51.100.254"]},
            )
        ),
    ],
)
def test_no_nonsense_makes_filters_of_the_roles_fail_in_python_s_words(call, value):
    assert call(value)
    wrong = 0
    for other in nonsense_for(value):
        if isinstance(value, list) and (not isinstance(other, list) or len(other) != len(value)):
            continue  # of arguments
        try:
            call(other)
        except AnsibleFilterError:
            wrong += 1
    assert wrong > len(NONSENSE)


def test_what_a_filter_of_the_roles_needs_is_told():
    looked = {**FACTS["looked"], "default": {"ipv4": 7}, "taken": "x", "beside": None}
    owner = {**FACTS["owners"][0], "line": "1"}
    del looked["overriding"], owner["running"]
    assert refused(director_refusals.director_refusals, {**FACTS, "looked": looked, "owners": [owner]}) == (
        "input.looked.default.ipv4: 7 is not text or null; input.looked.taken: 'x' is not a list; "
        "input.looked.overriding: is required; input.looked.beside: None is not a dictionary; "
        "input.owners[0].line: '1' is not a number; input.owners[0].running: is required"
    )
    needs = {**real_server_needs.real_server_needs({"vips": ["192.0.2.1"]}), "vips": ["web"], "tunnel_type": "vxlan"}
    assert refused(real_server_lines.real_server_lines, needs, LOOKED) == (
        "input.vips[0]: 'web' is not an IPv4 or IPv6 address (names are not resolved); "
        "input.tunnel_type: 'vxlan' is not one of ipip, gue, gre"
    )


@pytest.mark.parametrize("value", [None, 7, True, ["-A -f 7"], {"a": 1}, b"-A -f 7"], ids=repr)
def test_input_that_is_no_text_is_told(value):
    assert refused(read, value) == f"input: {value!r} is not text in the format of ipvsadm -S -n"


@pytest.mark.parametrize("value", [None, 7, True, "-A -f 7", {"a": 1}], ids=repr)
@pytest.mark.parametrize("call", [written, selected, left])
def test_input_that_is_no_list_of_services_is_told(call, value):
    assert refused(call, value) == f"services: {value!r} is not a list"


@pytest.mark.parametrize("call", [read, written, selected, left, meant, lambda value: selected([], value)])
@pytest.mark.parametrize("wrapped", [lambda value: value, lambda value: [{"servers": [{"address": value}]}]])
def test_undefined_variable_is_told_as_one(call, wrapped):
    with pytest.raises(jinja2.UndefinedError, match="'rules' is undefined"):
        call(wrapped(jinja2.StrictUndefined(name="rules")))


@pytest.mark.parametrize(
    ("name", "value", "result"),
    [("from_ipvsadm", "-A -f 7", read("-A -f 7")), ("to_ipvsadm", [{"fwmark": 7}], "-A -f 7 -s wlc\n")],
)
def test_works_without_pyroute2(name, value, result):
    program = ALONE.format(name=name, value=value)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout == f"{name} {result}\n", done.stderr


def test_samples_are_each_others_result():
    samples = {path.stem: read_yaml(path.with_suffix(".yml"))["RETURN"]["_value"]["sample"] for path in FILTERS}
    assert selected(samples["from_ipvsadm"], ["172.16.0.1"]) == samples["select_servers"]
    assert read(samples["to_ipvsadm"]) == samples["from_ipvsadm"]
    assert written(samples["from_ipvsadm"]) == samples["to_ipvsadm"]
