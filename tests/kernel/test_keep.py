# Copyright (c) 2026, the linux.lvs contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The roles' program while nothing happens, and when a later release of it is put in its place."""

from __future__ import annotations

import json
import select
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ansible_collections.linux.lvs.plugins.module_utils._real_server import real_server_lines, real_server_needs

PROGRAM = Path(__file__).parents[2] / "roles" / "director" / "files" / "keep.py"
LINES = """\
link add lvs0 type dummy
sysctl net/ipv6/conf/lvs0/addr_gen_mode 1
sysctl net/ipv4/conf/lvs0/rp_filter 2
link set lvs0 up
-4 address add 192.0.2.1/32 dev lvs0
-6 address add 2001:db8::1/128 dev lvs0 nodad
-4 rule add from 192.0.2.1 lookup 4320 priority 4321
"""


@pytest.fixture
def program(tmp_path):
    """A copy of it that has a state of its own."""
    path = tmp_path / "keep.py"
    path.write_text(PROGRAM.read_text().replace('"/run/linux-lvs"', repr(str(tmp_path / "state"))))
    return path


@pytest.fixture
def once(netns, program, tmp_path):
    """once(lines): what it says it did."""
    lines = tmp_path / "lines"

    def run(text):
        lines.write_text(text)
        return netns.run(sys.executable, program, "once", lines).stdout.split("\n")[:-1]

    return run


@pytest.fixture
def keeper(netns, program, tmp_path):
    """It runs, and has made what it is to make."""
    lines = tmp_path / "lines"
    lines.write_text(LINES)
    netns.run("ip", "link", "set", "lo", "up")
    words = ["ip", "netns", "exec", netns.name, sys.executable, program, "run", lines]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            for line in LINES.splitlines():
                if line.startswith("sysctl"):
                    _sysctl, name, value = line.split()
                    assert process.stdout.readline() == f"set: {name} to {value}\n"
                else:
                    assert process.stdout.readline() == f"added: {line}\n"
            yield process, program
        finally:
            process.terminate()


def events(netns, seconds):
    """What whoever listens to the network is told in this time."""
    watching = ["timeout", str(seconds), "ip", "-o", "monitor", "link", "address", "route", "rule", "netconf"]
    return netns.run(*watching, check=False, timeout=60).stdout


def calm(netns):
    end = time.monotonic() + 30
    while events(netns, 2) and time.monotonic() < end:
        pass
    assert events(netns, 3) == ""


def test_it_makes_no_noise_and_puts_back_what_goes(netns, keeper):
    process, _program = keeper
    calm(netns)
    netns.run("ip", "link", "set", "lvs0", "down")
    assert process.stdout.readline() == "added: link set lvs0 up\n"
    assert "UP" in netns.run("ip", "link", "show", "lvs0").stdout


def test_a_sysctl_that_somebody_changes_comes_back_without_noise(netns, keeper):
    process, _program = keeper
    calm(netns)
    netns.run("sysctl", "-qw", "net.ipv4.conf.lvs0.rp_filter=1")
    assert select.select([process.stdout], [], [], 30)[0]
    assert process.stdout.readline() == "set: net/ipv4/conf/lvs0/rp_filter to 2\n"
    calm(netns)
    assert not select.select([process.stdout], [], [], 0)[0]
    assert netns.run("sysctl", "-n", "net.ipv4.conf.lvs0.rp_filter").stdout == "2\n"


def test_a_later_release_of_it_takes_over_when_something_happens(netns, keeper):
    process, program = keeper
    program.write_text(program.read_text().replace("removed: ", "gone: ").replace("added: ", "later: "))
    netns.run("ip", "address", "del", "192.0.2.1/32", "dev", "lvs0")
    assert select.select([process.stdout], [], [], 30)[0]
    assert process.stdout.readline() == "later: -4 address add 192.0.2.1/32 dev lvs0\n"


