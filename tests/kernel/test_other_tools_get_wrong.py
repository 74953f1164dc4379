# Copyright (c) 2026, the linux.lvs contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What other tools for IPVS get wrong, one test a mistake."""

from __future__ import annotations

import pytest
from helpers import counted_all, failed, ok, seen, statistics

pytestmark = pytest.mark.fast

HTTP = {"address": "192.0.2.1", "port": 80}
WEB = "-t 192.0.2.1:80"


# ipvsadm: -S leaves out, -E and -e reset what is not repeated, -R goes on and exits with 0


def test_thresholds_survive_a_weight_change(netns, quick):
    netns.restore(f"-A {WEB} -s rr\n-a {WEB} -r 198.51.100.1:80 -m -w 5 -x 100 -y 50\n")
    ok(quick("ipvs_server", service=HTTP, address="198.51.100.1", weight=0))
    assert netns.save() == [f"-A {WEB} -s rr", f"-a {WEB} -r 198.51.100.1:80 -m -w 0"]
    assert seen(netns).limits == {"198.51.100.1:80": (100, 50)}


def test_thresholds_are_in_diff_and_commands(netns, quick):
    netns.restore(f"-A {WEB} -s rr\n-a {WEB} -r 198.51.100.1:80 -m -w 5 -x 100 -y 50\n")
    result = ok(quick("ipvs_server", diff=True, service=HTTP, address="198.51.100.1", weight=6))
    assert "-x 100 -y 50" in result["diff"]["before"]
    assert "-x 100 -y 50" in result["diff"]["after"]
    assert result["commands"] == [
        f"ip netns exec {netns.name} ipvsadm -e {WEB} -r 198.51.100.1:80 -m -w 6 -x 100 -y 50"
    ]


def test_diff_text_restores_the_whole_table(netns, make_netns, quick):
    """Also of a service that ipvsadm's own save text would lose: mh with the third flag alone."""
    ok(quick("ipvs_service", **HTTP, scheduler="mh", scheduler_flags=["flag-3"], persistence_timeout=60))
    server = {"service": HTTP, "address": "198.51.100.1", "upper_threshold": 100, "lower_threshold": 50}
    ok(
        quick(
            "ipvs_server", **server, forwarding="tunnel", tunnel_type="gue", tunnel_port=6080, tunnel_checksum="remcsum"
        )
    )
    result = ok(quick("ipvs_server", diff=True, service=HTTP, address="198.51.100.1", weight=2))
    twin = make_netns()
    twin.restore(result["diff"]["after"])
    assert seen(twin).configuration == seen(netns).configuration


def test_third_scheduler_flag_is_kept(netns, quick):
    """For want of a name ipvsadm prints it as an empty -b, so that its absence shows."""
    netns.restore(f"-A {WEB} -s mh -b flag-3\n")
    result = ok(quick("ipvs_service", **HTTP, persistence_timeout=60))
    assert netns.save() == [f"-A {WEB} -s mh -p 60 -b"]
    assert result["commands"] == [f"ip netns exec {netns.name} ipvsadm -E {WEB} -s mh -p 60 -b flag-3"]


def test_third_scheduler_flag_beside_others_is_seen(netns, quick):
    netns.restore(f"-A {WEB} -s sh -b flag-1,flag-2,flag-3\n")
    (service,) = quick("ipvs_info", gather=["services"])["services"]
    assert service["scheduler_flags"] == ["sh-fallback", "sh-port", "flag-3"]
    assert ok(quick("ipvs_service", **HTTP, scheduler_flags=["sh-fallback", "sh-port"]))["changed"] is True
    (service,) = quick("ipvs_info", gather=["services"])["services"]
    assert service["scheduler_flags"] == ["sh-fallback", "sh-port"]


def test_timeouts_and_sync_daemons_stay(netns, quick):
    netns.run("ip", "link", "add", "sync0", "type", "dummy")
    netns.run("ip", "link", "set", "sync0", "up")
    netns.ipvsadm("--set", "901", "121", "301")
    netns.ipvsadm("--start-daemon", "backup", "--mcast-interface", "sync0", "--syncid", "7")
    try:
        before = netns.ipvsadm("-L", "--timeout"), netns.ipvsadm("-L", "--daemon")
        ok(quick("ipvs_service", **HTTP, scheduler="rr"))
        ok(quick("ipvs_server", service=HTTP, address="198.51.100.1"))
        ok(quick("ipvs_service", **HTTP, state="absent"))
        assert (netns.ipvsadm("-L", "--timeout"), netns.ipvsadm("-L", "--daemon")) == before
        assert "901 121 301" in before[0]
        assert "sync0" in before[1]
    finally:
        netns.ipvsadm("--stop-daemon", "backup")


def test_refused_entry_fails_the_task(netns, quick):
    assert "no scheduler nosuch" in failed(quick("ipvs_service", **HTTP, scheduler="nosuch"))
    assert netns.save() == []


