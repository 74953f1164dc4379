# Copyright (c) 2026, the linux.lvs contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Draining servers that have real connections."""

from __future__ import annotations

import pytest
from ansible_collections.linux.lvs.plugins.module_utils._netlink import Kernel
from helpers import Beside, eventually, failed, ok, played, seen, warned

LETTERS = {"tcp": "-t", "udp": "-u", "sctp": "--sctp-service"}
QUIESCENT = "net.ipv4.vs.expire_quiescent_template"
MARK = 7


class Site:
    """A service with two servers, and how to reach it."""

    def __init__(self, net, module, traffic, protocol, words, marked, six):
        self.module, self.traffic, self.protocol = module, traffic, protocol
        self.director, self.client = net.director, net.client
        self.vip, addresses = (net.VIP6, net.addresses6) if six else (net.VIP, net.addresses)
        self.first, self.second = addresses
        shown = f"[{self.vip}]" if six else self.vip
        if marked:
            family = "ipv6" if six else "ipv4"
            self.service, self.name, port = {"fwmark": MARK, "family": family}, f"-f {MARK}{' -6' * six}", 0
            self.title = f"fwmark {MARK} ({family})"
        else:
            self.service, port = {"address": self.vip, "port": 80, "protocol": protocol}, 80
            self.name = f"{LETTERS[protocol]} {shown}:80"
            self.title = f"{protocol} {shown}:80"
        self.marked, self.port = marked, port
        servers = [f"-a {self.name} -r {self.real(address)} -m -w 1\n" for address in addresses]
        self.director.restore(f"-A {self.name} {words}\n{''.join(servers)}")
        for server in net.servers:
            traffic.listen(server, protocol, 80)

    def real(self, address):
        """A server as ipvsadm writes it."""
        return f"[{address}]:{self.port}" if ":" in address else f"{address}:{self.port}"

    def connect(self):
        """A connection; through a mark from the director itself, where a socket can set one."""
        if self.marked:
            return self.traffic.connect(self.director, self.protocol, self.vip, 80, mark=MARK)
        return self.traffic.connect(self.client, self.protocol, self.vip, 80)

    def server(self, state, **options):
        return self.module("ipvs_server", service=self.service, address=self.first, state=state, **options)

    def weights(self):
        words = [line.split() for line in self.director.save() if line.startswith("-a")]
        return {host(line[line.index("-r") + 1]): int(line[line.index("-w") + 1]) for line in words}

    def connections(self):
        """(active, inactive) by server, as ipvsadm counts them."""
        rows = [line.split() for line in self.director.ipvsadm("-Ln").splitlines() if "-> " in line][1:]
        return {host(row[1]): (int(row[4]), int(row[5])) for row in rows}

    def busy(self):
        """The first server that has connections."""
        return next(address for address, counts in self.connections().items() if any(counts))


def host(endpoint):
    return endpoint.rpartition(":")[0].strip("[]")


@pytest.fixture
def site(network, module, traffic):
    """site(protocol="tcp", words="-s rr", marked=False, six=False) -> Site."""

    def make(protocol="tcp", words="-s rr", marked=False, six=False):
        return Site(network(servers=2), module, traffic, protocol, words, marked, six)

    return make


def expire_templates(netns, value):
    netns.run("sysctl", "-qw", f"{QUIESCENT}={value}")


def left(result):
    """(finished, connections) of the only drain."""
    (drain,) = result["drains"]
    return drain["finished"], drain["connections"]


# Waiting


