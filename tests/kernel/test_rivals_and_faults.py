# Copyright (c) 2026, the linux.lvs contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Others who change the table at the same time, and a kernel that refuses in the middle of a run."""

from __future__ import annotations

import contextlib
import errno
import os
import time

import pytest
from ansible_collections.linux.lvs.plugins.module_utils import _host, _netlink
from ansible_collections.linux.lvs.plugins.module_utils._apply import Task, converge
from ansible_collections.linux.lvs.plugins.module_utils._desired import Desired
from ansible_collections.linux.lvs.plugins.module_utils._errors import Refused, Unsettled
from ansible_collections.linux.lvs.plugins.module_utils._genetlink import Link
from ansible_collections.linux.lvs.plugins.module_utils._ipvsadm import parse
from ansible_collections.linux.lvs.plugins.module_utils._netlink import Kernel
from ansible_collections.linux.lvs.plugins.module_utils._options import DrainSpec
from helpers import Beside, carry_out, eventually, failed, ok, seen, singly

HTTP = {"address": "192.0.2.1", "port": 80}
WEB = "-t 192.0.2.1:80"
REAL = "198.51.100.1"
MANY = 300  # services or servers: several chunks of a dump


def addresses(network, count):
    return [f"{network}.{number // 200}.{number % 200 + 1}" for number in range(count)]


# Dumps, which the kernel does not make consistent


class Torn:
    """In place of Link.dump: so many answers to a command are torn, as a rival's changes in mid-dump tear them."""

    def __init__(self, command, times, tear, least=100):
        self._dump, self._command, self._times, self._tear, self._least = Link.dump, command, times, tear, least

    def __call__(self, link, command, payload):
        payloads, chunks = self._dump(link, command, payload)
        if command != self._command or not self._times or len(payloads) < self._least:
            return payloads, chunks
        assert chunks > 1, "what comes in one chunk is never torn"
        self._times -= 1
        return self._tear(payloads, self._least + 30 * self._times), chunks

    def install(self, monkeypatch):
        def dump(*arguments):  # only a function becomes a method
            return self(*arguments)

        monkeypatch.setattr(Link, "dump", dump)


TEARS = {
    "live ones vanish": lambda messages, at: messages[:at] + messages[at + 20 :],
    "some come twice": lambda messages, at: messages[:at] + messages[at - 50 :],
}


@pytest.fixture
def many_services(netns):
    every = addresses("10.1", MANY)
    netns.restore("".join(f"-A -t {address}:80 -s rr\n" for address in every))
    return every


@pytest.fixture
def many_servers(netns):
    every = addresses("10.1", MANY)
    netns.restore(f"-A {WEB} -s rr\n" + "".join(f"-a {WEB} -r {address}:80 -g -w 1\n" for address in every))
    return every


def read_services(module):
    return sorted(service["address"] for service in ok(module("ipvs_info", gather=["services"]))["services"])


def read_servers(module):
    (service,) = ok(module("ipvs_info", gather=["services"], service=HTTP))["services"]
    return sorted(server["address"] for server in service["servers"])


@pytest.mark.parametrize("tear", TEARS.values(), ids=TEARS)
@pytest.mark.parametrize("times", [1, 3])
def test_torn_dump_of_services_is_read_again(module, monkeypatch, many_services, times, tear):
    Torn("GET_SERVICE", times, tear).install(monkeypatch)
    assert read_services(module) == sorted(many_services)


@pytest.mark.parametrize("tear", TEARS.values(), ids=TEARS)
@pytest.mark.parametrize("times", [1, 3])
def test_torn_dump_of_servers_is_read_again(module, monkeypatch, many_servers, times, tear):
    Torn("GET_DEST", times, tear).install(monkeypatch)
    assert read_servers(module) == sorted(many_servers)


