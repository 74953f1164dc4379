# Copyright (c) 2026, the linux.lvs contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What clients notice of changes: nothing."""

from __future__ import annotations

import re
import sys
import time

import pytest
from ansible_collections.linux.lvs.tests.lab.fixtures import TRAFFIC, Network
from ansible_collections.linux.lvs.tests.packets.clients import Crowd, HeldConnection

DOWNLOAD = 4  # s


def test_open_connections_survive_changes_of_weight_and_scheduler(web):
    net, service = web
    connections = [HeldConnection(net.client, net.VIP, 80) for _time in net.addresses]
    assert service.server(net.addresses[0], weight=5)["changed"]
    assert service.set(scheduler="wlc")["changed"]
    assert sorted(connection.ask() for connection in connections) == net.addresses


def test_an_open_connection_survives_weight_0(web):
    net, service = web
    connections = [HeldConnection(net.client, net.VIP, 80) for _time in net.addresses]
    assert service.server(net.addresses[0], weight=0)["changed"]
    assert {net.client.ask("http", net.VIP, 80) for _time in range(3)} == {net.addresses[1]}
    assert sorted(connection.ask() for connection in connections) == net.addresses


def test_no_request_fails_while_the_scheduler_changes(web):
    net, service = web
    with Crowd(net.client, net.VIP, 80) as crowd:
        for scheduler in ("wrr", "lc", "wlc", "sed", "nq", "fo", "ovf", "rr") * 2:
            assert service.set(scheduler=scheduler)["changed"]
    assert crowd.failures == []
    assert crowd.answered_by() == set(net.addresses)


def test_no_request_fails_while_servers_come_and_go(web):
    net, service = web
    with Crowd(net.client, net.VIP, 80) as crowd:
        for address in net.addresses * 3:
            gone = service.server(address, state="absent", drain_timeout=30)
            assert gone["drains"][0]["finished"]
            assert service.server(address, forwarding="nat")["changed"]
    assert crowd.failures == []
    assert crowd.answered_by() == set(net.addresses)


@pytest.fixture
def slow_download(web):
    """Downloads that take some seconds, one from each server, have begun. Called, waits for their end."""
    net, _service = web
    words = [sys.executable, TRAFFIC, "ask-http", net.VIP, 80, f"/slow/{DOWNLOAD}", 30]
    processes = [net.client.start(*words) for _time in net.addresses]
    deadline = time.monotonic() + 20
    while active_connections(net.director) != [1, 1]:
        assert time.monotonic() < deadline
        time.sleep(0.05)

    def must_be_whole():
        outputs = [process.communicate(timeout=30)[0] for process in processes]
        assert [process.returncode for process in processes] == [0, 0]
        assert sorted(output.split("\n")[0] for output in outputs) == net.addresses

    return must_be_whole


def active_connections(director):
    return [int(line.split()[4]) for line in director.ipvsadm("-Ln").splitlines() if "Masq" in line]


@pytest.mark.parametrize("state", ["drained", "absent"])
def test_a_drain_waits_for_a_slow_download_and_no_other_request_fails(web, slow_download, state):
    net, service = web
    with Crowd(net.client, net.VIP, 80) as crowd:
        result = service.server(net.addresses[0], state=state, drain_timeout=60)
        over = time.time()
        slow_download()
        time.sleep(0.5)
    (drain,) = result["drains"]
    assert drain["finished"]
    assert drain["connections"]["active"] == 0
    assert drain["seconds"] > 1
    assert crowd.failures == []
    assert crowd.answered_by(since=over) == {net.addresses[1]}
    weights = dict(re.findall(r"-r (\S+):80 -m -w (\d+)", "\n".join(net.director.save())))
    assert weights == (
        {net.addresses[0]: "0", net.addresses[1]: "1"} if state == "drained" else {net.addresses[1]: "1"}
    )


def icmp(director, name):
    """A counter of the ICMP messages of a host."""
    rows = [line.split() for line in director.run("cat", "/proc/net/snmp").stdout.splitlines()]
    names, numbers = (row for row in rows if row[0] == "Icmp:")
    return int(dict(zip(names, numbers))[name])


ASK = [sys.executable, TRAFFIC, "ask-http", Network.VIP, 80]
REFUSED, UNHEARD = "failed: ConnectionRefusedError(111, 'Connection refused')", "failed: TimeoutError('timed out')"


@pytest.mark.parametrize("limit", [0, 1000])
def test_a_service_goes_after_its_last_connection_and_takes_no_new_one_meanwhile(web, slow_download, limit):
    """Nobody to schedule to is told by ICMP (ip_vs_leave), of which a host gets one a second after a burst of six
    (net.ipv4.icmp_ratelimit): a client beyond that hears nothing, and asks again until its own time is up.
    """
    net, service = web
    net.director.run("sysctl", "-qw", f"net.ipv4.icmp_ratelimit={limit}")
    with Crowd(net.client, net.VIP, 80) as crowd:
        result = service.set(state="absent", drain_timeout=60)
        over = time.time()
        slow_download()
    assert [drain["finished"] for drain in result["drains"]] == [True, True]
    assert net.director.save() == []
    kinds = {failure.text for failure in crowd.failures}
    assert REFUSED in kinds
    assert kinds <= ({REFUSED, UNHEARD} if limit else {REFUSED})
    assert crowd.answered_by(since=over) <= {REFUSED}
    assert "Connection refused" in net.client.run(*ASK, check=False).stderr  # by TCP itself, as nobody listens there
    assert icmp(net.director, "OutDestUnreachs") > 0
    assert (icmp(net.director, "OutRateLimitHost") > 0) is bool(limit)


def test_a_drain_of_udp_waits_until_the_kernel_forgets_its_clients(network, service):
    net = network(servers=1)
    net.servers[0].serve("udp", 53, address="0.0.0.0")
    dns = service(address=net.VIP, port=53, protocol="udp").with_servers(net.addresses)
    net.director.ipvsadm("--set", 0, 0, 3)
    net.client.ask("udp", net.VIP, 53)
    (drain,) = dns.server(net.addresses[0], state="drained", drain_timeout=30)["drains"]
    assert drain["finished"]
    assert drain["seconds"] > 1


def test_persistent_clients_leave_a_drained_server_only_with_the_sysctl_that_the_warning_names(web):
    net, service = web
    service.set(persistence_timeout=300)
    mine = net.client.ask("http", net.VIP, 80)
    other = ({*net.addresses} - {mine}).pop()
    result = service.server(mine, state="drained")
    assert "net.ipv4.vs.expire_quiescent_template" in str(result["warnings"])
    assert net.client.ask("http", net.VIP, 80) == mine
    net.director.run("sysctl", "-qw", "net.ipv4.vs.expire_quiescent_template=1")
    assert net.client.ask("http", net.VIP, 80) == other


@pytest.mark.parametrize("scheduler", ["sh", "mh"])
def test_hashed_clients_of_a_drained_server_are_refused_without_the_fallback_flag(web, scheduler):
    net, service = web
    service.set(scheduler=scheduler)
    mine = net.client.ask("http", net.VIP, 80)
    other = ({*net.addresses} - {mine}).pop()
    result = service.server(mine, state="drained")
    assert f"{scheduler}-fallback" in str(result["warnings"])
    assert net.client.ask("http", net.VIP, 80, check=False) == ""
    service.set(scheduler_flags=[f"{scheduler}-fallback"])
    assert net.client.ask("http", net.VIP, 80) == other
