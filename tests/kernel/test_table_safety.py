# Copyright (c) 2026, the linux.lvs contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ipvs_table leaves alone, what it refuses before anything is changed, and that it says why."""

from __future__ import annotations

import re

import pytest
from helpers import failed, ok, proved, seen, warned

HTTP = {"address": "192.0.2.1", "port": 80}
WEB = "-t 192.0.2.1:80"
NOW = f"""\
-A {WEB} -s rr
-a {WEB} -r 198.51.100.1:80 -m -w 0
-a {WEB} -r 198.51.100.2:80 -m -w 7
-a {WEB} -r 198.51.100.3:80 -m -w 7
-A -f 7 -s rr
-a -f 7 -r 198.51.100.1:0 -g -w 1
"""
both_ways = pytest.mark.parametrize("check", [False, True], ids=["real", "check"])


def nat(*numbers, **options):
    return [{"address": f"198.51.100.{number}", "forwarding": "nat", **options} for number in numbers]


def refused(netns, run, check=False, **options):
    """The problems of a task that changes nothing."""
    before = seen(netns)
    result = run("ipvs_table", check=check, **options)
    assert seen(netns) == before
    assert result.get("changed", False) is False
    return failed(result).split("; ")


# Weights


@pytest.mark.parametrize(
    ("keep", "weights"),
    [("none", (5, 5, 5, 5)), ("zero", (0, 5, 5, 5)), ("all", (0, 7, 7, 5))],
    ids=["none", "zero", "all"],
)
@pytest.mark.parametrize("state", ["merged", "overridden"])
def test_weights_of_others_are_kept_and_new_servers_get_theirs(netns, make_netns, quick, state, keep, weights):
    """An operator's weight 0 survives a run with `zero`, a health checker's weights one with `all`."""
    twin = make_netns()
    for namespace in (netns, twin):
        namespace.restore(NOW)
    services = [{**HTTP, "scheduler": "lc", "servers": nat(1, 2, 3, 4, weight=5)}, {"fwmark": 7, "scheduler": "rr"}]
    proved(quick, netns, twin, state=state, keep_weights=keep, services=services)
    lines = [f"-a {WEB} -r 198.51.100.{number}:80 -m -w {weight}" for number, weight in enumerate(weights, 1)]
    assert netns.save() == ["-A -f 7 -s rr", f"-A {WEB} -s lc", "-a -f 7 -r 198.51.100.1:0 -g -w 1", *lines]


def test_weight_that_a_health_checker_changes_between_two_runs_stays(netns, quick):
    netns.restore(NOW)
    options = {"state": "overridden", "keep_weights": "all", "services": [{**HTTP, "servers": nat(2, weight=9)}]}
    ok(quick("ipvs_table", **options))
    netns.ipvsadm("-e", "-t", "192.0.2.1:80", "-r", "198.51.100.2:80", "-m", "-w", "3")
    assert ok(quick("ipvs_table", **options))["changed"] is False
    assert netns.save() == [f"-A {WEB} -s wlc", f"-a {WEB} -r 198.51.100.2:80 -m -w 3"]


# Allowed actions


@both_ways
@pytest.mark.parametrize(
    ("allowed", "problem"),
    [
        (
            ["add", "update"],
            "allowed_actions: add, update is allowed, and remove would be needed for:"
            " remove tcp 192.0.2.1:80 -> 198.51.100.1:80, remove fwmark 7 (ipv4)",
        ),
        (
            ["remove"],
            "allowed_actions: remove is allowed, and add, update would be needed for:"
            " add tcp 192.0.2.1:80 -> 198.51.100.4:80, update tcp 192.0.2.1:80",
        ),
        (
            [],
            "allowed_actions: nothing is allowed, and add, update, remove would be needed for:"
            " add tcp 192.0.2.1:80 -> 198.51.100.4:80, update tcp 192.0.2.1:80,"
            " remove tcp 192.0.2.1:80 -> 198.51.100.1:80, remove fwmark 7 (ipv4)",
        ),
    ],
    ids=["no removal", "only removal", "nothing"],
)
def test_plan_with_another_action_says_what_it_would_have_done(netns, quick, allowed, problem, check):
    netns.restore(NOW)
    services = [{**HTTP, "scheduler": "lc", "servers": nat(2, 3, weight=7) + nat(4)}]
    assert refused(netns, quick, check, state="overridden", allowed_actions=allowed, services=services) == [problem]