def test_short_list_comes_in_one_chunk_and_is_read_once(netns, module, monkeypatch):
    dozen = addresses("10.1", 12)
    netns.restore(f"-A {WEB} -s rr\n" + "".join(f"-a {WEB} -r {address}:80 -g -w 1\n" for address in dozen))
    dump, asked = Link.dump, []

    def counting(link, command, payload):
        answer = dump(link, command, payload)
        asked.append((command, answer[1]))
        return answer

    monkeypatch.setattr(Link, "dump", counting)
    with _host.network_namespace(netns.name), contextlib.closing(Kernel()) as kernel:
        kernel.table()
        asked.clear()
        (entry,) = kernel.table().values()
    assert len(entry.servers) == 12
    assert asked == [("GET_SERVICE", 1), ("GET_DEST", 1), ("GET_SERVICE", 1)]


def test_servers_beyond_a_torn_dump_are_not_added_again(module, monkeypatch, many_servers):
    """The plan must know them, or EEXIST would be the first to tell."""
    Torn("GET_DEST", 1, lambda messages, at: messages[:at]).install(monkeypatch)
    for address in (many_servers[0], many_servers[-1]):
        assert ok(module("ipvs_server", check=True, service=HTTP, address=address, weight=1))["commands"] == []


RESTLESS = """
for burst in 1 2 3 4; do
    for again in 1 2 3; do
        printf -- "-{add} {words}\\n" {every} | ipvsadm -R
        printf -- "-{remove} {words}\\n" {every} | ipvsadm -R
    done
    sleep 2
done
"""


def restless(netns, add, remove, words):
    """A process that adds and removes entries of its own in bursts."""
    every = " ".join(str(number) for number in range(1, 101))
    return netns.start("sh", "-c", RESTLESS.format(add=add, remove=remove, words=words, every=every))


TOLD = "another process keeps changing the IPVS table: 10 times it changed while it was read"


@pytest.mark.parametrize("what", ["services", "servers"])
def test_reading_beside_a_restless_rival_loses_nothing(netns, module, request, what):
    """Either all entries that stay, each once, or the sentence that the table does not stand still."""
    if what == "services":
        mine = set(request.getfixturevalue("many_services"))
        rival = restless(netns, "A", "D", "-t 10.9.9.%s:80")
    else:
        mine = set(request.getfixturevalue("many_servers"))
        rival = restless(netns, "a", "d", f"{WEB} -r 10.9.9.%s:80")
    while rival.poll() is None:
        result = module("ipvs_info", gather=["services"])
        if result.get("failed"):
            assert failed(result) == TOLD
            continue
        services = result["services"]
        entries = services if what == "services" else services[0]["servers"]
        read = [entry["address"] for entry in entries]
        assert len(read) == len(set(read))
        assert mine <= set(read), sorted(mine - set(read))
    read = read_services(module) if what == "services" else read_servers(module)
    assert read == sorted(mine)


# Entries that come and go between our reading and our writing


class Meddler:
    """In place of Kernel.apply: runs ipvsadm once, before the call of this number."""

    def __init__(self, netns, lines, before=1):
        self._netns, self._lines, self._before, self._calls = netns, lines, before, 0

    def __call__(self, kernel, operation):
        self._calls += 1
        if self._calls == self._before:
            self._netns.restore(self._lines)
        carry_out(kernel, operation)

    def install(self, monkeypatch):
        monkeypatch.setattr(Kernel, "apply", singly(self))


