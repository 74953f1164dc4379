# Copyright (c) 2026, the linux.lvs contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each state of ipvs_table on a table that has everything."""

from __future__ import annotations

import gc
import re

import pytest
from helpers import failed, ok, proved, seen

HTTP = {"address": "192.0.2.1", "port": 80}
WEB = "-t 192.0.2.1:80"
NOW = """\
-A -t 192.0.2.1:80 -s sh -p 600 -M 255.255.255.0 -b sh-fallback,sh-port
-a -t 192.0.2.1:80 -r 198.51.100.1:8080 -m -w 5 -x 9 -y 8
-a -t 192.0.2.1:80 -r 198.51.100.2:80 -i -w 3 --tun-type gue --tun-port 6080 --tun-csum
-a -t 192.0.2.1:80 -r [2001:db8:1::1]:80 -i -w 2 --tun-type gre --tun-nocsum
-A -t 192.0.2.2:0 -s rr -p 60
-a -t 192.0.2.2:0 -r 198.51.100.1:0 -g -w 0
-A -u 192.0.2.1:5060 -s wlc -p 60 --pe sip -o
-a -u 192.0.2.1:5060 -r 198.51.100.1:5060 -g -w 2147483647 -x 2147483647 -y 2147483646
-A --sctp-service [2001:db8::1]:80 -s mh -p 2678400 -M 64 -b flag-3
-a --sctp-service [2001:db8::1]:80 -r [2001:db8:1::1]:81 -m -w 1
-a --sctp-service [2001:db8::1]:80 -r 198.51.100.9:80 -i -w 1
-A -f 7 -s none
-a -f 7 -r 198.51.100.1:0 -g -w 1
-A -f 7 -6 -s rr -o
-a -f 7 -6 -r [2001:db8:1::1]:0 -g -w 1
-A -f 4294967295 -s lblcr
"""
KEYS = [
    HTTP,
    {"address": "192.0.2.2", "port": 0},
    {"address": "192.0.2.1", "port": 5060, "protocol": "udp"},
    {"address": "2001:db8::1", "port": 80, "protocol": "sctp"},
    {"fwmark": 7},
    {"fwmark": 7, "family": "ipv6"},
    {"fwmark": 4294967295},
]
SERVER = {"address": "198.51.100.1", "port": 8080}


def without(*words):
    """The table without the lines that begin so."""
    return "".join(f"{line}\n" for line in NOW.splitlines() if not line.startswith(words))


def only(*words):
    return "".join(f"{line}\n" for line in NOW.splitlines() if line.startswith(words))


def becomes(old, new):
    assert old in NOW
    return NOW.replace(old, new)


HTTP_LINES = ("-A -t 192.0.2.1:80 ", "-a -t 192.0.2.1:80 ")
MARK_LINES = ("-A -f 7 -s", "-a -f 7 -r")
FIRST_LINE = "-A -t 192.0.2.1:80 -s sh -p 600 -M 255.255.255.0 -b sh-fallback,sh-port\n"
OTHER_SERVERS = ("-a -t 192.0.2.1:80 -r 198.51.100.2:80 ", "-a -t 192.0.2.1:80 -r [2001:db8:1::1]:80 ")