def test_plan_within_the_allowed_actions_goes_through(netns, quick):
    netns.restore(NOW)
    services = [
        {**HTTP, "scheduler": "rr", "servers": nat(1, weight=0) + nat(2, weight=7)},
        {"fwmark": 7, "scheduler": "rr"},
    ]
    assert ok(quick("ipvs_table", state="replaced", allowed_actions=["remove"], services=services))["changed"] is True
    assert netns.save() == sorted(line for line in NOW.splitlines() if "198.51.100.3" not in line)
    assert ok(quick("ipvs_table", state="replaced", allowed_actions=[], services=services))["changed"] is False


def test_drain_belongs_to_the_removal(netns, quick):
    """It sets weights, which is no update that anybody asked for."""
    netns.restore(NOW)
    options = {"state": "deleted", "services": [HTTP], "drain_timeout": 5}
    (problem,) = refused(netns, quick, allowed_actions=["add", "update"], **options)
    assert problem.endswith("and remove would be needed for: remove tcp 192.0.2.1:80")
    result = ok(quick("ipvs_table", allowed_actions=["remove"], **options))
    assert len(result["commands"]) == 3
    assert netns.save() == ["-A -f 7 -s rr", "-a -f 7 -r 198.51.100.1:0 -g -w 1"]


# How many have to be left


_FEWER = "minimum_active: tcp 192.0.2.1:80 has 2 servers with a weight above 0, and would be left with {} instead of 2 at least"


@both_ways
@pytest.mark.parametrize(
    ("options", "left"),
    [
        ({"state": "replaced", "services": [{**HTTP, "servers": nat(2)}]}, 1),
        ({"state": "overridden", "services": [{**HTTP, "servers": []}]}, 0),
        ({"services": [{**HTTP, "servers": nat(2, weight=0)}]}, 1),
        ({"state": "replaced", "services": [{**HTTP, "servers": nat(2)}], "drain_timeout": 60}, 1),
    ],
    ids=["replaced", "overridden", "weight 0", "drained first"],
)
def test_plan_that_leaves_too_few_servers_is_refused(netns, quick, options, left, check):
    netns.restore(NOW)
    assert refused(netns, quick, check, minimum_active=2, **options) == [_FEWER.format(left)]


@pytest.mark.parametrize(
    "options",
    [
        {"state": "replaced", "services": [{**HTTP, "servers": nat(2, 4)}]},
        {"state": "replaced", "services": [{**HTTP, "servers": nat(2, 3)}], "drain_timeout": 5},
        {"state": "deleted", "services": [HTTP]},
        {"services": [{"fwmark": 7, "scheduler": "lc"}, {"fwmark": 8}]},
    ],
    ids=["as many", "one of weight 0 goes", "a whole service", "fewer already, and left so"],
)
def test_plan_that_leaves_enough_servers_goes_through(netns, quick, options):
    netns.restore(NOW)
    assert ok(quick("ipvs_table", minimum_active=2, **options))["changed"] is True


# Nothing at all


@both_ways
def test_empty_table_has_to_be_allowed(netns, quick, check):
    netns.restore(NOW)
    assert refused(netns, quick, check, state="overridden", services=[]) == [
        "services: is empty, so that every service would go",
        "give allow_empty: true if that is meant",
    ]
    result = ok(quick("ipvs_table", check=check, state="overridden", services=[], allow_empty=True))
    assert len(result["commands"]) == 2
    assert netns.save() == (sorted(NOW.splitlines()) if check else [])


@pytest.mark.parametrize("state", ["merged", "replaced", "overridden", "rendered"])
def test_services_are_required(netns, quick, state):
    """Also where a variable is null: that is no list, least of all an empty one."""
    netns.restore(NOW)
    for options in ({}, {"services": None}):
        assert refused(netns, quick, state=state, allow_empty=True, **options) == [
            f"services: is required with state {state}"
        ]