@pytest.mark.parametrize(
    ("table", "rival", "name", "options", "expected"),
    [
        (
            "",
            f"-A {WEB} -s wrr -p 60\n",
            "ipvs_service",
            {**HTTP, "scheduler": "rr"},
            [f"-A {WEB} -s rr -p 60"],
        ),
        (
            f"-A {WEB} -s wrr\n",
            f"-D {WEB}\n",
            "ipvs_service",
            {**HTTP, "scheduler": "rr"},
            [f"-A {WEB} -s rr"],
        ),
        (
            f"-A {WEB} -s wrr\n",
            f"-D {WEB}\n",
            "ipvs_service",
            {**HTTP, "state": "absent"},
            [],
        ),
        (
            f"-A {WEB} -s rr\n",
            f"-a {WEB} -r {REAL}:80 -m -w 7\n",
            "ipvs_server",
            {"service": HTTP, "address": REAL, "weight": 2},
            [f"-A {WEB} -s rr", f"-a {WEB} -r {REAL}:80 -m -w 2"],
        ),
        (
            f"-A {WEB} -s rr\n-a {WEB} -r {REAL}:80 -m -w 7\n",
            f"-d {WEB} -r {REAL}:80\n",
            "ipvs_server",
            {"service": HTTP, "address": REAL, "weight": 2},
            [f"-A {WEB} -s rr", f"-a {WEB} -r {REAL}:80 -g -w 2"],
        ),
        (
            f"-A {WEB} -s rr\n-a {WEB} -r {REAL}:80 -m -w 7\n",
            f"-d {WEB} -r {REAL}:80\n",
            "ipvs_server",
            {"service": HTTP, "address": REAL, "state": "absent"},
            [f"-A {WEB} -s rr"],
        ),
        (
            f"-A {WEB} -s rr\n-a {WEB} -r {REAL}:80 -m -w 7\n",
            f"-D {WEB}\n",
            "ipvs_server",
            {"service": HTTP, "address": REAL, "state": "absent"},
            [],
        ),
    ],
    ids=[
        "service comes before we add it (EEXIST)",
        "service goes before we change it (ESRCH)",
        "service goes before we remove it (ESRCH)",
        "server comes before we add it (EEXIST)",
        "server goes before we change it (ENOENT)",
        "server goes before we remove it (ENOENT)",
        "service goes before we remove its server (ESRCH)",
    ],
)
def test_entry_that_comes_or_goes_is_read_again(netns, module, monkeypatch, table, rival, name, options, expected):
    if table:
        netns.restore(table)
    Meddler(netns, rival).install(monkeypatch)
    ok(module(name, **options))
    assert netns.save() == expected


def test_service_that_goes_before_its_server_comes_is_named(netns, module, monkeypatch):
    netns.restore(f"-A {WEB} -s rr\n")
    Meddler(netns, f"-D {WEB}\n").install(monkeypatch)
    message = failed(module("ipvs_server", service=HTTP, address=REAL))
    assert message == "service: tcp 192.0.2.1:80 does not exist; create it first (linux.lvs.ipvs_service)"
    assert netns.save() == []


def test_commands_are_what_this_run_did_and_not_the_rival(netns, module, monkeypatch):
    netns.restore(f"-A {WEB} -s rr\n-a {WEB} -r {REAL}:80 -m -w 7\n")
    Meddler(netns, f"-d {WEB} -r {REAL}:80\n").install(monkeypatch)
    result = ok(module("ipvs_server", service=HTTP, address=REAL, weight=2))
    assert result["commands"] == [f"ip netns exec {netns.name} ipvsadm -a {WEB} -r {REAL}:80 -g -w 2"]


# A kernel that refuses in the middle of a run