# name: state, options, the table afterwards in the words of ipvsadm -R
CASES = {
    "merged keeps every option that is left out": ("merged", {"services": KEYS}, NOW),
    "merged keeps every option of servers that is left out": (
        "merged",
        {"services": [{**HTTP, "servers": [SERVER, {"address": "198.51.100.2"}, {"address": "2001:db8:1::1"}]}]},
        NOW,
    ),
    "merged changes one option and nothing else": (
        "merged",
        {"services": [{**HTTP, "persistence_timeout": 90, "servers": [{**SERVER, "weight": 0}]}]},
        becomes("-p 600", "-p 90").replace("-m -w 5", "-m -w 0"),
    ),
    "merged adds services and servers": (
        "merged",
        {
            "services": [
                {**HTTP, "servers": [{"address": "198.51.100.3", "forwarding": "tunnel", "weight": 0}]},
                {
                    "fwmark": 8,
                    "scheduler": "mh",
                    "scheduler_flags": ["mh-port"],
                    "servers": [{"address": "2001:db8:1::2", "forwarding": "tunnel"}],
                },
            ]
        },
        f"{NOW}-a {WEB} -r 198.51.100.3:80 -i -w 0\n-A -f 8 -s mh -b mh-port\n-a -f 8 -r [2001:db8:1::2]:0 -i -w 1\n",
    ),
    "merged adds with defaults": (
        "merged",
        {"services": [{**HTTP, "servers": [{"address": "198.51.100.3"}]}, {"fwmark": 8, "servers": []}]},
        f"{NOW}-a {WEB} -r 198.51.100.3:80\n-A -f 8\n",
    ),
    "merged with no services does nothing": ("merged", {"services": []}, NOW),
    "merged with no servers removes none": ("merged", {"services": [{**HTTP, "servers": []}]}, NOW),
    "replaced resets what is left out, and keeps servers where they are left out": (
        "replaced",
        {"services": [HTTP]},
        becomes(FIRST_LINE, f"-A {WEB} -s wlc\n"),
    ),
    "replaced resets servers and removes those that are not listed": (
        "replaced",
        {"services": [{**HTTP, "scheduler": "rr", "servers": [{**SERVER, "forwarding": "nat"}]}]},
        f"-A {WEB} -s rr\n-a {WEB} -r 198.51.100.1:8080 -m -w 1\n" + without(*HTTP_LINES),
    ),
    "replaced with no servers has none": (
        "replaced",
        {"services": [{**HTTP, "servers": []}]},
        f"-A {WEB} -s wlc\n" + without(*HTTP_LINES),
    ),
    "replaced adds a service that is not there": (
        "replaced",
        {"services": [{"fwmark": 8, "servers": [{"address": "198.51.100.3"}]}]},
        f"{NOW}-A -f 8\n-a -f 8 -r 198.51.100.3:0\n",
    ),
    "replaced with no services does nothing": ("replaced", {"services": []}, NOW),
    "overridden leaves nothing else": (
        "overridden",
        {"services": [{**HTTP, "scheduler": "rr", "servers": [{**SERVER, "forwarding": "nat", "weight": 4}]}]},
        f"-A {WEB} -s rr\n-a {WEB} -r 198.51.100.1:8080 -m -w 4\n",
    ),
    "overridden keeps servers where they are left out": (
        "overridden",
        {"services": [HTTP, {"fwmark": 7, "scheduler": "none"}]},
        f"-A {WEB} -s wlc\n" + only("-a -t 192.0.2.1:80 ", *MARK_LINES),
    ),
    "overridden with one that is not there": ("overridden", {"services": [{"fwmark": 8}]}, "-A -f 8\n"),
    "overridden with nothing, allowed": ("overridden", {"services": [], "allow_empty": True}, ""),
    "deleted takes those listed with their servers": (
        "deleted",
        {"services": [{**HTTP, "scheduler": "rr", "servers": []}, {"fwmark": "7"}, {"fwmark": 9}]},
        without(*HTTP_LINES, *MARK_LINES),
    ),
    "deleted without services takes all": ("deleted", {}, ""),
    "deleted with no services takes none": ("deleted", {"services": []}, NOW),
}


@pytest.fixture
def twin(make_netns):
    return make_netns()


@pytest.mark.parametrize(("state", "options", "expected"), CASES.values(), ids=CASES)
def test_state_makes_the_table_so_as_predicted_and_by_hand_too(
    netns, twin, make_netns, quick, state, options, expected
):
    for namespace in (netns, twin):
        namespace.restore(NOW)
    wanted = make_netns()
    result, after = proved(quick, netns, twin, state=state, **options)
    assert after == seen(wanted, f"ipvsadm -R <<'END'\n{expected}END").configuration
    assert result["changed"] is (expected != NOW)


def test_results_hold_what_is_touched_and_nothing_else(netns, quick):
    netns.restore(NOW)
    result = ok(
        quick("ipvs_table", diff=True, services=[{"fwmark": 7, "servers": [{"address": "198.51.100.1", "weight": 2}]}])
    )
    (before,), (after,) = result["before"], result["after"]
    assert (before["fwmark"], before["family"]) == (7, "ipv4")
    assert [entry["servers"][0]["weight"] for entry in (before, after)] == [1, 2]
    assert result["diff"] == {
        "before": "-A -f 7 -s none\n-a -f 7 -r 198.51.100.1:0 -g -w 1\n",
        "after": "-A -f 7 -s none\n-a -f 7 -r 198.51.100.1:0 -g -w 2\n",
    }
    assert result["drains"] == []


def test_order_of_the_services_has_no_influence(make_netns, quick):
    """A fresh table is filled in one order, which sh and mh need to map clients alike."""
    servers = [{"address": f"198.51.100.{number}"} for number in range(1, 6)]
    services = [
        {**key, "scheduler": "rr", "persistence_timeout": 9, "servers": servers}
        for key in KEYS
        if "family" not in key and "2001" not in key.get("address", "")
    ]
    listed = []
    for turned in (services, [{**entry, "servers": servers[::-1]} for entry in reversed(services)]):
        namespace = make_netns()
        result = ok(quick("ipvs_table", netns=namespace.name, services=turned))
        prefix = f"ip netns exec {namespace.name} "
        listed.append(([line[len(prefix) :] for line in result["commands"]], namespace.ipvsadm("-Ln")))
    assert listed[0] == listed[1]


# Reading


def test_gathered_is_what_info_returns_and_declared_again_changes_nothing(netns, quick):
    netns.restore(NOW)
    before = seen(netns)
    gathered = ok(quick("ipvs_table", state="gathered"))
    assert gathered["changed"] is False
    assert gathered["gathered"] == ok(quick("ipvs_info", gather=["services"]))["services"]
    assert len(gathered["gathered"]) == len(KEYS)
    for state in ("merged", "replaced", "overridden"):
        result = ok(quick("ipvs_table", state=state, services=gathered["gathered"]))
        assert (result["changed"], result["commands"]) == (False, []), state
    assert seen(netns) == before


