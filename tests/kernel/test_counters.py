# Copyright (c) 2026, the linux.lvs contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Zeroing counters, judged by `ipvsadm -L --stats`."""

from __future__ import annotations

import time

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.linux.lvs.plugins.module_utils._netlink import Kernel
from helpers import eventually, failed, ok, seen, statistics, warned

NAMES = ("connections", "packets_in", "packets_out", "bytes_in", "bytes_out")
ZERO = (0, 0, 0, 0, 0)
MARK = {"fwmark": 7, "family": "ipv6"}


@pytest.fixture
def site(network, netns):
    """Ports 80 and 81, each a service with a server of its own, after a request to each that the kernel has added up."""
    net = network(servers=2)
    for port, server, address in zip((80, 81), net.servers, net.addresses):
        netns.restore(f"-A -t {net.VIP}:{port} -s rr\n-a -t {net.VIP}:{port} -r {address}:80 -m\n")
        server.serve("http", 80)
        net.client.ask("http", net.VIP, port)
    netns.restore("-A -f 7 -6 -s rr\n")
    entries = [(f"{net.VIP}:{port}", f"{address}:80") for port, address in zip((80, 81), net.addresses)]

    def added_up():
        counts = statistics(netns)
        return all(counts[service] == counts[server] and counts[service][4] for service, server in entries)

    eventually(added_up, 20)
    time.sleep(2.5)  # of both entries of a service half of a request may have been added up
    assert added_up()
    return net


def shown(counts):
    return dict(zip(NAMES, counts))


@pytest.mark.parametrize("options", [{}, {"state": "zeroed"}], ids=["by default", "said"])
def test_one_service_and_its_servers_are_zeroed(netns, quick, site, options):
    before, configuration = statistics(netns), seen(netns).save
    service = {"address": site.VIP, "port": 80}
    predicted = ok(quick("ipvs_counters", check=True, diff=True, service=service, **options))
    assert statistics(netns) == before
    done = ok(quick("ipvs_counters", diff=True, service=service, **options))
    zeroed = {f"{site.VIP}:80": ZERO, f"{site.addresses[0]}:80": ZERO}
    assert statistics(netns) == {**before, **zeroed}
    assert seen(netns).save == configuration
    assert {**predicted, "invocation": None} == {**done, "invocation": None}
    assert (done["before"], done["after"]) == (shown(before[f"{site.VIP}:80"]), shown(ZERO))
    assert done["diff"] == {"before": done["before"], "after": done["after"]}
    assert done["commands"] == [f"ip netns exec {netns.name} ipvsadm -Z -t {site.VIP}:80"]
    assert ok(quick("ipvs_counters", service=service, **options))["changed"] is True


def test_everything_is_zeroed(netns, quick, site):
    before = statistics(netns)
    total = tuple(map(sum, zip(*(before[f"{site.VIP}:{port}"] for port in (80, 81)))))
    predicted = ok(quick("ipvs_counters", check=True))
    assert statistics(netns) == before
    done = ok(quick("ipvs_counters"))
    assert statistics(netns) == dict.fromkeys(before, ZERO)
    assert {**predicted, "invocation": None} == {**done, "invocation": None}
    assert (done["before"], done["after"]) == (shown(total), shown(ZERO))
    assert done["commands"] == [f"ip netns exec {netns.name} ipvsadm -Z"]
    assert netns.proc("ip_vs_stats").splitlines()[2].split() == ["0"] * 5


def test_commands_do_by_hand_what_the_module_does(netns, quick, site):
    for options in ({"service": {"address": site.VIP, "port": 81}}, {"service": MARK}, {}):
        (line,) = ok(quick("ipvs_counters", check=True, **options))["commands"]
        netns.run("sh", "-ec", line)
    assert set(statistics(netns).values()) == {ZERO}


def test_counting_goes_on(netns, quick, site):
    ok(quick("ipvs_counters"))
    site.client.ask("http", site.VIP, 80)
    eventually(lambda: statistics(netns)[f"{site.VIP}:80"][0] == 1)


def test_other_namespaces_are_left_alone(netns, make_netns, quick, site):
    other = make_netns()
    other.restore("-A -t 192.0.2.1:80\n")
    before = statistics(netns)
    ok(quick("ipvs_counters", netns=other.name))
    assert statistics(netns) == before


MISSING = "service: fwmark 7 (ipv6) does not exist"


def test_missing_service_is_told(netns, quick):
    netns.restore("-A -f 7 -s rr\n")
    assert failed(quick("ipvs_counters", service=MARK)) == MISSING
    predicted = ok(quick("ipvs_counters", check=True, service=MARK))
    assert warned(predicted) == [f"{MISSING}; assuming that an earlier task sees to it in a real run"]
    assert (predicted["changed"], predicted["before"], predicted["after"]) == (True, shown(ZERO), shown(ZERO))


def test_service_that_a_rival_removes_meanwhile_is_told(netns, module, monkeypatch):
    netns.restore("-A -f 7 -6 -s rr\n")
    zero = Kernel.zero

    def contested(kernel, key):
        netns.ipvsadm("-C")
        zero(kernel, key)

    monkeypatch.setattr(Kernel, "zero", contested)
    result = module("ipvs_counters", service=MARK)
    assert failed(result) == MISSING
    assert not result.get("changed")


@pytest.mark.parametrize("check", [False, True], ids=["real", "check"])
def test_wrong_values_are_told_at_once(quick, check):
    assert failed(quick("ipvs_counters", check=check, state="reset", service={"port": 80})) == (
        "state: 'reset' is not one of zeroed; service.address: is required, with port; or fwmark instead of both"
    )


def test_what_was_zeroed_goes_to_the_log(tmp_path, netns, module, monkeypatch):
    log = tmp_path / "log"
    monkeypatch.setattr(AnsibleModule, "log", lambda self, line, log_args=None: log.open("a").write(f"{line}\n"))
    result = ok(module("ipvs_counters"))
    assert log.read_text().splitlines()[-1:] == result["commands"]
