# Copyright (c) 2026, the linux.lvs contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ipvs_info reads, against what ipvsadm reads."""

from __future__ import annotations

import time

import pytest
from helpers import counted_all, ok, seen, warned

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


GATHER = {"services", "timeouts", "daemons", "stats", "connections", "version"}


@pytest.mark.parametrize("gather", sorted(GATHER))
def test_only_what_is_gathered_is_returned(netns, quick, gather):
    netns.restore(TABLE)
    result = ok(quick("ipvs_info", gather=[gather]))
    assert set(result) & GATHER == {gather}


def test_connections_have_to_be_asked_for(quick):
    assert set(ok(quick("ipvs_info"))) & GATHER == GATHER - {"connections"}


def test_timeouts_are_those_of_ipvsadm(netns, quick):
    netns.ipvsadm("--set", "5", "6", "7")
    assert netns.ipvsadm("-L", "--timeout") == "Timeout (tcp tcpfin udp): 5 6 7\n"
    assert ok(quick("ipvs_info", gather=["timeouts"]))["timeouts"] == {"tcp": 5, "tcp_fin": 6, "udp": 7}


def test_daemons_are_those_of_ipvsadm_master_first(netns, quick):
    words = ["--sync-maxlen", "2000", "--mcast-group", "ff05::81", "--mcast-port", "9000", "--mcast-ttl", "3"]
    netns.ipvsadm("--start-daemon", "backup", "--mcast-interface", "lo", "--syncid", "2", *words)
    netns.ipvsadm("--start-daemon", "master", "--mcast-interface", "lo", "--syncid", "1")
    daemons = ok(quick("ipvs_info", gather=["daemons"]))["daemons"]
    shown = [
        "{role} sync daemon (mcast={interface}, syncid={sync_id}, maxlen={sync_maxlen}, group={multicast_group},"
        " port={multicast_port}, ttl={multicast_ttl})".format(**daemon)
        for daemon in daemons
    ]
    assert shown == netns.ipvsadm("-L", "--daemon").splitlines()
    assert [daemon["role"] for daemon in daemons] == ["master", "backup"]
    assert [ok(quick("ipvs_sync_daemon", **daemon))["changed"] for daemon in daemons] == [False, False]


@pytest.mark.parametrize(
    ("name", "stopped", "again", "why"),
    [("run_estimation", "0", "1", "is 0"), ("est_cpulist", "", "all", "is empty")],
    ids=["run_estimation", "est_cpulist"],
)
def test_counters_that_stand_still_are_warned_of(network, netns, quick, traffic, name, stopped, again, why):
    net = network(servers=1)
    service, (real,) = f"{net.VIP}:80", net.addresses
    netns.restore(f"-A -t {service} -s rr\n-a -t {service} -r {real}:80 -m -w 1\n")
    traffic.listen(net.servers[0], "tcp", 80)
    netns.run("sh", "-ec", f"echo '{stopped}' >/proc/sys/net/ipv4/vs/{name}")
    for _time in range(3):
        traffic.connect(net.client, "tcp", net.VIP, 80)
    time.sleep(5)  # the kernel adds up every two seconds
    result = ok(quick("ipvs_info"))
    assert warned(result) == [
        f"stats: counters stand still, totals and figures for a second, as net.ipv4.vs.{name} {why}"
    ]
    (stats,) = result["stats"]
    assert set(stats["counters"].values()) == {0}
    assert [(row["active"], set(row["counters"].values())) for row in stats["servers"]] == [(3, {0})]
    assert warned(ok(quick("ipvs_info", gather=["services", "version"]))) == []
    netns.run("sh", "-ec", f"echo '{again}' >/proc/sys/net/ipv4/vs/{name}")
    counted_all(netns, service, 3)
    result = ok(quick("ipvs_info"))
    assert (warned(result), result["stats"][0]["counters"]["connections"]) == ([], 3)


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


# Connections


@pytest.fixture
def site(network, netns, traffic):
    """Connections and memories of every kind of service, in both families."""
    net = network(servers=1)
    (real,), (real6,) = net.addresses, net.addresses6
    netns.restore(
        f"""\
-A -t {net.VIP}:80 -s rr
-a -t {net.VIP}:80 -r {real}:80 -m
-A -t {net.VIP}:0 -s rr -p 600 -M 255.255.255.0
-a -t {net.VIP}:0 -r {real}:0 -m
-A -u {net.VIP}:5060 -s rr -p 60 --pe sip
-a -u {net.VIP}:5060 -r {real}:5060 -m
-A --sctp-service {net.VIP}:80 -s rr
-a --sctp-service {net.VIP}:80 -r {real}:80 -m
-A -t [{net.VIP6}]:80 -s rr -p 300 -M 64
-a -t [{net.VIP6}]:80 -r [{real6}]:80 -m
-A -f 7 -s rr -p 60
-a -f 7 -r {real}:0 -m
-A -f 2147483647 -6 -s rr -p 60
-a -f 2147483647 -6 -r [{real6}]:0 -m
"""
    )
    for kind, port in (("tcp", 80), ("tcp", 8080), ("tcp", 9999), ("sctp", 80), ("udp", 5060)):
        traffic.listen(net.servers[0], kind, port)
    traffic.connect(net.client, "tcp", net.VIP, 80)
    traffic.connect(net.client, "tcp", net.VIP, 8080)
    traffic.connect(net.client, "sctp", net.VIP, 80)
    traffic.connect(net.client, "tcp", net.VIP6, 80)
    traffic.connect(netns, "tcp", net.VIP, 9999, mark=7)
    traffic.connect(netns, "tcp", net.VIP6, 9999, mark=2147483647)
    traffic.connect(net.client, "udp", net.VIP, 5060).send(
        b"INVITE sip:you@example.org SIP/2.0\r\nCall-ID: a84b4c76@pc33.example.org\r\n\r\n"
    )
    return net