def test_gathered_restores_the_table_elsewhere(netns, twin, quick):
    netns.restore(NOW)
    services = ok(quick("ipvs_table", state="gathered"))["gathered"]
    ok(quick("ipvs_table", netns=twin.name, state="overridden", services=services))
    assert seen(twin).configuration == seen(netns).configuration
    assert ok(quick("ipvs_table", netns=twin.name, state="gathered"))["gathered"] == services


def test_gathered_of_an_empty_table_is_empty(quick):
    assert ok(quick("ipvs_table", state="gathered"))["gathered"] == []


def test_rendered_is_what_ipvsadm_restores(netns, twin, quick):
    netns.restore(NOW)
    services = ok(quick("ipvs_table", state="gathered"))["gathered"]
    result = ok(quick("ipvs_table", state="rendered", services=services))
    assert result["changed"] is False
    twin.restore("".join(f"{line}\n" for line in result["rendered"]))
    assert seen(twin).configuration == seen(netns).configuration


def test_the_process_goes_on_collecting_garbage(quick):
    """That of Mitogen has other modules to run."""
    ok(quick("ipvs_table", state="rendered", services=[]))
    assert gc.isenabled()


def test_rendered_fills_in_the_defaults(quick):
    services = [{**HTTP, "servers": [{"address": "198.51.100.1"}]}, {"fwmark": 7, "persistence_timeout": 60}]
    assert ok(quick("ipvs_table", state="rendered", services=services))["rendered"] == [
        f"-A {WEB} -s wlc",
        f"-a {WEB} -r 198.51.100.1:80 -g -w 1",
        "-A -f 7 -s wlc -p 60",
    ]


def test_parsed_is_what_ipvsadm_saved(netns, twin, quick):
    """But for what its save text lacks: thresholds and the third flag, and marks that it writes as negative numbers."""
    netns.restore(re.sub(r" -x \d+ -y \d+| -b flag-3|-A -f 4294967295 .*\n", "", NOW))
    services = ok(quick("ipvs_table", state="parsed", running_config=netns.ipvsadm("-Sn")))["parsed"]
    ok(quick("ipvs_table", netns=twin.name, services=services))
    assert seen(twin).configuration == seen(netns).configuration
    assert services == ok(quick("ipvs_table", state="gathered"))["gathered"]


def test_parsed_leaves_out_what_is_excluded(quick):
    text = "-A -t 192.0.2.1:80 -s rr\n-A -t 192.0.2.2:80 -s rr\n"
    exclude = [{"network": "192.0.2.1/32"}]
    (left,) = ok(quick("ipvs_table", state="parsed", running_config=text, exclude=exclude))["parsed"]
    assert left["address"] == "192.0.2.2"


def test_parsed_takes_thresholds_and_rendered_gives_them_back(quick):
    parsed = ok(quick("ipvs_table", state="parsed", running_config=NOW))["parsed"]
    rendered = ok(quick("ipvs_table", state="rendered", services=parsed))["rendered"]
    complete = NOW.replace("198.51.100.9:80 -i -w 1", "198.51.100.9:80 -i -w 1 --tun-type ipip")
    assert sorted(rendered) == sorted(complete.splitlines())


def test_mark_that_ipvsadm_writes_as_a_negative_number_is_explained(netns, quick):
    netns.restore(f"-A {WEB} -s rr\n-A -f 4294967295 -s rr\n")
    text = "\n".join(netns.save())
    assert failed(quick("ipvs_table", state="parsed", running_config=text)) == (
        "running_config: line 1: --fwmark-service: -1 is how ipvsadm -S writes the mark 4294967295, and refuses it itself;"
        " write 4294967295: -A -f -1 -s rr"
    )


def test_every_bad_line_of_a_file_is_told_by_its_number(quick):
    text = (
        f"# saved\n-A {WEB} -s rr\n-A {WEB} -s rr\n\n-a {WEB} -r 198.51.100.1:80 -w x\n-a -f 7 -r 198.51.100.1:0\n-L\n"
    )
    message = failed(quick("ipvs_table", state="parsed", running_config=text))
    assert re.findall(r"running_config: line (\d+): ", message) == ["3", "5", "6", "7"]


@pytest.mark.parametrize(
    "options",
    [
        {"state": "rendered", "services": [HTTP]},
        {"state": "parsed", "running_config": f"-A {WEB} -s rr\n"},
    ],
    ids=["rendered", "parsed"],
)
def test_offline_states_need_nothing_of_the_host(module, bare, options):
    """Neither pyroute2 nor the namespace nor any right."""
    prefix = ["setpriv", "--bounding-set=-all"]
    for check in (False, True):
        result = ok(module.subprocess("ipvs_table", netns="nosuch", check=check, prefix=prefix, **bare, **options))
        assert result[options["state"]]
