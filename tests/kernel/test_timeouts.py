# Copyright (c) 2026, the linux.lvs contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Time-outs, judged by `ipvsadm -L --timeout`."""

from __future__ import annotations

import os
from contextlib import closing

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.linux.lvs.plugins.module_utils import _host
from ansible_collections.linux.lvs.plugins.module_utils._errors import Refused
from ansible_collections.linux.lvs.plugins.module_utils._model import Timeouts
from ansible_collections.linux.lvs.plugins.module_utils._netlink import Kernel
from helpers import failed, ok

DEFAULTS = (900, 120, 300)
NAMES = ("tcp", "tcp_fin", "udp")


def timeouts(netns):
    (line,) = netns.ipvsadm("-L", "--timeout").splitlines()
    return tuple(map(int, line.rpartition(": ")[2].split()))


STEPS = [
    ({"tcp": 7500}, (7500, 120, 300), "7500 0 0"),
    ({"tcp_fin": 60, "udp": 30}, (7500, 60, 30), "0 60 30"),
    ({"tcp": 7500, "udp": "31"}, (7500, 60, 31), "0 0 31"),
    (dict.fromkeys(NAMES, 2678400), (2678400,) * 3, "2678400 2678400 2678400"),
    (dict.fromkeys(NAMES, 1), (1, 1, 1), "1 1 1"),
    (dict(zip(NAMES, DEFAULTS)), DEFAULTS, "900 120 300"),
]


def test_timeouts_are_predicted_set_and_found_set(netns, make_netns, quick):
    """Each step in check mode, for real, again, and by hand in a twin of the namespace."""
    twin = make_netns()
    before = DEFAULTS
    for options, after, numbers in STEPS:
        predicted = ok(quick("ipvs_timeouts", check=True, diff=True, **options))
        assert timeouts(netns) == before
        done = ok(quick("ipvs_timeouts", diff=True, **options))
        assert timeouts(netns) == after
        assert {**predicted, "invocation": None} == {**done, "invocation": None}
        assert done["commands"] == [f"ip netns exec {netns.name} ipvsadm --set {numbers}"]
        assert (done["before"], done["after"]) == (dict(zip(NAMES, before)), dict(zip(NAMES, after)))
        assert done["diff"] == {"before": done["before"], "after": done["after"]}
        again = ok(quick("ipvs_timeouts", **options))
        assert (again["changed"], again["commands"], again["after"]) == (False, [], done["after"])
        twin.run("sh", "-ec", done["commands"][0].replace(netns.name, twin.name))
        assert timeouts(twin) == after
        before = after


def test_timeouts_of_other_namespaces_are_left_alone(netns, make_netns, quick):
    other = make_netns()
    ok(quick("ipvs_timeouts", tcp=5))
    assert (timeouts(netns), timeouts(other)) == ((5, 120, 300), DEFAULTS)


@pytest.mark.parametrize("check", [False, True], ids=["real", "check"])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "tcp: at least one of tcp, tcp_fin, udp is required"),
        ({"tcp": None, "udp": None}, "tcp: at least one of tcp, tcp_fin, udp is required"),
        (
            {"tcp": 0, "tcp_fin": 2678401, "udp": "5m"},
            "tcp: 0 is not between 1 and 2678400; tcp_fin: 2678401 is not between 1 and 2678400;"
            " udp: '5m' is not a whole number between 1 and 2678400",
        ),
    ],
)
def test_wrong_timeouts_are_told_and_nothing_is_set(netns, quick, options, message, check):
    assert failed(quick("ipvs_timeouts", check=check, **options)) == message
    assert timeouts(netns) == DEFAULTS


def test_timeout_of_more_ticks_than_the_kernel_counts_is_explained(netns):
    """Which on a kernel with 1000 ticks a second may be one that we take."""
    with _host.network_namespace(netns.name), closing(Kernel()) as kernel, pytest.raises(Refused) as refused:
        kernel.set_timeouts(Timeouts(tcp=2**31 - 1))
    assert str(refused.value) == (
        "set the time-outs: the kernel refused it: Invalid argument (EINVAL): it counts time-outs in ticks, and takes"
        " 2147483647 of them at most (2147483 s where CONFIG_HZ is 1000)"
    )
    assert timeouts(netns) == DEFAULTS


def test_rival_who_sets_timeouts_back_is_outlasted_or_told(netns, module, monkeypatch):
    set_timeouts, left = Kernel.set_timeouts, [3]

    def contested(kernel, change):
        set_timeouts(kernel, change)
        if left[0]:
            left[0] -= 1
            netns.ipvsadm("--set", "100", "0", "77")

    monkeypatch.setattr(Kernel, "set_timeouts", contested)
    assert ok(module("ipvs_timeouts", tcp=200))["after"] == {"tcp": 200, "tcp_fin": 120, "udp": 77}
    assert timeouts(netns) == (200, 120, 77)
    left[0] = 100
    message = failed(module("ipvs_timeouts", tcp=300))
    told, _separator, done = message.partition("; done before, and left so: ")
    assert told == (
        "after 5 attempts the kernel still differs: another process keeps changing it, or the kernel takes but does not"
        " keep what was asked for"
    )
    assert done == ", ".join([f"ip netns exec {netns.name} ipvsadm --set 300 0 0"] * 5)


def test_timeouts_go_to_the_log_and_take_the_lock(tmp_path, netns, module, monkeypatch):
    log = tmp_path / "log"
    monkeypatch.setattr(AnsibleModule, "log", lambda self, line, log_args=None: log.open("a").write(f"{line}\n"))
    result = ok(module("ipvs_timeouts", tcp=5))
    assert log.read_text().splitlines()[-1:] == result["commands"]
    monkeypatch.setattr(_host, "LOCK_WAIT", 0.3)
    with _host.network_namespace(netns.name), _host.lock("ipvs_table"):
        assert f": ipvs_table, process {os.getpid()}, since " in failed(module("ipvs_timeouts", tcp=6))
        assert ok(module("ipvs_timeouts", check=True, tcp=6))["changed"] is True
    assert timeouts(netns)[0] == 5