@pytest.mark.parametrize("protocol", ["tcp", "sctp"])
@pytest.mark.parametrize("state", ["drained", "absent"])
def test_waits_until_the_last_connection_closes(site, protocol, state):
    here = site(protocol)
    connections = [here.connect() for _time in range(2)]
    assert here.connections()[here.first] == (1, 0)
    drain = Beside(here.server, state, drain_timeout=60)
    eventually(lambda: here.weights()[here.first] == 0)
    for connection in connections:
        here.traffic.end(connection)
    result = ok(drain.result())
    (entry,) = result["drains"]
    assert entry["service"] == here.service
    assert (entry["address"], entry["port"], entry["finished"]) == (here.first, 80, True)
    assert entry["connections"]["active"] == 0
    assert 0.5 <= entry["seconds"] < 30
    assert here.weights() == ({here.first: 0, here.second: 1} if state == "drained" else {here.second: 1})
    assert len(result["commands"]) == {"drained": 1, "absent": 2}[state]


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_waits_for_all_kinds_of_a_mark(site, protocol):
    here = site(protocol, marked=True)
    for _time in range(2):
        here.connect()
    kind = {"tcp": (1, 0), "udp": (0, 1)}[protocol]
    assert here.connections()[here.first] == kind
    result = here.server("drained", drain_timeout=1)
    assert f"{here.title} -> {here.first}:0 has {kind[0]} active, {kind[1]} inactive, 0 persistent" in failed(result)


# The kernel forgets UDP by time-out alone, which the tests make short
ENDING = {
    "udp": {"protocol": "udp"},
    "udp over IPv6": {"protocol": "udp", "six": True},
    "mark": {"protocol": "udp", "marked": True},
    "mark over IPv6": {"protocol": "udp", "marked": True, "six": True},
    "persistent": {"protocol": "udp", "words": "-s rr -p 2"},
}


@pytest.fixture(params=ENDING.values(), ids=ENDING)
def ending(request, site, make_netns):
    """A site whose connections end in two seconds, and a namespace with the same table."""
    here, twin = site(**request.param), make_netns()
    expire_templates(here.director, 0)
    here.director.ipvsadm("--set", "0", "0", "2")
    twin.restore("".join(f"{line}\n" for line in here.director.save()))
    for _time in range(2):
        here.connect()
    return here, twin


@pytest.mark.parametrize("state", ["drained", "absent"])
def test_waits_for_what_ends_by_time_out(ending, state):
    here, twin = ending
    busy = here.busy()
    result = ok(here.module("ipvs_server", service=here.service, address=busy, state=state, drain_timeout=60))
    assert left(result) == (True, {"active": 0, "inactive": 0, "persistent": 0})
    assert here.weights().get(busy) == {"drained": 0, "absent": None}[state]
    prefix, server = f"ip netns exec {here.director.name} ipvsadm", f"{here.name} -r {here.real(busy)}"
    expected = [f"{prefix} -e {server} -m -w 0", f"{prefix} -d {server}"]
    assert result["commands"] == expected[: {"drained": 1, "absent": 2}[state]]
    assert played(result["commands"], here.director, twin).configuration == seen(here.director).configuration


def test_service_that_goes_waits_for_what_ends_by_time_out(ending):
    here, twin = ending
    result = ok(here.module("ipvs_service", **here.service, state="absent", drain_timeout=60))
    assert [(entry["address"], entry["finished"]) for entry in result["drains"]] == [
        (here.first, True),
        (here.second, True),
    ]
    assert here.director.save() == []
    prefix = f"ip netns exec {here.director.name} ipvsadm"
    assert result["commands"] == [
        *(f"{prefix} -e {here.name} -r {here.real(address)} -m -w 0" for address in (here.first, here.second)),
        f"{prefix} -D {here.name}",
    ]
    assert played(result["commands"], here.director, twin).save == ()


@pytest.mark.parametrize("marked", [False, True], ids=["address", "mark"])
def test_waits_until_the_last_connection_over_ipv6_closes(site, marked):
    here = site(marked=marked, six=True)
    connections = [here.connect() for _time in range(2)]
    assert here.connections()[here.first] == (1, 0)
    drain = Beside(here.server, "absent", drain_timeout=60, drain_wait_for=["active"])
    eventually(lambda: here.weights()[here.first] == 0)
    for connection in connections:
        here.traffic.end(connection)
    finished, connections = left(ok(drain.result()))
    assert (finished, connections["active"]) == (True, 0)
    assert here.weights() == {here.second: 1}