def test_addresses_do_not_wait_for_an_interface_that_is_down(netns, program, tmp_path):
    lines = tmp_path / "vips"
    lines.write_text("vip 192.0.2.1/32 down0\nvip 192.0.2.2/32 up0\n")
    for device in ("down0", "up0"):
        netns.run("ip", "link", "add", device, "type", "dummy")
    netns.run("ip", "link", "set", "up0", "up")
    for number in (1, 2):
        netns.ipvsadm("-A", "-t", f"192.0.2.{number}:80")
    done = netns.run(sys.executable, program, "once", lines, check=False)
    assert done.returncode == 1
    assert "vip 192.0.2.1/32 down0: stays down, because nobody can be asked for it on down0: Network is down" in (
        done.stdout + done.stderr
    )
    assert "192.0.2.2/32" in netns.run("ip", "address", "show", "dev", "up0").stdout
    netns.run("ip", "link", "set", "down0", "up")
    netns.run(sys.executable, program, "once", lines)
    assert "192.0.2.1/32" in netns.run("ip", "address", "show", "dev", "down0").stdout


ROUTES = """\
addr add 192.0.2.5/24 dev e0
addr add 198.51.100.5/24 dev e1
addr add 2001:db8::5/64 dev e0 nodad
route add default via 203.0.113.1 dev e0 onlink src 192.0.2.5 metric 100 mtu 1400 initcwnd 20 rto_min 5ms proto static
route add 0.0.0.0/0 via inet6 fe80::1 dev e0 metric 200
route add default metric 300 proto dhcp nexthop via 192.0.2.1 dev e0 weight 1 nexthop via 198.51.100.1 dev e1 weight 2
route add default dev e1 scope global metric 400 advmss 1000
route add ::/0 proto static metric 50 nexthop via fe80::1 dev e0 nexthop via fe80::2 dev e1
route add ::/0 via fe80::9 dev e0 expires 100 hoplimit 64 pref high
route add unreachable ::/0 metric 9999
"""
COPIES = {
    "-4": [
        "default via 203.0.113.1 dev e0 src 192.0.2.5 metric 100 onlink mtu 1400 advmss 1310 initcwnd 20 rto_min lock 5ms",
        "default via inet6 fe80::1 dev e0 metric 200 advmss 1410",
        "default metric 300 advmss 1410 nexthop via 192.0.2.1 dev e0 weight 1 nexthop via 198.51.100.1 dev e1 weight 2",
        "default dev e1 metric 400 advmss 1000",
    ],
    "-6": [
        "default metric 50 advmss 1390 pref medium nexthop via fe80::1 dev e0 weight 1 nexthop via fe80::2 dev e1 weight 1",
        "default via fe80::9 dev e0 metric 1024 advmss 1390 hoplimit 64 pref high",
    ],
}


class Copies:
    """A machine with default routes of many kinds, and what is to have copies of them in tables of their own."""

    def __init__(self, netns, once):
        self.netns = netns
        self._once = once
        for device in ("e0", "e1"):
            netns.ip(f"link add {device} type dummy", f"link set {device} up")
        netns.ip(*ROUTES.splitlines())

    def keep(self):
        return self._once("defaults -4 4320 50\ndefaults -6 4320 50\n")

    def shown(self, family):
        lines = self.netns.run("ip", "-o", family, "route", "show", "table", "4320").stdout.splitlines()
        return [" ".join(line.replace("\\", " ").split()) for line in lines]


@pytest.fixture
def copies(netns, once):
    return Copies(netns, once)


def test_default_routes_are_copied_whole(copies):
    assert copies.keep() == ["added: defaults -4 4320 50", "added: defaults -6 4320 50"]
    assert {family: copies.shown(family) for family in COPIES} == COPIES
    assert copies.keep() == [""]