NOW = """\
-A -t 192.0.2.1:80 -s rr -p 60
-a -t 192.0.2.1:80 -r 198.51.100.1:80 -m -w 5 -x 9 -y 8
-a -t 192.0.2.1:80 -r 198.51.100.2:80 -i -w 5 --tun-type gue --tun-port 6080 --tun-csum
-A -t 192.0.2.3:80 -s wlc
-a -t 192.0.2.3:80 -r 198.51.100.1:80 -m -w 5 -x 7
-a -t 192.0.2.3:80 -r 198.51.100.2:80 -g -w 5
-A -f 7 -s mh -b flag-3
-a -f 7 -r 198.51.100.1:0 -g -w 1
-A -t [2001:db8::1]:80 -s rr
"""
WANTED = """\
-A -t 192.0.2.1:80 -s sh -b sh-port
-a -t 192.0.2.1:80 -r 198.51.100.1:80 -m -w 1
-a -t 192.0.2.1:80 -r 198.51.100.3:80 -m -w 6
-A -t 192.0.2.2:80 -s rr
-a -t 192.0.2.2:80 -r 198.51.100.1:80 -m -w 1
-A -t 192.0.2.3:80 -s wlc
-a -t 192.0.2.3:80 -r 198.51.100.2:80 -g -w 9
"""
OPERATIONS = [
    "add tcp 192.0.2.2:80",
    "add tcp 192.0.2.2:80 -> 198.51.100.1:80",
    "add tcp 192.0.2.1:80 -> 198.51.100.3:80",
    "update tcp 192.0.2.3:80 -> 198.51.100.2:80",
    "update tcp 192.0.2.1:80",
    "update tcp 192.0.2.1:80 -> 198.51.100.1:80",
    "remove tcp 192.0.2.1:80 -> 198.51.100.2:80",
    "remove tcp 192.0.2.3:80 -> 198.51.100.1:80",
    "remove tcp [2001:db8::1]:80",
    "remove fwmark 7 (ipv4)",
]


class Refusing(Kernel):
    """The kernel, but for calls of these numbers; `aside` is called before the first refusal."""

    def __init__(self, numbers, aside=lambda: None):
        super().__init__()
        self._numbers, self._aside, self._calls = numbers, aside, 0

    def _one(self, operation):
        self._calls += 1
        if self._calls in self._numbers:
            if self._calls == min(self._numbers):
                self._aside()
            raise Refused(f"{operation}: the kernel refused it: no reason")
        carry_out(self, operation)

    apply = singly(_one)


def go(netns, kernel, text):
    """Make the whole table so, as ipvs_table will."""
    wanted = parse(text)
    with _host.network_namespace(netns.name), contextlib.closing(kernel):
        task = Task(
            read=kernel.table,
            again=kernel.table,
            desire=lambda table: Desired(wanted),
            drain=DrainSpec(),
            templates_expire=lambda: False,
            lock=lambda: _host.lock("a test"),
            log=lambda line: None,
        )
        return converge(kernel, task)


def test_whole_run_does_what_is_to_be_refused_below(netns, make_netns):
    netns.restore(NOW)
    outcome = go(netns, Kernel(), WANTED)
    assert [str(operation) for operation in outcome.operations] == OPERATIONS
    twin = make_netns()
    twin.restore(WANTED)
    assert seen(netns).configuration == seen(twin).configuration


@pytest.mark.parametrize("number", range(1, len(OPERATIONS) + 1))
def test_refused_operation_leads_back(netns, number):
    netns.restore(NOW)
    before = seen(netns)
    with pytest.raises(Refused) as refused:
        go(netns, Refusing({number}), WANTED)
    assert seen(netns).configuration == before.configuration
    done = ", ".join(OPERATIONS[: number - 1])
    way_back = f"done before: {done}, and led back" if done else "nothing was changed"
    assert str(refused.value) == f"{OPERATIONS[number - 1]}: the kernel refused it: no reason; {way_back}"


def test_what_a_rival_changed_meanwhile_stays_and_is_told(netns):
    netns.restore(NOW)

    def aside():
        netns.ipvsadm("-e", "-t", "192.0.2.3:80", "-r", "198.51.100.2:80", "-g", "-w", "77")
        netns.ipvsadm("-a", "-t", "192.0.2.2:80", "-r", "198.51.100.9:80", "-g", "-w", "1")

    with pytest.raises(Refused) as refused:
        go(netns, Refusing({8}, aside), WANTED)
    assert str(refused.value).endswith(
        "; left as somebody else changed it meanwhile: tcp 192.0.2.3:80 -> 198.51.100.2:80, tcp 192.0.2.2:80"
    )
    lines = [line.strip() for line in NOW.splitlines()]
    lines.remove("-a -t 192.0.2.3:80 -r 198.51.100.2:80 -g -w 5")
    lines += ["-a -t 192.0.2.3:80 -r 198.51.100.2:80 -g -w 77"]
    lines += ["-A -t 192.0.2.2:80 -s rr", "-a -t 192.0.2.2:80 -r 198.51.100.9:80 -g -w 1"]
    # ipvsadm -S tells neither thresholds nor the third flag
    told = [line.partition(" -x ")[0].replace("-b flag-3", "-b") for line in lines]
    assert netns.save() == sorted(told)


