# Copyright (c) 2026, the linux.lvs contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The same work with every pyroute2 that the file of pins names, each in a fresh interpreter."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.linux.lvs.tests.lab.fixtures import PYROUTE2
from ansible_collections.linux.lvs.tests.lab.modules import PACKAGE
from helpers import failed, ok, seen

PINS = subprocess.run([Path(__file__).parents[1] / "lab" / "pins", "pyroute2"], stdout=subprocess.PIPE, check=True)
PINNED = [line.partition("==")[2] for line in PINS.stdout.decode().splitlines()]
# 0.6 was split into packages: it is all imported, and from Python 3.11 on some can't be by their common name
IN_PARTS = [version for version in PINNED if version.startswith("0.6.")]
PROGRAM = f"""
import importlib, json, sys
from ansible.module_utils import basic
for line in sys.stdin:
    name, arguments = json.loads(line)
    basic._ANSIBLE_ARGS, basic._ANSIBLE_PROFILE = json.dumps({{"ANSIBLE_MODULE_ARGS": arguments}}).encode(), "legacy"
    try:
        importlib.import_module("{PACKAGE}." + name).main()
    except SystemExit:
        sys.stdout.flush()
loaded = sorted(name for name in sys.modules if name.partition(".")[0] == "pyroute2")
print(json.dumps(loaded))
if sys.argv[1:] == ["whole"]:
    import pyroute2
    print(json.dumps([pyroute2.__file__, pyroute2.IPRoute.__name__]))
"""

HTTP = {"address": "192.0.2.1", "port": 80}
HTTP6 = {"address": "2001:db8::1", "port": 80, "protocol": "sctp"}
DNS = {"address": "192.0.2.1", "port": 53, "protocol": "udp"}
GUE = {"forwarding": "tunnel", "tunnel_type": "gue", "tunnel_port": 6080, "tunnel_checksum": "csum"}
ADD = [
    ("ipvs_service", {**HTTP, "scheduler": "sh", "scheduler_flags": ["sh-port"], "persistence_timeout": 60}),
    ("ipvs_service", {**HTTP6, "persistence_timeout": 60, "persistence_netmask": "64"}),
    ("ipvs_service", {**DNS, "persistence_timeout": 9, "persistence_engine": "sip", "one_packet": True}),
    ("ipvs_service", {"fwmark": 7}),
    ("ipvs_service", {"fwmark": 7, "family": "ipv6", "scheduler": "none"}),
    (
        "ipvs_server",
        {"service": HTTP, "address": "198.51.100.1", "port": 8080, "forwarding": "nat", "upper_threshold": 9},
    ),
    ("ipvs_server", {"service": HTTP, "address": "198.51.100.2", **GUE}),
    ("ipvs_server", {"service": HTTP6, "address": "198.51.100.1", "forwarding": "tunnel", "tunnel_type": "gre"}),
    ("ipvs_server", {"service": {"fwmark": 7}, "address": "198.51.100.1", "weight": 2147483647}),
]
ADDED = [
    "-A --sctp-service [2001:db8::1]:80 -s wlc -p 60 -M 64",
    "-A -f 7 -6 -s none",
    "-A -f 7 -s wlc",
    "-A -t 192.0.2.1:80 -s sh -p 60 -b sh-port",
    "-A -u 192.0.2.1:53 -s wlc -p 9 --pe sip -o",
    "-a --sctp-service [2001:db8::1]:80 -r 198.51.100.1:80 -i -w 1 --tun-type gre --tun-nocsum",
    "-a -f 7 -r 198.51.100.1:0 -g -w 2147483647",
    "-a -t 192.0.2.1:80 -r 198.51.100.1:8080 -m -w 1",
    "-a -t 192.0.2.1:80 -r 198.51.100.2:80 -i -w 1 --tun-type gue --tun-port 6080 --tun-csum",
]
CHANGE = [
    ("ipvs_service", {**HTTP, "scheduler": "mh", "persistence_timeout": 0}),
    ("ipvs_service", {"fwmark": 7, "family": "ipv6", "state": "absent"}),
    ("ipvs_server", {"service": HTTP, "address": "198.51.100.2", "weight": 3}),
    ("ipvs_server", {"service": HTTP, "address": "198.51.100.1", "port": 8080, "state": "drained", "drain_timeout": 5}),
    ("ipvs_server", {"service": {"fwmark": 7}, "address": "198.51.100.1", "state": "absent", "drain_timeout": 5}),
]
CHANGED = [
    "-A --sctp-service [2001:db8::1]:80 -s wlc -p 60 -M 64",
    "-A -f 7 -s wlc",
    "-A -t 192.0.2.1:80 -s mh -b mh-port",
    "-A -u 192.0.2.1:53 -s wlc -p 9 --pe sip -o",
    "-a --sctp-service [2001:db8::1]:80 -r 198.51.100.1:80 -i -w 1 --tun-type gre --tun-nocsum",
    "-a -t 192.0.2.1:80 -r 198.51.100.1:8080 -m -w 0",
    "-a -t 192.0.2.1:80 -r 198.51.100.2:80 -i -w 3 --tun-type gue --tun-port 6080 --tun-csum",
]
REFUSED = [
    ("ipvs_service", {**HTTP, "scheduler": "nosuch"}),
    ("ipvs_server", {"service": HTTP6, "address": "fe80::1", "forwarding": "nat"}),
    ("ipvs_server", {"service": {"fwmark": 9}, "address": "198.51.100.1"}),
]


