# Copyright (c) 2026, the linux.lvs contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A kernel that refuses something half-way through a table: everything is as before, and the user knows why."""

from __future__ import annotations

import itertools

import pytest
from ansible_collections.linux.lvs.plugins.module_utils import _netlink
from ansible_collections.linux.lvs.plugins.module_utils._errors import Refused
from ansible_collections.linux.lvs.plugins.module_utils._genetlink import Link
from ansible_collections.linux.lvs.plugins.module_utils._netlink import Kernel
from helpers import carry_out, failed, ok, seen, singly

HTTP = {"address": "192.0.2.1", "port": 80}
WEB = "-t 192.0.2.1:80"
REAL = "198.51.100.1"


def nat(*numbers, **options):
    return [{"address": f"198.51.100.{number}", "forwarding": "nat", **options} for number in numbers]


# A plan of thirty operations of every kind

NOW = """\
-A -t 192.0.2.1:80 -s sh -p 60 -M 255.255.255.0 -b sh-port
-a -t 192.0.2.1:80 -r 198.51.100.1:80 -m -w 5 -x 9 -y 8
-a -t 192.0.2.1:80 -r 198.51.100.2:80 -i -w 5 --tun-type gue --tun-port 6080 --tun-csum
-a -t 192.0.2.1:80 -r 198.51.100.3:80 -m -w 5
-a -t 192.0.2.1:80 -r 198.51.100.4:80 -m -w 5
-a -t 192.0.2.1:80 -r 198.51.100.5:8080 -m -w 5
-A -u 192.0.2.1:5060 -s wlc -p 60 --pe sip -o
-a -u 192.0.2.1:5060 -r 198.51.100.1:5060 -g -w 1
-a -u 192.0.2.1:5060 -r 198.51.100.2:5060 -g -w 1
-A -t 192.0.2.2:80 -s rr
-a -t 192.0.2.2:80 -r 198.51.100.1:80 -m -w 1
-A -t 192.0.2.3:80 -s rr
-A --sctp-service [2001:db8::1]:80 -s mh -b flag-3
-a --sctp-service [2001:db8::1]:80 -r [2001:db8:1::1]:80 -m -w 1 -x 7
-a --sctp-service [2001:db8::1]:80 -r [2001:db8:1::2]:80 -m -w 1
-A -f 7 -s rr
-a -f 7 -r 198.51.100.1:0 -g -w 1
-A -f 7 -6 -s rr
-a -f 7 -6 -r [2001:db8:1::1]:0 -g -w 1
-A -f 4294967295 -s lc
"""
SIX = {"address": "2001:db8:1::1", "forwarding": "nat"}
WANTED = [
    {"address": "203.0.113.1", "port": 80, "servers": nat(1, 2, weight=3)},
    {"address": "203.0.113.2", "port": 80, "servers": nat(1)},
    {"fwmark": 9, "scheduler": "sh", "servers": [{"address": "198.51.100.1"}]},
    {
        **HTTP,
        "scheduler": "sh",
        "scheduler_flags": ["sh-fallback"],
        "servers": nat(1, weight=2) + nat(2, 3, weight=5) + nat(4, weight=9) + nat(6),
    },
    {
        "address": "192.0.2.1",
        "port": 5060,
        "protocol": "udp",
        "servers": [{"address": "198.51.100.1", "weight": 0}, {"address": "198.51.100.9"}],
    },
    {
        "address": "2001:db8::1",
        "port": 80,
        "protocol": "sctp",
        "scheduler": "mh",
        "servers": [SIX, {"address": "2001:db8:1::3"}],
    },
    {"fwmark": 7, "family": "ipv6", "scheduler": "lc", "servers": []},
    {"fwmark": 4294967295, "scheduler": "wrr", "persistence_timeout": 60},
    {"address": "203.0.113.3", "port": 80, "servers": nat(1, 2)},
]
COUNT = 30


def bare(commands):
    """Commands without the namespace in front."""
    return [command.partition("ipvsadm ")[2] for command in commands]


