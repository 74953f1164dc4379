# Copyright (c) 2026, the linux.lvs contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packets find their way to servers that the modules have set up."""

from __future__ import annotations

import pytest


def in_turn(client, kind, address, port, servers):
    answers = client.ask_times(2 * len(servers), kind, address, port)
    turn = answers[: len(servers)]
    return sorted(turn) == servers and answers == turn * 2


@pytest.mark.fast
def test_masqueraded_http_servers_answer_in_turn(web):
    net, _service = web
    assert in_turn(net.client, "http", net.VIP, 80, net.addresses)


def test_masqueraded_servers_may_listen_on_another_port(network, service):
    net = network(servers=1)
    net.servers[0].serve("http", 8080, name="other port")
    service(address=net.VIP, port=80).with_servers([]).server(net.addresses[0], port=8080, forwarding="nat")
    assert net.client.ask("http", net.VIP, 80) == "other port"


def test_udp_packets_are_served_in_turn(network, service):
    net = network(servers=2)
    for server, address in zip(net.servers, net.addresses):
        server.serve("udp", 53, name=address, address="0.0.0.0")
    service(address=net.VIP, port=53, protocol="udp").with_servers(net.addresses, scheduler="rr")
    assert in_turn(net.client, "udp", net.VIP, 53, net.addresses)


@pytest.mark.fast
def test_servers_with_ipv6_answer_in_turn(network, service):
    net = network(servers=2)
    for server, address in zip(net.servers, net.addresses6):
        server.serve("http", 80, name=address)
    service(address=net.VIP6, port=80).with_servers(net.addresses6, scheduler="rr")
    assert in_turn(net.client, "http", net.VIP6, 80, net.addresses6)


def test_servers_with_direct_routing_answer_clients_themselves(segment, service):
    for server, address in zip(segment.servers, segment.addresses):
        server.run("ip", "addr", "add", f"{segment.VIP}/32", "dev", "lo")
        server.serve("http", 80, name=address)
    service(address=segment.VIP, port=80).with_servers(segment.addresses, "direct", scheduler="rr")
    assert in_turn(segment.client, "http", segment.VIP, 80, segment.addresses)


@pytest.mark.fast
@pytest.mark.usefixtures("ipip")
def test_servers_behind_ipip_tunnels_answer_clients_themselves(segment, service):
    for server, address in zip(segment.servers, segment.addresses):
        server.run("ip", "link", "set", "tunl0", "up")
        server.run("ip", "addr", "add", f"{segment.VIP}/32", "dev", "tunl0")
        server.serve("http", 80, name=address)
    service(address=segment.VIP, port=80).with_servers(segment.addresses, "tunnel", scheduler="rr")
    assert in_turn(segment.client, "http", segment.VIP, 80, segment.addresses)