def read(quick, **options):
    return ok(quick("ipvs_info", gather=["connections"], **options))["connections"]


def as_ipvsadm_shows(entry):
    """A line of ipvsadm -Lnc, without the time."""

    def end(address, port):
        return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"

    if "fwmark" in entry:
        digits = f"{entry['fwmark']:08x}"
        protocol = "IP"
        address = ".".join(str(int(digits[at : at + 2], 16)) for at in (0, 2, 4, 6))
        if entry["family"] == "ipv6":
            address = f"{digits[:4]}:{digits[4:]}::"
        virtual = end(address, 0)
    else:
        protocol = entry["protocol"].upper()
        virtual = end(entry["virtual_address"], entry["virtual_port"])
    client, server = (end(entry[f"{name}_address"], entry[f"{name}_port"]) for name in ("client", "server"))
    return (protocol, entry["state"], client, virtual, server)


def test_connections_are_those_of_ipvsadm(netns, quick, site):
    entries = read(quick)
    lines = [line.split() for line in netns.ipvsadm("-Lnc").splitlines()[2:]]
    assert sorted(map(as_ipvsadm_shows, entries)) == sorted(tuple(line[:1] + line[2:6]) for line in lines)
    assert len(entries) >= 12
    for entry in entries:
        (time,) = [line[1] for line in lines if tuple(line[:1] + line[2:6]) == as_ipvsadm_shows(entry)]
        minutes, seconds = map(int, time.split(":"))
        assert 0 <= entry["expires"] - (60 * minutes + seconds) <= 3


def test_entries_of_persistence_are_told_apart(netns, quick, site):
    memories = [entry for entry in read(quick) if entry["persistent"]]
    assert {entry["client_port"] for entry in memories} == {0}
    marks = [(entry["fwmark"], entry["family"]) for entry in memories if "fwmark" in entry]
    assert sorted(marks) == [(7, "ipv4"), (2147483647, "ipv6")]
    others = [(entry["virtual_port"], entry["client_address"]) for entry in memories if "fwmark" not in entry]
    network = site.CLIENT.rpartition(".")[0]
    assert sorted(others) == [(0, f"{network}.0"), (80, "2001:db8:1::"), (5060, site.CLIENT)]
    (sip,) = [entry for entry in memories if "persistence_engine" in entry]
    assert (sip["persistence_engine"], sip["persistence_data"]) == ("sip", "a84b4c76@pc33.example.org")


def test_connections_of_one_service(netns, quick, site):
    def of(**service):
        entries = read(quick, service=service)
        return sorted((entry["protocol"], entry["virtual_port"], entry["persistent"]) for entry in entries)

    assert of(address=site.VIP, port=80) == [("tcp", 80, False)]
    assert of(address=site.VIP, port=80, protocol="sctp") == [("sctp", 80, False)]
    assert of(address=site.VIP6, port=80) == [("tcp", 80, False), ("tcp", 80, True)]
    assert of(address=site.VIP, port=0)[:2] == [("tcp", 0, True), ("tcp", 8080, False)]
    assert of(address=site.VIP, port=443) == []


def test_connections_of_a_mark_are_its_memories_and_a_warning(netns, quick, site):
    result = ok(quick("ipvs_info", gather=["connections"], service={"fwmark": 7}))
    assert [(entry["fwmark"], entry["client_address"]) for entry in result["connections"]] == [(7, site.VIP)]
    assert warned(result) == [
        "connections: the kernel does not say which came by a mark; of a service by mark only the memories of persistent"
        " clients are listed"
    ]


def test_server_of_the_other_family_has_its_own_address(netns, quick, traffic, network):
    net = network(servers=1)
    netns.restore(f"-A -t [{net.VIP6}]:80 -s rr\n-a -t [{net.VIP6}]:80 -r {net.addresses[0]}:80 -i\n")
    client = traffic._socket(net.client, "tcp", net.VIP6)
    client.settimeout(0.2)
    with pytest.raises(OSError):
        client.connect((net.VIP6, 80))
    (entry,) = read(quick)
    assert (entry["client_address"], entry["server_address"]) == (net.CLIENT6, net.addresses[0])