def test_state_that_is_none_is_told_alone(netns, quick):
    for options in ({}, {"running_config": "-A -f 1"}):
        assert refused(netns, quick, state="gatherd", **options) == [
            "state: 'gatherd' is not one of merged, replaced, overridden, deleted, gathered, rendered, parsed"
        ]


# Services of others: the cases that broke kube-proxy

KUBE = """\
-A -t 10.96.0.1:443 -s rr
-a -t 10.96.0.1:443 -r 198.51.100.1:6443 -m -w 1
-A -u 10.97.0.10:53 -s rr
-a -u 10.97.0.10:53 -r 198.51.100.1:53 -m -w 1
-A -t 172.20.0.1:80 -s rr
-a -t 172.20.0.1:80 -r 198.51.100.1:80 -m -w 1
-A -t 192.0.2.1:80 -s rr -p 60
-a -t 192.0.2.1:80 -r 198.51.100.1:80 -m -w 1
-A -t 192.0.2.2:80 -s rr
-A -t [2001:db8:1::1]:80 -s rr
-a -t [2001:db8:1::1]:80 -r [2001:db8::9]:80 -m -w 1
-A -t [2001:db8:2::1]:80 -s rr
-A -t [2001:db8:3::1]:80 -s rr
-A -f 7 -s rr
-A -f 7 -6 -s rr
-A -f 8 -s rr
"""
LEFT = {
    "two IPv4 networks": ([{"network": "10.96.0.0/16"}, {"network": "172.20.0.0/14"}], ("10.96.", "172.20.")),
    "a single address as /32": ([{"network": "192.0.2.1/32"}], ("192.0.2.1:",)),
    "two IPv6 networks of 64": (
        [{"network": "2001:db8:1::/64"}, {"network": "2001:DB8:2::/64"}],
        ("[2001:db8:1:", "[2001:db8:2:"),
    ),
    "a protocol of a network": ([{"network": "10.0.0.0/8", "protocol": "udp"}], ("-u 10.97.",)),
    "a port of everything": ([{"network": "0.0.0.0/0", "port": 443}], (":443",)),
    "a mark in both families": ([{"fwmark": 7}], ("-f 7 ",)),
    "a mark in one family": ([{"fwmark": 7, "family": "ipv6"}], ("-f 7 -6",)),
    "all of them": ([{"network": "0.0.0.0/0"}, {"network": "::/0"}, {"fwmark": 7}, {"fwmark": 8}], ("-",)),
}


@pytest.mark.parametrize("way", ["overridden", "deleted"])
@pytest.mark.parametrize(("exclude", "names"), LEFT.values(), ids=LEFT)
def test_excluded_services_and_their_servers_stay_and_all_others_go(netns, quick, exclude, names, way):
    netns.restore(KUBE)
    stays = sorted(line for line in KUBE.splitlines() if any(name in line.split(" -r ")[0] for name in names))
    assert stays
    options = {"overridden": {"services": [], "allow_empty": True}, "deleted": {}}[way]
    result = ok(quick("ipvs_table", state=way, exclude=exclude, **options))
    assert netns.save() == stays
    assert result["changed"] is (stays != sorted(KUBE.splitlines()))
    touched = result["before"]
    assert len(touched) == sum(line.startswith("-A") for line in KUBE.splitlines()) - sum(
        line.startswith("-A") for line in stays
    )


def test_services_beside_excluded_ones_are_managed(netns, make_netns, quick):
    twin = make_netns()
    for namespace in (netns, twin):
        namespace.restore(KUBE)
    exclude = [{"network": "10.96.0.0/12"}, {"network": "192.0.2.2"}, {"network": "::/0"}, {"fwmark": 7}]
    services = [{**HTTP, "servers": nat(2)}]
    proved(quick, netns, twin, state="overridden", exclude=exclude, services=services)
    stays = [line for line in KUBE.splitlines() if any(name in line for name in ("10.9", "192.0.2.2", "[2001", "-f 7"))]
    assert netns.save() == sorted([*stays, f"-A {WEB} -s wlc", f"-a {WEB} -r 198.51.100.2:80 -m -w 1"])