TOLD = {
    "tcp": (
        "has 1 active, 0 inactive, 0 persistent."
        " Active ones end when client or server close them; peers that vanished stay up to 900 s."
    ),
    "sctp": (
        "has 1 active, 0 inactive, 0 persistent."
        " Active ones end when client or server close them; peers that vanished stay up to 900 s."
    ),
    "udp": (
        "has 0 active, 1 inactive, 0 persistent."
        " Inactive ones end by time-out: UDP 300 s after its last packet, closed TCP after up to 120 s."
    ),
}


@pytest.mark.parametrize("protocol", TOLD)
def test_drained_that_runs_out_of_time_fails_and_says_what_is_left(site, protocol):
    here = site(protocol)
    for _time in range(2):
        here.connect()
    result = here.server("drained", drain_timeout=1)
    assert failed(result) == (
        "not drained after 1 s (weight is 0, new connections go elsewhere):"
        f" {here.title} -> {here.first}:80 {TOLD[protocol]}"
    )
    assert result["changed"] is True
    assert left(result)[0] is False
    assert here.weights() == {here.first: 0, here.second: 1}


def test_absent_that_runs_out_of_time_removes(site):
    here = site()
    for _time in range(2):
        here.connect()
    result = ok(here.server("absent", drain_timeout=1))
    assert left(result) == (False, {"active": 1, "inactive": 0, "persistent": 0})
    assert here.weights() == {here.second: 1}


def test_service_that_goes_is_drained_whole(site):
    here = site()
    connections = [here.connect() for _time in range(2)]
    assert set(here.connections().values()) == {(1, 0)}
    drain = Beside(here.module, "ipvs_service", **here.service, state="absent", drain_timeout=60)
    eventually(lambda: set(here.weights().values()) == {0})
    for connection in connections:
        here.traffic.end(connection)
    drains = ok(drain.result())["drains"]
    assert [(entry["address"], entry["finished"]) for entry in drains] == [(here.first, True), (here.second, True)]
    assert here.director.save() == []


def test_service_that_goes_waits_for_all_servers_together(site):
    here = site()
    for _time in range(2):
        here.connect()
    result = ok(here.module("ipvs_service", **here.service, state="absent", drain_timeout=2))
    assert [round(entry["seconds"]) for entry in result["drains"]] == [2, 2]
    assert here.director.save() == []


def test_service_without_servers_goes_at_once(netns, quick):
    netns.restore("-A -t 192.0.2.1:80 -s rr\n")
    assert ok(quick("ipvs_service", address="192.0.2.1", port=80, state="absent", drain_timeout=60))["drains"] == []
    assert netns.save() == []


def test_without_a_timeout_nothing_is_waited_for(site):
    here = site()
    for _time in range(2):
        here.connect()
    result = ok(here.server("drained"))
    assert left(result) == (False, {"active": 1, "inactive": 0, "persistent": 0})
    assert result["drains"][0]["seconds"] < 1
    assert here.weights() == {here.first: 0, here.second: 1}
    ok(here.server("absent"))
    assert here.weights() == {here.second: 1}


def test_new_connections_go_elsewhere_meanwhile(site):
    here = site()
    for _time in range(2):
        here.connect()
    drain = Beside(here.server, "drained", drain_timeout=2)
    eventually(lambda: here.weights()[here.first] == 0)
    for _time in range(4):
        here.connect()
    assert here.connections() == {here.first: (1, 0), here.second: (5, 0)}
    failed(drain.result())


def test_zero_is_to_be_seen_twice(site, monkeypatch):
    """A client between two connections has none at that moment."""
    here = site()
    looks = []
    look = Kernel.connections

    def connections(kernel, key):
        answer = look(kernel, key)
        looks.append(1)
        if len(looks) == 1:
            for _time in range(2):
                here.director.ipvsadm("-e", *here.name.split(), "-r", f"{here.first}:80", "-m", "-w", "1")
                here.connect()
                here.connect()
            here.director.ipvsadm("-e", *here.name.split(), "-r", f"{here.first}:80", "-m", "-w", "0")
        return answer

    monkeypatch.setattr(Kernel, "connections", connections)
    assert "has 2 active" in failed(here.server("drained", drain_timeout=2))