def test_persistence_survives_a_scheduler_change(netns, quick):
    netns.restore(f"-A {WEB} -s rr -p 100 -M 255.255.255.0\n")
    ok(quick("ipvs_service", **HTTP, scheduler="wrr"))
    assert netns.save() == [f"-A {WEB} -s wrr -p 100 -M 255.255.255.0"]


def test_forwarding_survives_a_weight_change(netns, quick):
    netns.restore(f"-A {WEB} -s rr\n-a {WEB} -r 198.51.100.1:8080 -m -w 5\n")
    ok(quick("ipvs_server", service=HTTP, address="198.51.100.1", port=8080, weight=0))
    assert netns.save() == [f"-A {WEB} -s rr", f"-a {WEB} -r 198.51.100.1:8080 -m -w 0"]


def test_other_port_of_a_server_is_not_rewritten(netns, quick):
    """ipvsadm stores the service's port for a direct server; we refuse what can't work."""
    netns.restore(f"-A {WEB} -s rr\n")
    assert failed(quick("ipvs_server", service=HTTP, address="198.51.100.1", port=81)) == (
        "port: 81 is not the service's port 80; another port needs forwarding nat, not direct"
    )
    assert netns.save() == [f"-A {WEB} -s rr"]


# The kernel itself: what a SET leaves out is reset


def test_persistence_engine_survives_a_scheduler_change(netns, quick):
    netns.restore("-A -u 192.0.2.1:5060 -s rr -p 60 --pe sip\n")
    ok(quick("ipvs_service", address="192.0.2.1", port=5060, protocol="udp", scheduler="wrr"))
    assert netns.save() == ["-A -u 192.0.2.1:5060 -s wrr -p 60 --pe sip"]


@pytest.mark.parametrize("tunnel", ["--tun-type gue --tun-port 6080 --tun-csum", "--tun-type gre --tun-csum"])
def test_tunnel_survives_a_weight_change(netns, quick, tunnel):
    netns.restore(f"-A {WEB} -s rr\n-a {WEB} -r 198.51.100.1:80 -i -w 1 {tunnel}\n")
    ok(quick("ipvs_server", service=HTTP, address="198.51.100.1", weight=2))
    assert netns.save() == [f"-A {WEB} -s rr", f"-a {WEB} -r 198.51.100.1:80 -i -w 2 {tunnel}"]


# Salt's former states


def test_weight_zero_can_be_set(netns, quick):
    netns.restore(f"-A {WEB} -s rr\n-a {WEB} -r 198.51.100.1:80 -g -w 10\n")
    assert ok(quick("ipvs_server", service=HTTP, address="198.51.100.1", weight=0))["changed"] is True
    assert netns.save() == [f"-A {WEB} -s rr", f"-a {WEB} -r 198.51.100.1:80 -g -w 0"]


def test_weight_1_is_not_10(netns, quick):
    netns.restore(f"-A {WEB} -s rr\n-a {WEB} -r 198.51.100.1:80 -g -w 10\n")
    assert ok(quick("ipvs_server", service=HTTP, address="198.51.100.1", weight=1))["changed"] is True
    assert netns.save() == [f"-A {WEB} -s rr", f"-a {WEB} -r 198.51.100.1:80 -g -w 1"]


def test_lblc_is_not_lblcr(netns, quick):
    netns.restore(f"-A {WEB} -s lblcr\n")
    assert ok(quick("ipvs_service", **HTTP, scheduler="lblc"))["changed"] is True
    assert netns.save() == [f"-A {WEB} -s lblc"]


def test_server_1_is_not_server_10(netns, quick):
    netns.restore(f"-A {WEB} -s rr\n-a {WEB} -r 198.51.100.10:80 -g -w 1\n")
    assert ok(quick("ipvs_server", service=HTTP, address="198.51.100.1"))["changed"] is True
    assert len(netns.save()) == 3


# pyroute2's class IPVS


def test_gue_port_is_not_byte_swapped(netns, quick):
    """258 is 0x0102."""
    netns.restore(f"-A {WEB} -s rr\n")
    gue = {"forwarding": "tunnel", "tunnel_type": "gue", "tunnel_port": 258}
    ok(quick("ipvs_server", service=HTTP, address="198.51.100.1", **gue))
    assert netns.save()[1] == f"-a {WEB} -r 198.51.100.1:80 -i -w 1 --tun-type gue --tun-port 258 --tun-nocsum"
    (service,) = quick("ipvs_info", gather=["services"])["services"]
    assert service["servers"][0]["tunnel_port"] == 258