class Refusing:
    """In place of Kernel.apply: the kernel's own, but calls of these numbers are refused, after something aside."""

    def __init__(self, numbers, aside=lambda: None):
        self._numbers, self._aside, self._count = numbers, aside, itertools.count(1)

    def __call__(self, kernel, operation):
        number = next(self._count)
        if number in self._numbers:
            if number == min(self._numbers):
                self._aside()
            raise Refused(f"{operation}: the kernel refused it: no reason")
        carry_out(kernel, operation)

    def install(self, monkeypatch):
        monkeypatch.setattr(Kernel, "apply", singly(self))


@pytest.fixture
def thirty(netns, quick):
    """The operations of the plan in words, as a refused task names them."""
    netns.restore(NOW)
    plan = ok(quick("ipvs_table", check=True, state="overridden", services=WANTED))
    assert len(plan["commands"]) == COUNT
    letters = {command.split()[0] for command in bare(plan["commands"])}
    assert letters == {"-A", "-a", "-E", "-e", "-D", "-d"}
    return plan["commands"]


def test_plan_of_thirty_does_what_is_refused_below(netns, make_netns, quick, thirty):
    twin = make_netns()
    result = ok(quick("ipvs_table", state="overridden", services=WANTED))
    assert result["commands"] == thirty
    ok(quick("ipvs_table", netns=twin.name, state="overridden", services=WANTED))
    assert seen(netns).configuration == seen(twin).configuration


def empty(monkeypatch, number):
    """The request of this number goes to the kernel without what it needs; all others as they are."""
    change, count = Link.change, itertools.count(1)

    def change_all_but_one(link, requests):
        return change(link, [(verb, b"" if next(count) == number else payload) for verb, payload in requests])

    monkeypatch.setattr(Link, "change", change_all_but_one)


@pytest.mark.parametrize("batch", [64, 4], ids=lambda size: f"batches of {size}")
def test_refusal_of_any_of_thirty_operations_leaves_the_table_as_before(netns, module, monkeypatch, thirty, batch):
    """Those that follow in the same batch are done by then. One namespace serves all, as each leaves it as it was."""
    monkeypatch.setattr(_netlink, "_BATCH", batch)
    before = seen(netns).configuration
    for number in range(1, COUNT + 1):
        with monkeypatch.context() as patched:
            empty(patched, number)
            result = module("ipvs_table", state="overridden", services=WANTED)
        message = failed(result)
        assert ": the kernel refused it: Invalid argument (EINVAL)" in message, number
        assert message.endswith(", and led back"), number
        assert "commands" not in result, number
        assert result.get("changed", False) is False, number
        assert seen(netns).configuration == before, number


def test_refusal_names_the_entry_the_reason_and_what_was_undone(netns, module, monkeypatch, thirty):
    Refusing({3}).install(monkeypatch)
    assert failed(module("ipvs_table", state="overridden", services=WANTED)) == (
        "add tcp 203.0.113.1:80 -> 198.51.100.2:80: the kernel refused it: no reason; done before: add tcp 203.0.113.1:80,"
        " add tcp 203.0.113.1:80 -> 198.51.100.1:80, and led back"
    )


def test_long_list_of_what_was_undone_is_shortened(netns, module, monkeypatch, thirty):
    Refusing({COUNT}).install(monkeypatch)
    assert failed(module("ipvs_table", state="overridden", services=WANTED)).endswith(" and 9 more, and led back")


def test_drain_that_was_led_back_is_no_change(netns, module, monkeypatch):
    """Two services and a server that go: weights are back as they were, so nothing is left to tell."""
    netns.restore(
        f"-A {WEB} -s rr\n-a {WEB} -r {REAL}:80 -m -w 5\n"
        f"-A -t 192.0.2.2:80 -s rr\n-a -t 192.0.2.2:80 -r {REAL}:80 -m -w 7\n"
        f"-A -f 7 -s rr\n-a -f 7 -r {REAL}:0 -g -w 9\n"
    )
    before = seen(netns)
    options = {"state": "overridden", "services": [{"fwmark": 7, "scheduler": "rr", "servers": []}], "drain_timeout": 1}
    # three weights, a server, a service
    for number in (4, 5, 6):
        with monkeypatch.context() as patched:
            Refusing({number}).install(patched)
            result = module("ipvs_table", **options)
        assert failed(result).endswith(", and led back"), number
        assert ("commands" in result, result.get("changed", False)) == (False, False), number
        assert seen(netns) == before, number