def test_copies_follow_their_routes_one_by_one(copies):
    copies.keep()
    watching = copies.netns.start("ip", "-o", "monitor", "route")
    time.sleep(0.5)
    copies.netns.ip(
        "route del default metric 100",
        "route replace default via 192.0.2.9 dev e0 metric 200",
        "route add default via 192.0.2.8 dev e0",
    )
    assert copies.keep() == ["added: defaults -4 4320 50"]
    assert copies.shown("-4") == [
        "default via 192.0.2.8 dev e0 advmss 1410",
        "default via 192.0.2.9 dev e0 metric 200 advmss 1410",
        *COPIES["-4"][2:],
    ]
    assert copies.keep() == [""]
    watching.terminate()
    events = [line.split(" proto ")[0] for line in watching.stdout if "table 4320" in line]
    assert [event.startswith("Deleted ") for event in events] == [False, False, True], events


def test_a_next_hop_that_is_dead_does_not_hinder_the_others(copies):
    copies.netns.ip("link set e1 down")
    copies.keep()
    assert copies.shown("-4") == [*COPIES["-4"][:2], "default via 192.0.2.1 dev e0 metric 300 advmss 1410"]
    assert copies.keep() == [""]


ADVERTISE = """\
import importlib.util, socket, struct, sys
spec = importlib.util.spec_from_file_location("keep", sys.argv[1])
keep = importlib.util.module_from_spec(spec)
spec.loader.exec_module(keep)
nodes = socket.inet_pton(socket.AF_INET6, "ff02::1")
with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as wire:
    wire.bind(("r0", 0))
    for address, preference in (("fe80::8", 0x18), ("fe80::9", 0)):
        source = socket.inet_pton(socket.AF_INET6, address)
        body = struct.pack("!BBHBBHII", 134, 0, 0, 64, preference, 1800, 0, 0)
        wire.send(keep.icmp6(bytes.fromhex("333300000001"), bytes.fromhex("0200000000") + source[-1:], source, nodes, body))
"""


def test_routers_that_announce_themselves_all_have_a_copy(copies, make_netns):
    """They share a metric, where copies would become next hops of one route. The first one says that others are better."""
    netns, router = copies.netns, make_netns()
    netns.run("ip", "-6", "route", "flush", "default")
    netns.ip(f"link add e2 type veth peer name r0 netns {router.name}")
    netns.ip("link set e2 addrgenmode none", "link set e2 up", "addr add fe80::5/64 dev e2 nodad")
    router.ip("link set r0 up")
    router.run(sys.executable, "-c", ADVERTISE, PROGRAM)
    end = time.monotonic() + 10
    while len(netns.run("ip", "-6", "route", "show", "default").stdout.splitlines()) < 2 and time.monotonic() < end:
        time.sleep(0.1)
    copies.keep()
    assert copies.shown("-6") == [
        "default via fe80::9 dev e2 metric 1024 advmss 1390 hoplimit 64 pref medium",
        "default via fe80::8 dev e2 metric 1025 advmss 1390 hoplimit 64 pref low",
    ]
    assert copies.keep() == [""]


