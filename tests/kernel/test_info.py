# Copyright (c) 2026, the linux.lvs contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ipvs_info reads, against what ipvsadm reads."""

from __future__ import annotations

import pytest
from helpers import counted_all, ok, seen

TABLE = """\
-A -t 192.0.2.1:80 -s sh -p 300 -M 255.255.255.0 -b sh-port
-a -t 192.0.2.1:80 -r 198.51.100.2:80 -i -w 0 --tun-type gue --tun-port 6080 --tun-csum
-a -t 192.0.2.1:80 -r 198.51.100.1:8080 -m -w 5 -x 100 -y 50
-A -u 192.0.2.1:5060 -s rr -p 60 --pe sip -o
-A --sctp-service [2001:db8::1]:0 -s mh -p 60 -M 64 -b flag-3
-a --sctp-service [2001:db8::1]:0 -r [2001:db8:1::1]:0 -g -w 1
-a --sctp-service [2001:db8::1]:0 -r 198.51.100.1:0 -i -w 1 --tun-type gre --tun-csum
-A -f 7 -6 -s wlc
-A -f 7 -s none
-a -f 7 -r 198.51.100.1:0 -i -w 1 --tun-type ipip
"""
IDENTITY = ("address", "port", "protocol", "fwmark", "family")


def identity(service):
    return {name: service[name] for name in IDENTITY if name in service}


def test_services_come_by_address_then_by_mark(netns, quick):
    netns.restore(TABLE)
    result = ok(quick("ipvs_info", gather=["services"]))
    assert [identity(service) for service in result["services"]] == [
        {"address": "192.0.2.1", "port": 80, "protocol": "tcp"},
        {"address": "192.0.2.1", "port": 5060, "protocol": "udp"},
        {"address": "2001:db8::1", "port": 0, "protocol": "sctp"},
        {"fwmark": 7, "family": "ipv4"},
        {"fwmark": 7, "family": "ipv6"},
    ]
    assert result["changed"] is False


def test_servers_come_by_address(netns, quick):
    netns.restore(TABLE)
    first = ok(quick("ipvs_info", gather=["services"]))["services"][0]
    assert first["servers"] == [
        {
            "address": "198.51.100.1",
            "port": 8080,
            "forwarding": "nat",
            "weight": 5,
            "upper_threshold": 100,
            "lower_threshold": 50,
        },
        {
            "address": "198.51.100.2",
            "port": 80,
            "forwarding": "tunnel",
            "weight": 0,
            "upper_threshold": 0,
            "lower_threshold": 0,
            "tunnel_type": "gue",
            "tunnel_port": 6080,
            "tunnel_checksum": "csum",
        },
    ]


def declare(run, services):
    """Each service and server as it was read; the results."""
    for service in services:
        yield ok(run("ipvs_service", **{name: value for name, value in service.items() if name != "servers"}))
        for server in service["servers"]:
            yield ok(run("ipvs_server", service=identity(service), **server))


def test_what_was_read_and_is_declared_again_changes_nothing(netns, quick):
    netns.restore(TABLE)
    before = seen(netns)
    results = list(declare(quick, ok(quick("ipvs_info"))["services"]))
    assert len(results) == 10
    assert [result["commands"] for result in results] == [[]] * 10
    assert seen(netns) == before


def test_what_was_read_and_is_declared_elsewhere_makes_the_same_table(netns, make_netns, quick):
    netns.restore(TABLE)
    services = ok(quick("ipvs_info"))["services"]
    other = make_netns()
    list(declare(lambda name, **options: quick(name, netns=other.name, **options), services))
    assert seen(other).configuration == seen(netns).configuration
    assert ok(quick("ipvs_info", netns=other.name))["services"] == services


@pytest.mark.parametrize(
    ("service", "servers"),
    [
        ({"address": "192.0.2.1", "port": 80}, 2),
        ({"address": "2001:0DB8:0::1", "port": 0, "protocol": "sctp"}, 2),
        ({"fwmark": 7}, 1),
        ({"fwmark": 7, "family": "ipv6"}, 0),
    ],
)
def test_one_service_can_be_asked_for(netns, quick, service, servers):
    netns.restore(TABLE)
    result = ok(quick("ipvs_info", service=service))
    (read,), (stats,) = result["services"], result["stats"]
    assert identity(read) == stats["service"]
    assert len(read["servers"]) == len(stats["servers"]) == servers


def test_missing_service_is_empty_lists(netns, quick):
    netns.restore(TABLE)
    result = ok(quick("ipvs_info", service={"address": "192.0.2.1", "port": 80, "protocol": "udp"}))
    assert (result["services"], result["stats"]) == ([], [])


@pytest.mark.parametrize("gather", ["services", "stats", "version"])
def test_only_what_is_gathered_is_returned(netns, quick, gather):
    netns.restore(TABLE)
    result = ok(quick("ipvs_info", gather=[gather]))
    assert set(result) & {"services", "stats", "version"} == {gather}


def test_version_is_that_of_ipvsadm(netns, quick):
    netns.restore(TABLE)
    version = ok(quick("ipvs_info", gather=["version"]))["version"]
    assert f"IP Virtual Server version {version['ipvs']} (size={version['connection_table_size']})" in netns.ipvsadm(
        "-Ln"
    )


@pytest.mark.parametrize("check", [False, True])
def test_counters_are_those_of_ipvsadm(network, netns, quick, check):
    net = network(servers=2)
    service = f"{net.VIP}:80"
    netns.restore(f"-A -t {service} -s rr\n" + "".join(f"-a -t {service} -r {ip}:80 -m -w 1\n" for ip in net.addresses))
    for server in net.servers:
        server.serve("http", 80)
    for _time in range(4):
        net.client.ask("http", net.VIP, 80)
    counted = counted_all(netns, service, 4)
    (stats,) = ok(quick("ipvs_info", gather=["stats"], check=check))["stats"]
    assert totals(stats["counters"]) == counted[service]
    assert stats["service"] == {"address": net.VIP, "port": 80, "protocol": "tcp"}
    assert {f"{row['address']}:{row['port']}": totals(row["counters"]) for row in stats["servers"]} == {
        entry: counts for entry, counts in counted.items() if entry != service
    }


def totals(counters):
    return tuple(counters[name] for name in ("connections", "packets_in", "packets_out", "bytes_in", "bytes_out"))


def test_connections_are_counted_by_kind(network, netns, quick, traffic):
    """One established, one closing, and their client, whom persistence remembers."""
    net = network(servers=1)
    (server,) = net.addresses
    netns.restore(f"-A -t {net.VIP}:80 -s rr -p 600\n-a -t {net.VIP}:80 -r {server}:80 -m -w 1\n")
    traffic.listen(net.servers[0], "tcp", 80)
    traffic.connect(net.client, "tcp", net.VIP, 80)
    traffic.connect(net.client, "tcp", net.VIP, 80).close()
    (stats,) = ok(quick("ipvs_info", gather=["stats"]))["stats"]
    (row,) = stats["servers"]
    assert {kind: row[kind] for kind in ("active", "inactive", "persistent")} == {
        "active": 1,
        "inactive": 1,
        "persistent": 1,
    }
    assert netns.ipvsadm("-Ln").splitlines()[-1].split() == ["->", f"{server}:80", "Masq", "1", "1", "1"]
    assert netns.ipvsadm("-Ln", "--persistent-conn").splitlines()[-1].split()[-3:] == ["1", "1", "1"]