def test_gathered_leaves_excluded_services_out(netns, quick):
    netns.restore(KUBE)
    exclude = [{"network": "0.0.0.0/0"}, {"network": "::/0"}, {"fwmark": 7, "family": "ipv6"}]
    gathered = ok(quick("ipvs_table", state="gathered", exclude=exclude))["gathered"]
    assert [(service["fwmark"], service["family"]) for service in gathered] == [(7, "ipv4"), (8, "ipv4")]
    result = ok(quick("ipvs_table", state="overridden", exclude=exclude, services=gathered))
    assert (result["changed"], netns.save()) == (False, sorted(KUBE.splitlines()))


@both_ways
@pytest.mark.parametrize("state", ["merged", "replaced", "overridden", "deleted"])
def test_excluded_service_that_is_listed_is_named_with_what_excludes_it(netns, quick, state, check):
    netns.restore(KUBE)
    services = [
        {"address": "192.0.2.1", "port": 80},
        {"address": "10.97.0.10", "port": 53, "protocol": "udp"},
        {"fwmark": 7},
    ]
    exclude = [{"fwmark": 7}, {"network": "10.96.0.0/12", "protocol": "udp"}]
    assert refused(netns, quick, check, state=state, services=services, exclude=exclude) == [
        "services[1]: udp 10.97.0.10:53 is excluded by exclude[1]",
        "take one of them out",
        "services[2]: fwmark 7 (ipv4) is excluded by exclude[0]",
        "take one of them out",
    ]


# Everything that is wrong, at once


@both_ways
@pytest.mark.parametrize("state", ["merged", "overridden"])
def test_all_that_is_wrong_is_told_at_once_with_its_path(netns, quick, state, check):
    netns.restore(NOW)
    services = [
        {"address": "2001:db8::1", "port": 80, "servers": [{"address": "198.51.100.1", "weight": 3000000000}]},
        {"address": "2001:0db8:0::1", "port": "80", "schedular": "rr"},
        {"fwmark": 7, "servers": [{"address": "198.51.100.1"}, {"address": "198.51.100.1", "port": 0}]},
        {"fwmark": 7},
        "web",
        {"address": "192.0.2.9", "port": 0, "servers": [{"address": "198.51.100.1", "port": 81}]},
    ]
    exclude = [{"network": "192.0.2.1/24"}, {"port": 80}, {"network": "192.0.2.9"}]
    options = {"minimum_active": -1, "drain_wait_for": ["x"], "keep_weights": "some", "allowed_actions": ["delete"]}
    problems = refused(netns, quick, check, state=state, services=services, exclude=exclude, **options)
    paths = [problem.partition(":")[0] for problem in problems if re.match(r"[a-z_]+(\[\d+\][.a-z_]*)*: ", problem)]
    assert paths == [
        "services[4]",
        "services[0].servers[0].weight",
        "services[1].schedular",
        "services[1]",
        "services[2].servers[1]",
        "services[3]",
        "exclude[0].network",
        "exclude[1].network",
        "services[5]",
        "allowed_actions",
        "drain_wait_for",
        "minimum_active",
        "keep_weights",
        "services[5].port",
        "services[5].servers[0].port",
    ]
    assert "services[1]: tcp [2001:db8::1]:80 is the same service as services[0]" in problems
    assert "services[2].servers[1]: 198.51.100.1:0 is the same server as services[2].servers[0]" in problems
    assert "services[3]: fwmark 7 (ipv4) is the same service as services[2]" in problems


@both_ways
def test_values_that_do_not_go_together_are_told_at_once(netns, quick, check):
    netns.restore(NOW)
    services = [
        {**HTTP, "one_packet": True, "servers": nat(1, lower_threshold=1) + nat(2, tunnel_type="gre")},
        {"fwmark": 7, "persistence_engine": "sip", "scheduler_flags": ["mh-port"]},
    ]
    assert refused(netns, quick, check, services=services) == [
        "services[0].one_packet: one-packet scheduling is for protocol udp only, not for tcp",
        "services[0].servers[0].lower_threshold: 1 is above upper_threshold 0, which was left out",
        "services[0].servers[1].tunnel_type: needs forwarding tunnel, not nat",
        "services[1].scheduler_flags: mh-port is not a flag of scheduler rr, which takes flag-1, flag-2, flag-3",
        "services[1].persistence_engine: needs persistence_timeout above 0",
    ]