def test_drain_whose_way_back_is_refused_is_told(netns, module, monkeypatch):
    netns.restore(f"-A {WEB} -s rr\n-a {WEB} -r {REAL}:80 -m -w 5\n-A -f 7 -s rr\n-a -f 7 -r {REAL}:0 -g -w 9\n")
    Refusing(set(range(3, 99))).install(monkeypatch)
    result = module("ipvs_table", state="deleted", drain_timeout=1)
    assert "; leading it back failed: update " in failed(result)
    assert (result["changed"], bare(result["commands"])) == (
        True,
        [f"-e {WEB} -r {REAL}:80 -m -w 0", f"-e -f 7 -r {REAL}:0 -g -w 0"],
    )


def test_way_back_that_is_refused_too_says_exactly_what_differs(netns, module, monkeypatch, thirty):
    Refusing(set(range(4, 99))).install(monkeypatch)
    result = module("ipvs_table", state="overridden", services=WANTED)
    assert failed(result).partition("; ")[2] == (
        "done before: add tcp 203.0.113.1:80, add tcp 203.0.113.1:80 -> 198.51.100.1:80,"
        " add tcp 203.0.113.1:80 -> 198.51.100.2:80; leading it back failed: remove tcp 203.0.113.1:80: the kernel refused"
        " it: no reason; to be as before it needs: remove tcp 203.0.113.1:80"
    )
    assert (result["changed"], result["commands"]) == (True, thirty[:3])
    more = [line for line in netns.save() if "203.0.113.1:80" in line]
    assert (len(more), len(netns.save())) == (3, len(NOW.splitlines()) + 3)


@pytest.mark.parametrize(("drain", "refused"), [(0, {2, 5}), (1, {5, 8})], ids=["at once", "drained"])
def test_server_that_is_not_taken_back_with_its_service_is_told(netns, module, monkeypatch, drain, refused):
    netns.restore(
        f"-A {WEB} -s rr\n-a {WEB} -r {REAL}:80 -m -w 5\n-a {WEB} -r 198.51.100.2:80 -m -w 5\n"
        f"-A -f 7 -s rr\n-a -f 7 -r {REAL}:0 -g -w 9\n"
    )
    Refusing(refused).install(monkeypatch)
    message = failed(module("ipvs_table", state="deleted", drain_timeout=drain))
    assert sum(" -r 198.51.100.2:80 " in line for line in netns.save()) == 0
    lost = "add tcp 192.0.2.1:80 -> 198.51.100.2:80"
    assert (
        f"; leading it back failed: {lost}: the kernel refused it: no reason; to be as before it needs: {lost}"
        in message
    )
    assert "somebody else" not in message


# Refusals of the kernel's own: of several operations that went to it together it does those that it can

NO_SCHEDULER = (
    "scheduler: the kernel has no scheduler nosuch (its module ip_vs_nosuch is neither loaded nor to be found)"
)
batches = pytest.mark.parametrize("batch", [64, 4, 1], ids=lambda size: f"batches of {size}")


@batches
def test_unknown_scheduler_in_the_last_service(netns, module, monkeypatch, batch):
    monkeypatch.setattr(_netlink, "_BATCH", batch)
    netns.restore(NOW)
    before = seen(netns)
    services = [*WANTED, {"fwmark": 4294967294, "scheduler": "nosuch", "servers": nat(1, 2)}]
    message = failed(module("ipvs_table", state="overridden", services=services))
    assert message.startswith(f"add fwmark 4294967294 (ipv4): {NO_SCHEDULER}; done before: add tcp 203.0.113.1:80, ")
    assert message.endswith(", and led back")
    assert seen(netns).configuration == before.configuration