def test_an_address_is_announced_when_it_comes_up_and_only_then(netns, make_netns, once):
    vips = "192.0.2.100/32", "2001:db8::100/128"
    hosts = [vip.partition("/")[0] for vip in vips]
    peer = make_netns()
    netns.ip(f"link add out type veth peer name eth0 netns {peer.name}", "link set out up")
    peer.ip("link set eth0 up", "addr add 192.0.2.3/24 dev eth0", "addr add 2001:db8::3/64 dev eth0 nodad")
    netns.restore("-A -t 192.0.2.100:80 -s rr\n-A -t [2001:db8::100]:80 -s rr\n")
    own = json.loads(netns.run("ip", "-j", "link", "show", "out").stdout)[0]["address"]
    stale = "02:00:00:00:00:99"

    def neighbours():
        return {entry["dst"]: entry["lladdr"] for entry in json.loads(peer.run("ip", "-j", "neigh").stdout)}

    def mislead():
        peer.ip(*(f"neigh replace {host} lladdr {stale} dev eth0 nud stale" for host in hosts))
        assert {host: neighbours()[host] for host in hosts} == dict.fromkeys(hosts, stale)

    lines = "".join(f"vip {vip} out\n" for vip in vips)
    mislead()
    assert once(lines) == [f"added: {line}" for line in lines.splitlines()]
    assert {host: neighbours()[host] for host in hosts} == dict.fromkeys(hosts, own)
    found = {
        entry["local"]: entry
        for entry in json.loads(netns.run("ip", "-j", "addr", "show", "out").stdout)[0]["addr_info"]
    }
    for vip in vips:
        host, _slash, length = vip.partition("/")
        assert found[host]["prefixlen"] == int(length)
        assert found[host]["deprecated"] is True  # no connection of this host begins with it
        assert "tentative" not in found[host]
    mislead()
    assert once(lines) == [""]
    assert {host: neighbours()[host] for host in hosts} == dict.fromkeys(hosts, stale)


WATCH = """\
import collections, json, pathlib, runpy, sys
seen = collections.Counter()
names = {"open": 0, "socket.__new__": 1}  # of what, by its place among the arguments
sys.addaudithook(lambda event, args: seen.update([str(args[names[event]])] if event in names else []))
sys.argv = sys.argv[1:]
try:
    runpy.run_path(sys.argv[0], run_name="__main__")
finally:
    io = pathlib.Path("/proc/self/io").read_text()
    seen["bytes written"] = int(io.partition("wchar: ")[2].split()[0])
    print(json.dumps(seen), file=sys.stderr)
"""


@pytest.fixture
def vips(netns, tmp_path):
    """A file of a hundred virtual addresses, which have their services."""
    vips = [f"192.0.2.{number}" for number in range(100)]
    netns.ip("link add out type dummy", "link set out up")
    netns.restore("".join(f"-A -t {vip}:80 -s rr\n" for vip in vips))
    lines = tmp_path / "vips"
    lines.write_text("".join(f"vip {vip}/32 out\n" for vip in vips))
    return lines


@pytest.fixture
def many(netns, program, vips):
    """What it takes to bring them up: many()."""

    def watched():
        done = netns.run(sys.executable, "-B", "-c", WATCH, program, "once", vips)
        assert done.stdout.count("added: ") == 100
        return json.loads(done.stderr)

    return watched


def test_the_table_is_read_once_for_all_addresses(many):
    assert many()["/proc/net/ip_vs"] == 1


def test_all_addresses_are_announced_by_one_socket(many):
    assert many()[str(int(socket.AF_PACKET))] == 2  # and another one asked who has them


def test_what_was_added_is_written_down_line_by_line(many, vips, tmp_path):
    lines = vips.read_text()
    assert many()["bytes written"] < 4 * len(lines)  # once there, once more to say so
    assert (tmp_path / "state" / "vips.added").read_text() == lines