@pytest.mark.parametrize("persistent", [{}, {"persistence_timeout": 60}], ids=["plain", "persistent"])
def test_ipv6_and_mark_services_need_no_netmask(netns, quick, persistent):
    words = " -p 60" if persistent else ""
    ok(quick("ipvs_service", address="2001:db8::1", port=80, **persistent))
    ok(quick("ipvs_service", fwmark=7, **persistent))
    ok(quick("ipvs_service", fwmark=7, family="ipv6", **persistent))
    assert netns.save() == sorted(f"-A {key} -s wlc{words}" for key in ("-t [2001:db8::1]:80", "-f 7", "-f 7 -6"))


def test_values_are_the_kernels_and_not_defaults(netns, quick):
    netns.restore(f"-A {WEB} -s sed -p 77 -M 255.255.0.0\n-a {WEB} -r 198.51.100.1:8080 -m -w 9 -x 8 -y 7\n")
    (service,) = quick("ipvs_info", gather=["services"])["services"]
    (server,) = service.pop("servers")
    attributes = {"scheduler": "sed", "scheduler_flags": [], "persistence_engine": "", "one_packet": False}
    persistence = {"persistence_timeout": 77, "persistence_netmask": "255.255.0.0"}
    assert service == {**HTTP, "protocol": "tcp", **attributes, **persistence}
    thresholds = {"upper_threshold": 8, "lower_threshold": 7}
    assert server == {"address": "198.51.100.1", "port": 8080, "forwarding": "nat", "weight": 9, **thresholds}


@pytest.fixture
def counted(network, netns):
    """The classical service after four connections: (network, what was counted)."""
    net = network(servers=2)
    service = f"{net.VIP}:80"
    netns.restore(f"-A -t {service} -s rr\n" + "".join(f"-a -t {service} -r {ip}:80 -m -w 1\n" for ip in net.addresses))
    for server in net.servers:
        server.serve("http", 80)
    for _time in range(4):
        net.client.ask("http", net.VIP, 80)
    return net, counted_all(netns, service, 4)


def test_service_is_edited_not_deleted(netns, quick, counted):
    """An entry that is deleted and added again counts from zero."""
    net, before = counted
    service = {"address": net.VIP, "port": 80}
    change = {"scheduler": "sh", "scheduler_flags": ["sh-port"], "persistence_timeout": 60}
    assert ok(quick("ipvs_service", **service, **change))["changed"] is True
    ok(quick("ipvs_service", **service, scheduler="wrr", persistence_timeout=0))
    assert statistics(netns) == before


def test_server_is_edited_not_deleted(netns, quick, counted):
    net, before = counted
    service = {"address": net.VIP, "port": 80}
    for change in (
        {"weight": 5},
        {"weight": 0},
        {"upper_threshold": 9},
        {"forwarding": "direct"},
        {"forwarding": "nat"},
    ):
        assert ok(quick("ipvs_server", service=service, address=net.addresses[0], **change))["changed"] is True
    assert statistics(netns) == before


def test_other_services_are_not_flushed(netns, quick, counted):
    """ipvsadm-restore flushes the table first."""
    _net, before = counted
    ok(quick("ipvs_service", **HTTP, scheduler="rr"))
    ok(quick("ipvs_server", service=HTTP, address="198.51.100.1"))
    ok(quick("ipvs_service", **HTTP, state="absent"))
    assert statistics(netns) == before


# ipvsctl, which compares schedulers only


def test_services_are_compared_by_all_attributes(netns, quick):
    netns.restore(f"-A {WEB} -s sh -b sh-port -p 60\n")
    same = {"scheduler": "sh", "scheduler_flags": ["sh-port"], "persistence_timeout": 60}
    assert ok(quick("ipvs_service", **HTTP, **same))["changed"] is False
    for other in ({"persistence_timeout": 61}, {"persistence_netmask": "24"}, {"scheduler_flags": []}):
        assert ok(quick("ipvs_service", **HTTP, **{**same, **other}, check=True))["changed"] is True, other


# keepalived, which compares with its own last file


@pytest.mark.parametrize(
    "words",
    [
        f"-e {WEB} -r 198.51.100.1:80 -m -w 0",
        f"-e {WEB} -r 198.51.100.1:80 -g -w 3",
        f"-d {WEB} -r 198.51.100.1:80",
        f"-E {WEB} -s wrr",
        "-C",
    ],
    ids=["weight", "forwarding", "server deleted", "scheduler", "table flushed"],
)
def test_kernel_drift_is_repaired(netns, quick, words):
    def declare():
        service = ok(quick("ipvs_service", **HTTP, scheduler="sh", scheduler_flags=["sh-port"]))
        server = ok(
            quick("ipvs_server", service=HTTP, address="198.51.100.1", forwarding="nat", weight=3, upper_threshold=9)
        )
        return service["changed"] or server["changed"]

    declare()
    declared = seen(netns)
    netns.ipvsadm(*words.split())
    assert seen(netns) != declared
    assert declare() is True
    assert seen(netns) == declared
    assert declare() is False
