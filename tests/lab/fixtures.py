# Copyright (c) 2026, the linux.lvs contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""pytest fixtures for tests on a kernel with IPVS: fresh namespaces, modules run as Ansible runs them, packets."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ansible_collections.linux.lvs.tests.lab.modules import Modules

TRAFFIC = Path(__file__).parent / "traffic.py"


def installed(variable):
    """What tests/run made ready, as version -> directory."""
    words = filter(None, os.environ.get(variable, "").split(":"))
    return dict(word.split("=", 1) for word in words)


CORES = installed("LVS_CORES")
PYROUTE2 = installed("LVS_PYROUTE2")


def command(*argv, check=True, input=None, timeout=300):
    """Run it. check: anything but exit status 0 is a failed test that shows all output."""
    argv = [str(word) for word in argv]
    done = subprocess.run(argv, input=input, capture_output=True, text=True, timeout=timeout, check=False)
    if check and done.returncode:
        raise AssertionError(f"{' '.join(argv)} exited with {done.returncode}\n{done.stdout}{done.stderr}")
    return done


class Namespace:
    """A network namespace with lo up."""

    def __init__(self, name):
        self.name = name
        self._started = []
        command("ip", "netns", "add", name)
        self.run("ip", "link", "set", "lo", "up")

    def close(self):
        for process in self._started:
            process.kill()
            process.communicate()
        command("ip", "netns", "delete", self.name)

    def run(self, *argv, check=True, input=None, timeout=300):
        return command("ip", "netns", "exec", self.name, *argv, check=check, input=input, timeout=timeout)

    def ip(self, *lines):
        """Lines of ip's own language, by one process."""
        command("ip", "-n", self.name, "-batch", "-", input="".join(f"{line}\n" for line in lines))

    def start(self, *argv):
        """A process that lives until the namespace goes."""
        words = ["ip", "netns", "exec", self.name, *map(str, argv)]
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        self._started.append(process)
        return process

    def ipvsadm(self, *args, input=None):
        """ipvsadm exits with 0 after some errors, so that silence is asked for too."""
        done = self.run("ipvsadm", *args, input=input)
        assert not done.stderr, done.stderr
        return done.stdout

    def restore(self, text):
        self.ipvsadm("-R", input=text)

    def save(self):
        """The lines of ipvsadm -Sn. ipvsadm's own order is the kernel's hash."""
        return sorted(line.strip() for line in self.ipvsadm("-Sn").splitlines())

    def thresholds(self):
        """{service: {server: (upper, lower)}}, both as `ipvsadm -Ln --thresholds` writes them."""
        table, servers = {}, {}
        for line in self.ipvsadm("-Ln", "--thresholds").splitlines()[3:]:
            words = line.split()
            if words[0] == "->":
                servers[words[1]] = (int(words[2]), int(words[3]))
            else:
                servers = table[f"{words[0]} {words[1]}"] = {}
        return table

    def proc(self, name="ip_vs"):
        """/proc/net/ip_vs as this namespace sees it; empty where there is none."""
        return self.run("cat", f"/proc/net/{name}", check=False).stdout

    def serve(self, kind, port, *, name=None, address="::"):
        """Answer requests with the name, by default that of the namespace. kind: http or udp."""
        process = self.start(sys.executable, TRAFFIC, f"serve-{kind}", address, port, name or self.name)
        assert process.stdout.readline() == "ready\n"
        return process

    def ask(self, kind, address, port, *, path="/", timeout=5, check=True):
        """The answer to one request over a connection of its own."""
        done = self.run(sys.executable, TRAFFIC, f"ask-{kind}", address, port, path, timeout, check=check)
        return done.stdout.rstrip("\n")

    def ask_times(self, times, kind, address, port):
        """The answers to so many requests, which one process makes: starting one takes longer than asking."""
        return self.run(sys.executable, TRAFFIC, f"ask-{kind}", address, port, "/", 5, times).stdout.split()


class Network:
    """LVS-NAT as in every introduction: a client, the director with the virtual address, servers behind it."""

    VIP, VIP6 = "192.168.0.1", "2001:db8:1::1"
    CLIENT, CLIENT6 = "192.168.0.100", "2001:db8:1::100"
    INSIDE, INSIDE6 = "172.16.0.254", "2001:db8:2::254"

    def __init__(self, director, make, servers):
        self.director = director
        self.client = make()
        self.servers = [make() for number in range(servers)]
        self.addresses = [f"172.16.0.{number}" for number in range(1, servers + 1)]
        self.addresses6 = [f"2001:db8:2::{number}" for number in range(1, servers + 1)]
        director.run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
        director.ip(
            "link add inside type bridge",
            f"link add outside type veth peer name eth0 netns {self.client.name}",
            *(
                f"link add server{number} master inside type veth peer name eth0 netns {server.name}"
                for number, server in enumerate(self.servers, 1)
            ),
            *(f"link set server{number} up" for number in range(1, servers + 1)),
            *self._up("inside", self.INSIDE, self.INSIDE6),
            *self._up("outside", self.VIP, self.VIP6),
        )
        self.client.ip(*self._up("eth0", self.CLIENT, self.CLIENT6))
        for server, address, address6 in zip(self.servers, self.addresses, self.addresses6):
            server.ip(
                *self._up("eth0", address, address6),
                f"route add default via {self.INSIDE}",
                f"route add ::/0 via {self.INSIDE6}",
            )

    @staticmethod
    def _up(device, address, address6):
        return (
            f"link set {device} up",
            f"addr add {address}/24 dev {device}",
            f"addr add {address6}/64 dev {device} nodad",
        )


@pytest.fixture(scope="session", autouse=True)
def nothing_is_left():
    if not os.environ.get("LVS_LAB"):
        pytest.exit("these tests change the kernel's tables: run them with tests/run", returncode=2)
    before = _leftovers()
    yield
    deadline = time.monotonic() + 60  # a busy machine takes its time to end them
    while (left := _leftovers() - before) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not left, f"left behind: {sorted(left)}"


def _leftovers():
    """Namespaces and user-space processes (those of the kernel have no command line)."""
    found = {f"namespace {path.name}" for path in Path("/run/netns").glob("*")}
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if words:
            found.add(f"process {path.parent.name}: {words}")
    return found


@pytest.fixture
def make_netns():
    """Callable that makes one more namespace."""
    made = []

    def make():
        made.append(Namespace(f"lvs-{secrets.token_hex(4)}"))
        return made[-1]

    yield make
    for namespace in made:
        namespace.close()


@pytest.fixture
def netns(make_netns):
    return make_netns()


@pytest.fixture
def module(netns, tmp_path):
    """module("ipvs_service", address=..., check=True) -> the module's result. Works in `netns` unless told otherwise."""
    return Modules(netns.name, tmp_path)


@pytest.fixture
def network(netns, make_netns):
    """network(servers=2) -> Network, with `netns` as the director."""
    return lambda servers=2: Network(netns, make_netns, servers)