def test_way_back_that_is_refused_too_is_told(netns):
    netns.restore(NOW)
    with pytest.raises(Refused) as refused:
        go(netns, Refusing(set(range(3, 99))), WANTED)
    assert str(refused.value) == (
        f"{OPERATIONS[2]}: the kernel refused it: no reason; done before: {OPERATIONS[0]}, {OPERATIONS[1]};"
        " leading it back failed: remove tcp 192.0.2.2:80: the kernel refused it: no reason;"
        " to be as before it needs: remove tcp 192.0.2.2:80"
    )


def test_refused_removal_of_a_drained_service_gives_the_weights_back(netns, module, monkeypatch):
    netns.restore(NOW)
    before = seen(netns)

    def unless_of_the_service(kernel, operation):
        if operation.server is None:
            raise Refused(f"{operation}: the kernel refused it: no reason")
        carry_out(kernel, operation)

    monkeypatch.setattr(Kernel, "apply", singly(unless_of_the_service))
    message = failed(module("ipvs_service", **HTTP, state="absent", drain_timeout=5))
    assert seen(netns) == before
    assert message == (
        "remove tcp 192.0.2.1:80: the kernel refused it: no reason; done before:"
        " update tcp 192.0.2.1:80 -> 198.51.100.1:80, update tcp 192.0.2.1:80 -> 198.51.100.2:80, and led back"
    )


# A kernel that takes but does not keep


def test_what_the_kernel_does_not_keep_is_told(netns, module, monkeypatch):
    """As kernels before 5.2 do with tunnel types, which they do not know."""

    def without_tunnels(kernel, operation):
        older = operation.after._replace(tunnel_type="ipip", tunnel_port=None, tunnel_checksum=None)
        carry_out(kernel, operation._replace(after=older))

    netns.restore(f"-A {WEB} -s rr\n-a {WEB} -r {REAL}:80 -i -w 1 -x 9 -y 8\n")
    monkeypatch.setattr(Kernel, "apply", singly(without_tunnels))
    gue = {"tunnel_type": "gue", "tunnel_port": 6080}
    message = failed(module("ipvs_server", service=HTTP, address=REAL, weight=5, **gue))
    told, _separator, done = message.partition("; done before, and left so: ")
    assert told == (
        "after 5 attempts the kernel still differs: another process keeps changing the table, or the kernel takes but"
        f" does not keep what was asked for (is it older than that attribute?); left to do: update tcp 192.0.2.1:80 -> {REAL}:80"
    )
    command = (
        f"ip netns exec {netns.name} ipvsadm -e {WEB} -r {REAL}:80 -i -w 5 -x 9 -y 8 --tun-type gue --tun-port 6080"
    )
    assert done.split(", ") == [f"{command} --tun-nocsum"] * 5
    assert netns.save() == [f"-A {WEB} -s rr", f"-a {WEB} -r {REAL}:80 -i -w 5 --tun-type ipip"]
    assert seen(netns).limits == {f"{REAL}:80": (9, 8)}


# Runs of our own


def slowly(monkeypatch, seconds):
    """From here on there is time between reading and writing for somebody to come between."""

    def later(kernel, operation):
        time.sleep(seconds)
        carry_out(kernel, operation)

    monkeypatch.setattr(Kernel, "apply", singly(later))