def test_server_that_vanishes_meanwhile_has_nothing_left(site):
    here = site()
    for _time in range(2):
        here.connect()
    drain = Beside(here.server, "drained", drain_timeout=60)
    eventually(lambda: here.weights()[here.first] == 0)
    here.director.ipvsadm("-d", *here.name.split(), "-r", f"{here.first}:80")
    assert left(ok(drain.result()))[0] is True


# What to wait for


@pytest.mark.parametrize(
    ("wait_for", "ends"), [(["active"], True), (["inactive"], False), (["active", "inactive"], False)]
)
def test_kinds_can_be_chosen(site, wait_for, ends):
    """The closed connection is inactive for a minute."""
    here = site()
    for _time in range(2):
        here.connect().close()
    eventually(lambda: here.connections()[here.first] == (0, 1))
    result = here.server("drained", drain_timeout=2, drain_wait_for=wait_for)
    assert (result.get("failed", False), left(result)[0]) == (not ends, ends)
    assert left(result)[1] == {"active": 0, "inactive": 1, "persistent": 0}


def test_persistence_alone_can_be_waited_for(site):
    here = site(words="-s rr -p 600")
    expire_templates(here.director, 1)
    here.connect()
    (busy,) = [address for address, counts in here.connections().items() if counts == (1, 0)]
    given = {"service": here.service, "address": busy, "state": "drained", "drain_timeout": 1}
    message = failed(here.module("ipvs_server", **given, drain_wait_for=["persistent"]))
    assert "has 1 active, 0 inactive, 1 persistent. Persistent ones end 600 s after the client's last" in message
    assert QUIESCENT not in message


@pytest.mark.parametrize("value", [0, 1])
def test_persistent_clients_are_waited_for_while_they_come_back(site, value):
    """With the sysctl off the template of a client outlives its connections, and leads it back."""
    here = site(words="-s rr -p 2")
    expire_templates(here.director, value)
    connection = here.connect()
    (busy,) = [address for address, counts in here.connections().items() if counts == (1, 0)]
    given = {"service": here.service, "address": busy, "state": "drained"}
    warnings = warned(ok(here.module("ipvs_server", **given)))
    result = here.module("ipvs_server", **given, drain_timeout=1)
    assert "1 active, 0 inactive, 1 persistent. Active ones end" in failed(result)
    expected = (
        f"{here.title} is persistent and {QUIESCENT} is 0: known clients keep coming to a server with weight 0 until"
        " their persistence ends; set the sysctl to 1 to move them"
    )
    assert warnings == warned(result) == ([] if value else [expected])
    assert (f"{QUIESCENT} 0 lets known clients come back" in failed(result)) is (value == 0)
    here.traffic.end(connection)
    finished, connections = left(here.module("ipvs_server", **given, drain_timeout=1))
    assert (finished, connections) == (bool(value), {"active": 0, "inactive": 1, "persistent": 1})


# Warnings


@pytest.mark.parametrize(
    ("words", "warning"),
    [
        ("-s sh", "sh without sh-fallback"),
        ("-s sh -b sh-port", "sh without sh-fallback"),
        ("-s mh", "mh without mh-fallback"),
        ("-s dh", "dh"),
        ("-s sh -b sh-fallback", None),
        ("-s mh -b mh-fallback,mh-port", None),
        ("-s wlc", None),
    ],
)
@pytest.mark.parametrize("check", [False, True], ids=["real", "check"])
@pytest.mark.parametrize("state", ["drained", "absent"])
def test_schedulers_that_refuse_clients_are_warned_of(netns, quick, words, warning, check, state):
    netns.restore(f"-A -t 192.0.2.1:80 {words}\n-a -t 192.0.2.1:80 -r 198.51.100.1:80 -m -w 1\n")
    given = {"service": {"address": "192.0.2.1", "port": 80}, "address": "198.51.100.1", "state": state}
    result = ok(quick("ipvs_server", check=check, drain_timeout=5, **given))
    expected = (
        f"tcp 192.0.2.1:80 uses scheduler {warning}:"
        " clients whose server is drained are refused instead of sent to another one"
    )
    assert warned(result) == ([expected] if warning else [])