@batches
def test_unknown_scheduler_in_the_first_service(netns, module, monkeypatch, batch):
    """Later operations of its batch are done by then."""
    monkeypatch.setattr(_netlink, "_BATCH", batch)
    netns.restore(NOW)
    before = seen(netns)
    services = [{"address": "192.0.0.1", "port": 80, "scheduler": "nosuch", "servers": nat(1)}, *WANTED]
    message = failed(module("ipvs_table", state="overridden", services=services))
    assert message.startswith(f"add tcp 192.0.0.1:80: {NO_SCHEDULER}; ")
    assert message.endswith("; nothing was changed" if batch == 1 else ", and led back")
    assert seen(netns).configuration == before.configuration


@batches
def test_unknown_scheduler_of_a_service_that_is_there(netns, module, monkeypatch, batch):
    """Changes of services come after new servers, which go again."""
    monkeypatch.setattr(_netlink, "_BATCH", batch)
    netns.restore(NOW)
    before = seen(netns)
    services = [{**entry, "scheduler": "nosuch"} if entry.get("fwmark") == 4294967295 else entry for entry in WANTED]
    message = failed(module("ipvs_table", state="overridden", services=services))
    assert message.startswith(f"update fwmark 4294967295 (ipv4): {NO_SCHEDULER}; done before: ")
    assert seen(netns).configuration == before.configuration


MIXED = {"address": "2001:db8:1::9", "forwarding": "tunnel"}
DAEMON = "servers of the other family can't be had while a sync daemon runs"


@pytest.fixture
def sync_daemon(netns):
    netns.run("ip", "link", "add", "sync0", "type", "dummy")
    netns.run("ip", "link", "set", "sync0", "up")
    netns.ipvsadm("--start-daemon", "master", "--mcast-interface", "sync0", "--syncid", "7")
    yield
    netns.ipvsadm("--stop-daemon", "master")


@batches
@pytest.mark.usefixtures("sync_daemon")
def test_server_of_another_family_while_a_sync_daemon_runs(netns, module, monkeypatch, batch):
    monkeypatch.setattr(_netlink, "_BATCH", batch)
    netns.restore(NOW)
    before = seen(netns)
    services = [
        {**entry, "servers": [*entry["servers"], MIXED]} if entry.get("address") == "203.0.113.2" else entry
        for entry in WANTED
    ]
    message = failed(module("ipvs_table", state="overridden", services=services))
    assert message.startswith(
        "add tcp 203.0.113.2:80 -> [2001:db8:1::9]:80: the kernel refused it: Invalid argument (EINVAL): "
    )
    assert DAEMON in message
    assert message.endswith(", and led back")
    assert seen(netns).configuration == before.configuration


@batches
def test_server_that_is_not_unicast(netns, module, monkeypatch, batch):
    """The broadcast address of a network that the director is in."""
    monkeypatch.setattr(_netlink, "_BATCH", batch)
    netns.run("ip", "addr", "add", "198.51.100.254/24", "dev", "lo")
    netns.restore(NOW)
    before = seen(netns)
    services = [
        {**entry, "servers": [*entry["servers"], *nat(255)]} if entry.get("address") == "203.0.113.2" else entry
        for entry in WANTED
    ]
    message = failed(module("ipvs_table", state="overridden", services=services))
    assert message.startswith(
        "add tcp 203.0.113.2:80 -> 198.51.100.255:80: the kernel refused it: Invalid argument (EINVAL):"
        " the address must be unicast"
    )
    assert seen(netns).configuration == before.configuration


@batches
def test_refusal_between_entries_that_others_added_and_removed(netns, module, monkeypatch, batch):
    """Three failures in one batch: the refusal decides, and what the rival did stays."""
    monkeypatch.setattr(_netlink, "_BATCH", batch)
    netns.restore(f"-A {WEB} -s rr\n-a {WEB} -r {REAL}:80 -m -w 1\n-A -f 7 -s rr\n-a -f 7 -r {REAL}:0 -g -w 5\n")
    read, meddled = Kernel.table, []

    def read_and_meddle(kernel, *known):
        table = read(kernel, *known)
        if not meddled:
            meddled.append(netns.restore(f"-a {WEB} -r 198.51.100.2:80 -m -w 9\n-d -f 7 -r {REAL}:0\n"))
        return table

    monkeypatch.setattr(Kernel, "table", read_and_meddle)
    services = [
        {**HTTP, "servers": [*nat(2, 3), {"address": "fe80::1", "forwarding": "tunnel"}]},
        {"fwmark": 7, "servers": [{"address": REAL, "weight": 8}]},
    ]
    message = failed(module("ipvs_table", services=services))
    theirs = [
        f"-A {WEB} -s rr",
        f"-a {WEB} -r {REAL}:80 -m -w 1",
        f"-a {WEB} -r 198.51.100.2:80 -m -w 9",
        "-A -f 7 -s rr",
    ]
    assert message.startswith("add tcp 192.0.2.1:80 -> [fe80::1]:80: the kernel refused it: ")
    assert netns.save() == sorted(theirs)