def test_two_runs_do_not_lose_each_others_changes(netns, module, monkeypatch):
    """Each reads the server, and writes all of it."""
    netns.restore(f"-A {WEB} -s rr\n-a {WEB} -r {REAL}:80 -m -w 1\n")
    slowly(monkeypatch, 0.5)
    other = Beside(module, "ipvs_server", service=HTTP, address=REAL, upper_threshold=9)
    ok(module("ipvs_server", service=HTTP, address=REAL, weight=5))
    ok(other.result())
    assert netns.save()[1] == f"-a {WEB} -r {REAL}:80 -m -w 5"
    assert seen(netns).limits == {f"{REAL}:80": (9, 0)}


def test_lock_is_not_held_while_a_drain_waits(network, netns, module, monkeypatch, traffic):
    net = network(servers=2)
    service = {"address": net.VIP, "port": 80}
    lines = "".join(f"-a -t {net.VIP}:80 -r {address}:80 -m -w 1\n" for address in net.addresses)
    netns.restore(f"-A -t {net.VIP}:80 -s rr\n{lines}")
    for server in net.servers:
        traffic.listen(server, "tcp", 80)
    connections = [traffic.connect(net.client, "tcp", net.VIP, 80) for _time in range(2)]
    monkeypatch.setattr(_host, "LOCK_WAIT", 0.5)
    drain = Beside(module, "ipvs_server", service=service, address=net.addresses[0], state="drained", drain_timeout=60)
    eventually(lambda: f"-a -t {net.VIP}:80 -r {net.addresses[0]}:80 -m -w 0" in netns.save())
    assert ok(module("ipvs_server", service=service, address=net.addresses[1], weight=7))["changed"] is True
    for connection in connections:
        traffic.end(connection)
    (drained,) = ok(drain.result())["drains"]
    assert drained["finished"] is True
    assert netns.save()[1:] == [
        f"-a -t {net.VIP}:80 -r {net.addresses[0]}:80 -m -w 0",
        f"-a -t {net.VIP}:80 -r {net.addresses[1]}:80 -m -w 7",
    ]


def test_table_is_planned_again_after_a_wait(network, netns, module, traffic):
    """Somebody who puts a drained server back meanwhile does not keep it from being removed."""
    net = network(servers=1)
    service = {"address": net.VIP, "port": 80}
    netns.restore(f"-A -t {net.VIP}:80 -s rr\n-a -t {net.VIP}:80 -r {net.addresses[0]}:80 -m -w 1\n")
    traffic.listen(net.servers[0], "tcp", 80)
    connection = traffic.connect(net.client, "tcp", net.VIP, 80)
    drain = Beside(module, "ipvs_service", **service, state="absent", drain_timeout=60)
    eventually(lambda: netns.save()[1].endswith("-w 0"))
    netns.ipvsadm("-e", "-t", f"{net.VIP}:80", "-r", f"{net.addresses[0]}:80", "-m", "-w", "3")
    netns.ipvsadm("-A", "-f", "7", "-s", "rr")
    traffic.end(connection)
    ok(drain.result())
    assert netns.save() == ["-A -f 7 -s rr"]


@pytest.mark.parametrize("lost", [1, 2, 3])
def test_lost_answers_of_a_batch_lead_back(netns, monkeypatch, lost):
    """The kernel has done what it was sent, but nobody can tell."""
    netns.restore(NOW)
    before = seen(netns)
    monkeypatch.setattr(_netlink, "_BATCH", 2)
    change, calls = Link.change, []

    def losing(link, requests):
        answer = change(link, requests)
        calls.append(len(requests))
        if len(calls) == lost:
            raise OSError(errno.ENOBUFS, os.strerror(errno.ENOBUFS))
        return answer

    monkeypatch.setattr(Link, "change", losing)
    with pytest.raises(
        Unsettled, match=r"can't tell what became of .*No buffer space available.*, and led back$"
    ) as told:
        go(netns, Kernel(), WANTED)
    assert seen(netns).configuration == before.configuration
    assert told.value.done == ()