# Results, minimum_active, repetition


def test_check_mode_waits_for_nothing_and_shows_the_steps(site):
    here = site()
    for _time in range(2):
        here.connect()
    before = seen(here.director)
    result = ok(here.server("absent", check=True, drain_timeout=60))
    prefix = f"ip netns exec {here.director.name} ipvsadm"
    assert result["commands"] == [
        f"{prefix} -e {here.name} -r {here.first}:80 -m -w 0",
        f"{prefix} -d {here.name} -r {here.first}:80",
    ]
    assert result["drains"] == []
    assert seen(here.director) == before
    real = ok(here.server("absent", drain_timeout=1))
    assert (real["commands"], real["before"], real["after"]) == (
        result["commands"],
        result["before"],
        result["after"],
    )


def test_drained_server_keeps_all_but_its_weight(netns, quick):
    lines = ["-A -t 192.0.2.1:80 -s rr", "-a -t 192.0.2.1:80 -r 198.51.100.1:8080 -m -w 5 -x 9 -y 8"]
    netns.restore("".join(f"{line}\n" for line in lines))
    given = {"service": {"address": "192.0.2.1", "port": 80}, "address": "198.51.100.1", "port": 8080}
    assert ok(quick("ipvs_server", **given, state="drained", drain_timeout=9))["changed"] is True
    assert netns.save() == [lines[0], "-a -t 192.0.2.1:80 -r 198.51.100.1:8080 -m -w 0"]
    assert seen(netns).limits == {"198.51.100.1:8080": (9, 8)}
    again = ok(quick("ipvs_server", **given, state="drained", drain_timeout=9))
    assert (again["changed"], again["commands"]) == (False, [])


SERVER = {"service": {"address": "192.0.2.1", "port": 80}, "address": "198.51.100.1"}


def servers(netns, *weights):
    lines = [
        f"-a -t 192.0.2.1:80 -r 198.51.100.{number}:80 -m -w {weight}\n" for number, weight in enumerate(weights, 1)
    ]
    netns.restore(f"-A -t 192.0.2.1:80 -s rr\n{''.join(lines)}")


@pytest.mark.parametrize("check", [False, True], ids=["real", "check"])
@pytest.mark.parametrize("state", ["drained", "absent"])
def test_minimum_active_refuses(netns, quick, state, check):
    servers(netns, 1, 1, 0)
    before = seen(netns)
    verb = {"drained": "drain", "absent": "remove"}[state]
    assert failed(quick("ipvs_server", **SERVER, state=state, minimum_active=2, check=check)) == (
        f"minimum_active: refused to {verb} 198.51.100.1:80: 1 other servers of tcp 192.0.2.1:80 have a weight above 0,"
        " and 2 must be left"
    )
    assert seen(netns) == before
    assert ok(quick("ipvs_server", **SERVER, state=state, minimum_active=1, check=check))["changed"] is True


def test_minimum_active_is_not_asked_when_nothing_changes(netns, quick):
    servers(netns, 0, 0)
    assert ok(quick("ipvs_server", **SERVER, state="drained", minimum_active=5))["changed"] is False
    netns.ipvsadm("-d", "-t", "192.0.2.1:80", "-r", "198.51.100.1:80")
    assert ok(quick("ipvs_server", **SERVER, state="absent", minimum_active=5))["changed"] is False
    assert ok(quick("ipvs_server", **SERVER, state="drained", minimum_active=5))["changed"] is False


def test_server_is_put_back_by_present_with_a_weight(netns, quick):
    servers(netns, 3, 1)
    ok(quick("ipvs_server", **SERVER, state="drained"))
    assert ok(quick("ipvs_server", **SERVER))["changed"] is False
    ok(quick("ipvs_server", **SERVER, weight=3))
    assert netns.save()[1] == "-a -t 192.0.2.1:80 -r 198.51.100.1:80 -m -w 3"
