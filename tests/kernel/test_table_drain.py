# Copyright (c) 2026, the linux.lvs contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers and services that go with real connections: waited for together, without the lock, and planned again."""

from __future__ import annotations

import time

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.linux.lvs.plugins.module_utils import _apply, _host
from helpers import Beside, eventually, ok, seen, warned

PORTS = (80, 81)


class Site:
    """Two services with the same two servers, and a connection to each server of each of them."""

    def __init__(self, net, traffic):
        self.net, self.director, self.traffic = net, net.director, traffic
        self.first, self.second = net.addresses
        lines = []
        for port in PORTS:
            lines.append(f"-A -t {net.VIP}:{port} -s rr")
            lines += [f"-a -t {net.VIP}:{port} -r {address}:{port} -m -w 1" for address in net.addresses]
            for server in net.servers:
                traffic.listen(server, "tcp", port)
        self.lines = lines
        self.director.restore("".join(f"{line}\n" for line in lines))
        self.connections = {
            port: [traffic.connect(net.client, "tcp", net.VIP, port) for _time in "ab"] for port in PORTS
        }

    def service(self, port, *addresses):
        servers = [{"address": address, "forwarding": "nat"} for address in addresses]
        return {"address": self.net.VIP, "port": port, "scheduler": "rr", "servers": servers}

    def weights(self):
        words = [line.split() for line in self.director.save() if line.startswith("-a")]
        return {line[4]: int(line[7]) for line in words if line[2].endswith(":80")}

    def end(self, port):
        for connection in self.connections[port]:
            self.traffic.end(connection)

    def draining(self, count):
        """Whether so many servers have weight 0."""
        return sum(line.endswith("-w 0") for line in self.director.save()) == count


@pytest.fixture
def site(network, traffic):
    return Site(network(servers=2), traffic)


def entries(result):
    return [(drain["service"]["port"], drain["address"], drain["finished"]) for drain in result["drains"]]


def test_wait_is_the_longest_and_not_the_sum(site, module):
    """A server of one service and the whole other service, three servers whose connections never end."""
    options = {"state": "overridden", "services": [site.service(80, site.second)], "drain_timeout": 2}
    before = seen(site.director)
    predicted = ok(module("ipvs_table", check=True, **options))
    assert seen(site.director) == before
    assert predicted["drains"] == []
    begin = time.monotonic()
    result = ok(module("ipvs_table", **options))
    assert time.monotonic() - begin < 4
    for key in ("commands", "before", "after"):
        assert result[key] == predicted[key], key
    assert entries(result) == [(80, site.first, False), (81, site.first, False), (81, site.second, False)]
    assert [round(drain["seconds"]) for drain in result["drains"]] == [2, 2, 2]
    assert [drain["connections"]["active"] for drain in result["drains"]] == [1, 1, 1]
    assert site.director.save() == [site.lines[0], site.lines[2]]
    verbs = [command.partition("ipvsadm ")[2].split()[0] for command in result["commands"]]
    assert verbs == ["-e", "-e", "-e", "-d", "-D"]


def test_each_server_tells_how_long_it_took(site, module):
    options = {"state": "replaced", "services": [site.service(80), site.service(81, site.first)], "drain_timeout": 60}
    drain = Beside(module, "ipvs_table", **options)
    eventually(lambda: site.draining(3))
    site.end(80)
    time.sleep(2)
    site.end(81)
    result = ok(drain.result())
    assert entries(result) == [(80, site.first, True), (80, site.second, True), (81, site.second, True)]
    first, second, other = (each["seconds"] for each in result["drains"])
    assert first == second
    assert 1 <= other - first <= 4
    assert site.director.save() == [site.lines[0], site.lines[3], site.lines[4]]


@pytest.mark.parametrize(("wait_for", "ends"), [(["active"], True), (["inactive"], False)])
def test_kinds_can_be_chosen(site, module, wait_for, ends):
    """The closed connections are inactive for a minute."""
    site.end(81)
    options = {"state": "deleted", "services": [site.service(81)], "drain_timeout": 2, "drain_wait_for": wait_for}
    assert entries(ok(module("ipvs_table", **options))) == [(81, site.first, ends), (81, site.second, ends)]
    assert site.director.save() == site.lines[:3]


def test_long_wait_is_told_in_the_log(site, module, monkeypatch, tmp_path):
    log = tmp_path / "log"
    monkeypatch.setattr(AnsibleModule, "log", lambda self, line, log_args=None: log.open("a").write(f"{line}\n"))
    monkeypatch.setattr(_apply, "DRAIN_REPORT", 1.0)
    result = ok(module("ipvs_table", state="deleted", services=[site.service(81)], drain_timeout=3))
    lines = log.read_text().splitlines()
    assert [line for line in lines if "ipvsadm" in line] == result["commands"]
    told = [line for line in lines if line.startswith("draining since ")]
    assert 1 <= len(told) <= 3
    title = f"tcp {site.net.VIP}:81"
    assert told[0] == (
        f"draining since 1 s: {title} -> {site.first}:81 has 1 active, 0 inactive, 0 persistent,"
        f" {title} -> {site.second}:81 has 1 active, 0 inactive, 0 persistent"
    )
    places = [lines.index(line) for line in (result["commands"][1], told[0], result["commands"][-1])]
    assert places == sorted(places)