def test_conflicts_without_a_refusal_are_met_by_reading_again(netns, module, monkeypatch):
    monkeypatch.setattr(_netlink, "_BATCH", 4)
    netns.restore(NOW)
    read, meddled = Kernel.table, []

    def read_and_meddle(kernel, *known):
        table = read(kernel, *known)
        if not meddled:
            meddled.append(
                netns.restore("-A -t 203.0.113.1:80 -s lc\n-D -t 192.0.2.2:80\n-d -f 7 -6 -r [2001:db8:1::1]:0\n")
            )
        return table

    monkeypatch.setattr(Kernel, "table", read_and_meddle)
    ok(module("ipvs_table", state="overridden", services=WANTED))
    after = seen(netns).configuration
    monkeypatch.undo()
    netns.ipvsadm("-C")
    ok(module("ipvs_table", state="overridden", services=WANTED))
    assert seen(netns).configuration == after


# Rivals meanwhile


def test_emergency_removals_by_a_rival_stay_when_the_run_is_led_back(netns, module, monkeypatch, thirty):
    """A server that the run had changed, a service that it had added to, and what it had not touched yet."""

    def aside():
        netns.ipvsadm("-d", "-t", "192.0.2.1:80", "-r", "198.51.100.4:80")
        netns.ipvsadm("-D", "-u", "192.0.2.1:5060")
        netns.ipvsadm("-D", "-f", "7")

    Refusing({COUNT - 3}, aside).install(monkeypatch)
    message = failed(module("ipvs_table", state="overridden", services=WANTED))
    left = [
        line
        for line in NOW.splitlines()
        if not any(name in line for name in ("198.51.100.4:80", "5060", "-f 7 -s", "-f 7 -r"))
    ]
    shown = [line.partition(" -x ")[0].replace("-b flag-3", "-b").replace("4294967295", "-1") for line in left]
    assert netns.save() == sorted(shown)
    assert "left as somebody else changed it meanwhile: " in message
    assert "tcp 192.0.2.1:80 -> 198.51.100.4:80" in message.partition("meanwhile: ")[2]


def test_server_that_a_rival_removed_during_the_wait_does_not_come_back_with_its_service(netns, module, monkeypatch):
    """The service goes after the wait, and comes back when another removal is refused; what it had lost stays lost."""
    netns.restore(
        f"-A {WEB} -s rr\n-a {WEB} -r {REAL}:80 -m -w 3\n-a {WEB} -r 198.51.100.2:80 -m -w 4\n-A -f 7 -s rr\n"
    )
    look, looks = Kernel.connections, []

    def look_and_meddle(kernel, key):
        if not looks:
            looks.append(netns.ipvsadm("-d", "-t", "192.0.2.1:80", "-r", "198.51.100.2:80"))
        return look(kernel, key)

    def all_but_the_mark(kernel, operation):
        if operation.service.fwmark:
            raise Refused(f"{operation}: the kernel refused it: no reason")
        carry_out(kernel, operation)

    monkeypatch.setattr(Kernel, "connections", look_and_meddle)
    monkeypatch.setattr(Kernel, "apply", singly(all_but_the_mark))
    message = failed(module("ipvs_table", state="deleted", drain_timeout=5))
    assert netns.save() == ["-A -f 7 -s rr", f"-A {WEB} -s rr", f"-a {WEB} -r {REAL}:80 -m -w 3"]
    assert message.endswith("; left as somebody else changed it meanwhile: tcp 192.0.2.1:80 -> 198.51.100.2:80")
