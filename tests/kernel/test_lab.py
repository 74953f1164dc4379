# Copyright (c) 2026, the linux.lvs contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests on the kernel stand on."""

import pytest

pytestmark = pytest.mark.fast


def test_namespaces_are_fresh_and_apart(netns, make_netns):
    netns.ipvsadm("-A", "-t", "192.0.2.1:80", "-s", "rr")
    netns.ipvsadm("-a", "-t", "192.0.2.1:80", "-r", "127.0.0.2:80", "-m", "-x", "9", "-y", "3")
    assert netns.save() == ["-A -t 192.0.2.1:80 -s rr", "-a -t 192.0.2.1:80 -r 127.0.0.2:80 -m -w 1"]
    assert netns.thresholds() == {"TCP 192.0.2.1:80": {"127.0.0.2:80": (9, 3)}}
    assert "C0000201:0050 rr" in netns.proc()
    assert make_netns().save() == []


def test_restore_is_not_content_with_exit_status_0(netns):
    with pytest.raises(AssertionError):
        netns.restore("-A -t 192.0.2.1:80 -s nosuch\n")


@pytest.mark.parametrize("kind, scheduled", [("http", "-t"), ("udp", "-u")])
def test_packets_reach_the_servers_in_turn(network, kind, scheduled):
    net = network(servers=2)
    net.director.ipvsadm("-A", scheduled, f"{net.VIP}:80", "-s", "rr")
    for server, address in zip(net.servers, net.addresses):
        server.serve(kind, 80, name=address)
        net.director.ipvsadm("-a", scheduled, f"{net.VIP}:80", "-r", address, "-m")
    answers = [net.client.ask(kind, net.VIP, 80) for attempt in range(4)]
    assert sorted(answers[:2]) == net.addresses and answers[:2] == answers[2:]


def test_modules_run_in_a_forked_child_and_in_an_interpreter_of_their_own(netns, module):
    wanted = {"address": "192.0.2.1", "port": 80, "scheduler": "rr"}
    forecast = module("ipvs_service", check=True, **wanted)
    assert netns.save() == []
    assert module("ipvs_service", **wanted)["commands"] == forecast["commands"]
    assert netns.save() == ["-A -t 192.0.2.1:80 -s rr"]
    assert module.subprocess("ipvs_service", **wanted)["changed"] is False


def test_a_failed_module_is_a_result(module):
    assert module("ipvs_service", address="nonsense", port=80)["failed"]