def test_another_run_goes_through_at_once_while_one_waits_for_an_hour(site, module, monkeypatch):
    monkeypatch.setattr(_host, "LOCK_WAIT", 0.5)
    options = {"state": "deleted", "services": [site.service(81)], "drain_timeout": 3600}
    drain = Beside(module, "ipvs_table", timeout=300, **options)
    eventually(lambda: site.draining(2))
    begin = time.monotonic()
    more = {**site.service(80), "servers": [{"address": site.first, "weight": 7}]}
    assert ok(module("ipvs_table", services=[more, {"fwmark": 7}]))["changed"] is True
    assert time.monotonic() - begin < 3
    site.end(81)
    assert entries(ok(drain.result())) == [(81, site.first, True), (81, site.second, True)]
    assert site.director.save() == [
        "-A -f 7 -s wlc",
        site.lines[0],
        site.lines[1].replace("-w 1", "-w 7"),
        site.lines[2],
    ]


def test_table_is_planned_again_after_the_wait(site, module):
    """It becomes what was declared, whatever others did meanwhile; what they added is drained as well."""
    options = {"state": "overridden", "services": [site.service(80, site.first, site.second)], "drain_timeout": 60}
    drain = Beside(module, "ipvs_table", **options)
    eventually(lambda: site.draining(2))
    site.director.restore(
        f"-E -t {site.net.VIP}:80 -s lc\n-A -f 7 -s rr\n-a -f 7 -r {site.first}:0 -g -w 5\n"
        f"-d -t {site.net.VIP}:80 -r {site.second}:80\n-e -t {site.net.VIP}:81 -r {site.first}:81 -m -w 9\n"
    )
    site.end(81)
    result = ok(drain.result())
    assert site.director.save() == site.lines[:3]
    drained = [(each["service"].get("fwmark") or each["service"]["port"], each["address"]) for each in result["drains"]]
    assert sorted(drained) == [(7, site.first), (81, site.first), (81, site.second)]
    assert all(each["finished"] for each in result["drains"])


def test_connections_that_a_declared_server_gets_meanwhile_are_not_waited_for(site, module):
    drain = Beside(module, "ipvs_table", state="replaced", services=[site.service(80, site.first)], drain_timeout=60)
    eventually(lambda: site.draining(1))
    for _time in range(3):
        site.traffic.connect(site.net.client, "tcp", site.net.VIP, 80)
    site.end(80)
    assert entries(ok(drain.result())) == [(80, site.second, True)]
    assert site.weights() == {f"{site.first}:80": 1}


TABLE = "-A -f 1 -s rr\n-a -f 1 -r 198.51.100.1:0 -g -w 1\n-A -f 2 -s rr\n-a -f 2 -r 198.51.100.1:0 -g -w 1\n"


def test_nothing_that_goes_is_nothing_to_wait_for(netns, quick):
    netns.restore(TABLE)
    begin = time.monotonic()
    services = [{"fwmark": mark, "scheduler": "lc", "servers": [{"address": "198.51.100.1"}]} for mark in (1, 2)]
    result = ok(quick("ipvs_table", state="overridden", services=services, drain_timeout=60))
    assert (len(result["commands"]), result["drains"]) == (2, [])
    assert time.monotonic() - begin < 5


def test_without_a_timeout_what_goes_goes_at_once(netns, quick):
    netns.restore(TABLE)
    result = ok(quick("ipvs_table", state="deleted", services=[{"fwmark": 2}]))
    assert (len(result["commands"]), result["drains"]) == (1, [])
    assert netns.save() == TABLE.splitlines()[:2]


@pytest.mark.parametrize("check", [False, True], ids=["real", "check"])
def test_services_that_refuse_clients_meanwhile_are_warned_of(netns, quick, check):
    netns.restore(
        "-A -f 1 -s sh\n-a -f 1 -r 198.51.100.1:0 -g -w 1\n-A -f 2 -s rr -p 9\n-a -f 2 -r 198.51.100.1:0 -g -w 1\n"
    )
    warnings = warned(ok(quick("ipvs_table", check=check, state="deleted", drain_timeout=5)))
    assert [warning.partition(": ")[0] for warning in warnings] == [
        "fwmark 1 (ipv4) uses scheduler sh without sh-fallback",
        "fwmark 2 (ipv4) is persistent and net.ipv4.vs.expire_quiescent_template is 0",
    ]


def test_service_that_keeps_clients_from_another_one_meanwhile_is_warned_of(site, module):
    """The kernel looks for the service of the port first, whatever the weights of its servers."""
    vip, first = site.net.VIP, site.first
    site.director.restore(f"-A -t {vip}:0 -s rr -p 60\n-a -t {vip}:0 -r {first}:0 -m -w 1\n")
    options = {"state": "deleted", "services": [site.service(81)]}
    assert warned(ok(module("ipvs_table", check=True, **options))) == []
    sentence = (
        f"tcp {vip}:81 is drained before it goes: for up to 30 s its new clients are refused instead of sent to"
        f" tcp {vip}:0, which takes them at once where drain_timeout is 0"
    )
    assert sentence in warned(ok(module("ipvs_table", check=True, drain_timeout=30, **options)))
    drain = Beside(module, "ipvs_table", drain_timeout=30, **options)
    eventually(lambda: site.draining(2))
    with pytest.raises(OSError):
        site.traffic.connect(site.net.client, "tcp", vip, 81)
    site.end(81)
    assert sentence in warned(ok(drain.result()))
    site.traffic.connect(site.net.client, "tcp", vip, 81)