@pytest.fixture(params=PINNED)
def run(request, netns):
    """run([(module, options), …]) -> results, in one interpreter with this version of pyroute2."""
    directory, whole = PYROUTE2[request.param], request.param not in IN_PARTS

    def run_all(calls):
        lines = [json.dumps([name, {"netns": netns.name, **options}]) for name, options in calls]
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, *(["whole"] if whole else [])],
            input="\n".join(lines),
            env={**os.environ, "PYTHONPATH": f"{directory}{os.pathsep}{os.environ['PYTHONPATH']}"},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")
        answers = list(map(json.loads, filter(None, done.stdout.splitlines())))
        results, loaded, package = answers[: len(calls)], answers[len(calls)], answers[len(calls) + 1 :]
        if whole:  # only the part that is used was imported, and whoever wants the package afterwards has it
            parts = ("common", "config", "netlink", "netlink.exceptions")
            assert "pyroute2.netlink" in loaded and set(loaded) <= {f"pyroute2.{part}" for part in parts}
            assert package == [[f"{directory}/pyroute2/__init__.py", "IPRoute"]]
        return results

    return run_all


def test_adds_changes_drains_and_refuses(netns, run):
    changed = [ok(result)["changed"] for result in run(ADD + ADD)]
    assert changed == [True] * len(ADD) + [False] * len(ADD)
    assert netns.save() == ADDED
    assert seen(netns).limits["198.51.100.1:8080"] == (9, 0)
    *results, info = run([*CHANGE, *CHANGE, *REFUSED, ("ipvs_info", {})])
    changed, again, refused = results[:5], results[5:10], results[10:]
    assert [ok(result)["changed"] for result in changed] == [True] * 5
    assert [ok(result)["changed"] for result in again] == [False] * 5
    assert [drain["finished"] for result in changed for drain in result["drains"]] == [True, True]
    messages = [failed(result) for result in refused]
    assert "the kernel has no scheduler nosuch" in messages[0]
    assert "Invalid argument (EINVAL)" in messages[1]
    assert "service: fwmark 9 (ipv4) does not exist" in messages[2]
    assert netns.save() == CHANGED
    assert len(ok(info)["services"]) == len(info["stats"]) == 4
    assert info["version"]["ipvs"] == "1.2.1"


DAEMONS = [
    ("ipvs_sync_daemon", {"role": "master", "interface": "sync0", "sync_id": 7, "multicast_group": "ff02::81"}),
    ("ipvs_sync_daemon", {"role": "backup", "interface": "sync0", "sync_id": 9, "sync_maxlen": 1472}),
    ("ipvs_timeouts", {"tcp": 7500, "udp": 30}),
]
DAEMONS_CHANGED = [
    ("ipvs_sync_daemon", {"role": "master", "interface": "sync0", "sync_id": 8, "multicast_port": 9000}),
    ("ipvs_sync_daemon", {"role": "backup", "state": "absent"}),
]
DAEMONS_REFUSED = [
    ("ipvs_sync_daemon", {"role": "backup", "interface": "nosuch", "sync_id": 1}),
    ("ipvs_counters", {"service": HTTP}),
]


def test_sets_daemons_timeouts_and_counters(netns, run):
    netns.run("ip", "link", "add", "sync0", "type", "dummy")
    netns.run("ip", "link", "set", "sync0", "up")
    calls = DAEMONS + DAEMONS + DAEMONS_CHANGED + DAEMONS_CHANGED
    results = run([*calls, ("ipvs_counters", {}), ("ipvs_info", {}), *DAEMONS_REFUSED])
    assert [ok(result)["changed"] for result in results[:-4]] == [True] * 3 + [False] * 3 + [True] * 2 + [False] * 2
    counters, info, *refused = results[-4:]
    assert ok(counters)["changed"] is True
    assert [failed(result).partition(":")[0] for result in refused] == ["interface", "service"]
    assert netns.ipvsadm("-L", "--timeout") == "Timeout (tcp tcpfin udp): 7500 120 30\n"
    assert netns.ipvsadm("-L", "--daemon") == (
        "master sync daemon (mcast=sync0, syncid=8, maxlen=1452, group=ff02::81, port=9000, ttl=1)\n"
    )
    assert ok(info)["timeouts"] == {"tcp": 7500, "tcp_fin": 120, "udp": 30}
    master = {"role": "master", "interface": "sync0", "sync_id": 8, "sync_maxlen": 1452}
    assert info["daemons"] == [{**master, "multicast_group": "ff02::81", "multicast_port": 9000, "multicast_ttl": 1}]


def test_reads_a_table_of_many_chunks(netns, run):
    services = [f"-A -t 10.1.0.{number}:80 -s rr\n" for number in range(1, 251)]
    servers = [f"-a -t 10.1.0.1:80 -r 10.2.0.{number}:80 -g -w {number}\n" for number in range(1, 251)]
    netns.restore("".join(services + servers))
    (result,) = run([("ipvs_info", {"gather": ["services"]})])
    read = ok(result)["services"]
    assert len(read) == 250
    assert [server["weight"] for server in read[0]["servers"]] == list(range(1, 251))


def test_all_lines_of_pyroute2_are_pinned():
    """From the oldest that managed hosts have to the newest; one that does not fit is among them."""
    lines = [".".join(version.split(".")[:2]) for version in PINNED]
    assert list(dict.fromkeys(lines)) == ["0.5", "0.6", "0.7", "0.8", "0.9"]