def test_it_is_ready_when_all_addresses_are_there(netns, program, vips, monkeypatch, tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(60)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        netns.start(sys.executable, program, "run", vips)
        assert manager.recv(4096) == b"READY=1"
        assert netns.run("ip", "address", "show", "dev", "out").stdout.count(" 192.0.2.") == 100


def test_a_line_that_was_written_down_half_is_none(netns, once, tmp_path):
    netns.ip("link add lvs0 type dummy", "link add lvs1 type dummy", "link set lvs0 up")
    one, two = "-4 address add 192.0.2.1/32 dev lvs0", "-4 address add 192.0.2.2/32 dev lvs0"
    once(one)
    state = tmp_path / "state" / "lines.added"
    state.write_text(f"{state.read_text()}link add lvs1")  # of: link add lvs10 type dummy
    assert once(f"{one}\n{two}") == [f"added: {two}"]
    assert once("") == [f"removed: {two}", f"removed: {one}"]
    assert "lvs1" in netns.run("ip", "link", "show").stdout
    assert state.read_text() == ""


FLOOD = """\
import socket
with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as wire:
    wire.bind(("eth0", 0))
    while True:
        wire.send(bytes(64))
"""


def test_others_that_have_an_address_are_found(netns, make_netns):
    peer = make_netns()
    netns.ip(f"link add out type veth peer name eth0 netns {peer.name}", "link set out up")
    peer.ip("link set eth0 up", "addr add 192.0.2.3/24 dev eth0", "addr add 2001:db8::3/64 dev eth0 nodad")
    other = json.loads(peer.run("ip", "-j", "link", "show", "eth0").stdout)[0]["address"]
    wanted = "192.0.2.3", "192.0.2.4", "2001:db8::3", "2001:db8::4"
    assert netns.run(sys.executable, PROGRAM, "probe", "out", *wanted, check=False).stdout.splitlines() == [
        f"{address} is in use: the machine with the hardware address {other} answers for it on out"
        for address in ("192.0.2.3", "2001:db8::3")
    ]
    assert netns.run(sys.executable, PROGRAM, "reach", "out", *wanted, check=False).stdout.splitlines() == [
        f"{address} does not answer on out" for address in ("192.0.2.4", "2001:db8::4")
    ]


def test_on_a_busy_network_too_and_among_many(netns, make_netns):
    peer = make_netns()
    netns.ip(f"link add out type veth peer name eth0 netns {peer.name}", "link set out up")
    peer.ip("link set eth0 up", "addr add 198.18.7.207/15 dev eth0", "addr add 2001:db8::7cf/64 dev eth0 nodad")
    peer.start(sys.executable, "-c", FLOOD)
    vips = [f"198.18.{number >> 8}.{number & 255}" if number % 2 else f"2001:db8::{number:x}" for number in range(2000)]
    found = netns.run(sys.executable, PROGRAM, "probe", "out", *vips, "2001:db8::7cf", check=False, timeout=60).stdout
    assert [line.partition(" ")[0] for line in found.splitlines()] == ["198.18.7.207", "2001:db8::7cf"]


def test_answers_of_nat_stay_with_a_director_on_the_same_network_as_the_way_to_clients(netns, make_netns, once):
    """The director tells a server to send to that router at once, past itself."""
    director, router, client = make_netns(), make_netns(), "203.0.113.9"
    netns.ip("link add lan type bridge", "link set lan up", "addr add 192.0.2.11/24 dev lan")
    for number, other in ((1, director), (254, router)):
        netns.ip(
            f"link add port{number} master lan type veth peer name eth0 netns {other.name}", f"link set port{number} up"
        )
        other.ip("link set eth0 up", f"addr add 192.0.2.{number}/24 dev eth0")
    router.ip(f"addr add {client}/32 dev lo")
    director.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
    for host in (netns, director):
        host.ip("route add default via 192.0.2.254")
    looked = {
        "links": [],
        "addresses": {"lan": ["192.0.2.11/24"]},
        "sysctls": {},
        "overriding": [],
        "record": {},
        "beside": {},
        "ways": {"192.0.2.1": {"device": "lan", "neighbour": True, "answers": True}},
        "ssh": 22,
    }
    lines = real_server_lines(real_server_needs({"forwarding": "nat", "gateway": ["192.0.2.1"]}), looked)["lines"]

    def next_hop():
        netns.run("ping", "-c", "4", "-i", "0.3", "-W", "2", "-I", "192.0.2.11", client)
        return netns.run("ip", "route", "get", client, "from", "192.0.2.11").stdout

    once("\n".join(line for line in lines if not line.startswith("sysctl ")))
    assert " via 192.0.2.254 " in next_hop()
    netns.run("ip", "route", "flush", "cache")
    once("\n".join(lines))
    assert " via 192.0.2.1 " in next_hop()
