# Copyright (c) 2026, the linux.lvs contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Services that are set up with the collection's own modules, and the network where servers answer clients themselves."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.linux.lvs.tests.lab.fixtures import command


class Service:
    """A virtual service on the director, and what the modules do with it."""

    def __init__(self, module, **key):
        self._module = module
        self.key = key

    def set(self, **options):
        return self._module("ipvs_service", **self.key, **options)

    def server(self, address, **options):
        return self._module("ipvs_server", service=self.key, address=address, **options)

    def with_servers(self, addresses, forwarding="nat", **options):
        self.set(**options)
        for address in addresses:
            self.server(address, forwarding=forwarding)
        return self


@pytest.fixture
def service(module):
    """service(address=…, port=…) -> Service."""
    return lambda **key: Service(module, **key)


@pytest.fixture
def web(network, service):
    """The classical example: (network, service), served by two masqueraded servers, round robin."""
    net = network(servers=2)
    for server, address in zip(net.servers, net.addresses):
        server.serve("http", 80, name=address)
    return net, service(address=net.VIP, port=80).with_servers(net.addresses, scheduler="rr")


class Segment:
    """Client, director and servers on one network; the servers have the virtual address too and tell nobody."""

    VIP = "10.0.0.100"

    def __init__(self, director, make, servers):
        self.director = director
        self.client = make()
        self.servers = [make() for _time in range(servers)]
        self.addresses = [f"10.0.0.{number}" for number in range(1, servers + 1)]
        director.run("ip", "link", "add", "lan", "type", "bridge")
        director.run("ip", "link", "set", "lan", "up")
        director.run("ip", "addr", "add", "10.0.0.254/24", "dev", "lan")
        director.run("ip", "addr", "add", f"{self.VIP}/32", "dev", "lan")
        for number, (host, address) in enumerate(zip([self.client, *self.servers], ["10.0.0.10", *self.addresses])):
            self._join(f"port{number}", host, address)
        for server in self.servers:
            server.run("sysctl", "-qw", "net.ipv4.conf.all.arp_ignore=1", "net.ipv4.conf.all.arp_announce=2")

    def _join(self, device, host, address):
        self.director.run("ip", "link", "add", device, "type", "veth", "peer", "name", "eth0", "netns", host.name)
        self.director.run("ip", "link", "set", device, "master", "lan", "up")
        host.run("ip", "link", "set", "eth0", "up")
        host.run("ip", "addr", "add", f"{address}/24", "dev", "eth0")


@pytest.fixture
def ipip():
    """The module that gives every namespace a tunl0, this machine's own too: so it is taken back."""
    loaded = Path("/sys/module/ipip").exists()
    command("modprobe", "ipip")
    yield
    if not loaded:
        command("modprobe", "-r", "ipip")


@pytest.fixture
def segment(netns, make_netns):
    """Segment with two servers; they still lack the virtual address."""
    return Segment(netns, make_netns, servers=2)