def test_what_is_wrong_everywhere_is_told_of_the_first_places(netns, quick):
    services = [{**HTTP, "port": number, "schedular": "rr"} for number in range(1, 1001)]
    problem, _there_are = refused(netns, quick, services=services)
    where = "services[0].schedular, services[1].schedular, services[2].schedular and 997 more"
    assert problem == f"{where}: is not an option here"


def test_all_that_is_wrong_is_told_at_once_offline_too(quick):
    services = [{**HTTP, "one_packet": True}, {"fwmark": 0}]
    assert failed(quick("ipvs_table", state="rendered", services=services)).split("; ") == [
        "services[1].fwmark: 0 is not between 1 and 4294967295",
        "services[0].one_packet: one-packet scheduling is for protocol udp only, not for tcp",
    ]


@pytest.mark.parametrize(
    ("options", "start"),
    [
        ({"state": "gathered", "services": []}, "services: does not go with state gathered"),
        ({"state": "parsed"}, "running_config: is required with state parsed: text as ipvsadm-save -n writes it"),
        ({"state": "parsed", "running_config": "", "services": [HTTP]}, "services: does not go with state parsed"),
        (
            {"services": [HTTP], "running_config": "-A -f 1"},
            "running_config: does not go with state merged, only with parsed: text as ipvsadm-save -n writes it",
        ),
        ({"services": "web"}, "services: 'web' is not a list"),
        ({"services": {"address": "192.0.2.1"}}, "services: {'address': '192.0.2.1'} is not a list"),
        (
            {"services": [HTTP], "servers": []},
            "servers: is not an option here; there are allow_empty, allowed_actions, ",
        ),
        ({"services": [HTTP], "exclude": "10.0.0.0/8"}, "exclude: '10.0.0.0/8' is not a list"),
    ],
)
def test_options_that_make_no_sense_are_told(netns, quick, options, start):
    netns.restore(NOW)
    assert "; ".join(refused(netns, quick, **options)).startswith(start)


def test_one_packet_with_masqueraded_servers_is_warned_of_with_its_path(netns, quick):
    services = [HTTP, {"fwmark": 7, "one_packet": True, "servers": nat(1)}]
    (warning,) = warned(ok(quick("ipvs_table", services=services)))
    assert warning.startswith("services[1].one_packet: replies of masqueraded servers (198.51.100.1:0) leave with")


def test_scheduler_that_this_host_lacks_is_warned_of_in_check_mode(quick):
    services = [{**HTTP, "scheduler": "nosuch"}]
    (warning,) = warned(ok(quick("ipvs_table", check=True, services=services)))
    assert warning.startswith("scheduler: the kernel has no scheduler nosuch (its module ip_vs_nosuch is neither")


# Identity


def test_marks_from_2147483648_on(netns, make_netns, quick):
    """ipvsadm prints them as negative numbers, and takes them as we write them."""
    twin = make_netns()
    services = [
        {"fwmark": mark, "scheduler": "rr", "servers": [{"address": "198.51.100.1"}]}
        for mark in (2147483647, 2147483648, 4294967295)
    ]
    proved(quick, netns, twin, services=services)
    assert [line for line in netns.save() if line.startswith("-A")] == [
        "-A -f -1 -s rr",
        "-A -f -2147483648 -s rr",
        "-A -f 2147483647 -s rr",
    ]
    gathered = ok(quick("ipvs_table", state="gathered"))["gathered"]
    assert [service["fwmark"] for service in gathered] == [2147483647, 2147483648, 4294967295]
    proved(quick, netns, twin, state="deleted", services=services[1:])
    assert netns.save()[0] == "-A -f 2147483647 -s rr"


def test_any_spelling_is_the_same_entry(netns, quick):
    netns.restore("-A -t [2001:db8::1]:80 -s rr\n-a -t [2001:db8::1]:80 -r [2001:db8:1::1]:80 -m -w 1\n")
    services = [
        {
            "address": "[2001:0DB8:0:0::1]",
            "port": "80",
            "scheduler": "rr",
            "servers": [{"address": "2001:db8:1:0::1", "weight": "1", "forwarding": "nat"}],
        }
    ]
    assert ok(quick("ipvs_table", state="overridden", services=services))["changed"] is False
