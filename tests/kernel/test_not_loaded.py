# Copyright (c) 2026, the linux.lvs contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host whose kernel has not loaded IPVS, or can't."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from helpers import failed, ok, warned

pytestmark = pytest.mark.usefixtures("ipvs_unloaded")

HTTP = {"address": "192.0.2.1", "port": 80}
SERVER = {"service": HTTP, "address": "198.51.100.1"}


def loaded():
    return Path("/proc/net/ip_vs").exists()


CHECKS = {
    "service present": (
        "ipvs_service",
        {**HTTP, "scheduler": "mh", "scheduler_flags": ["mh-port"]},
        ["-s mh -b mh-port"],
    ),
    "service absent": ("ipvs_service", {**HTTP, "state": "absent", "drain_timeout": 5}, []),
    "server present": ("ipvs_server", {**SERVER, "weight": 3}, ["-r 198.51.100.1:80 -g -w 3"]),
    "server absent": ("ipvs_server", {**SERVER, "state": "absent"}, []),
    "server drained": ("ipvs_server", {**SERVER, "state": "drained", "drain_timeout": 5}, []),
    "daemon present": (
        "ipvs_sync_daemon",
        {"role": "master", "interface": "lo", "sync_id": 1},
        ["--mcast-interface lo --syncid 1 --mcast-group 224.0.0.81 --mcast-port 8848 --mcast-ttl 1"],
    ),
    "daemon absent": ("ipvs_sync_daemon", {"role": "backup", "state": "absent"}, []),
    "timeouts": ("ipvs_timeouts", {"tcp": 7500, "udp": 300}, ["--set 7500 0 0"]),
    "timeouts of the kernel's own": ("ipvs_timeouts", {"tcp": 900, "tcp_fin": 120, "udp": 300}, []),
    "counters": ("ipvs_counters", {}, ["ipvsadm -Z"]),
    "table": (
        "ipvs_table",
        {"state": "overridden", "services": [{**HTTP, "servers": [{"address": "198.51.100.1"}]}], "drain_timeout": 5},
        ["-s wlc", "-r 198.51.100.1:80 -g -w 1"],
    ),
    "table deleted": ("ipvs_table", {"state": "deleted", "drain_timeout": 5}, []),
}


@pytest.mark.parametrize(("name", "options", "ends"), CHECKS.values(), ids=CHECKS)
def test_check_mode_loads_nothing_and_needs_no_pyroute2(module, bare, name, options, ends):
    result = ok(module.subprocess(name, check=True, **bare, **options))
    assert len(result["commands"]) == len(ends)
    assert all(line.endswith(end) for line, end in zip(result["commands"], ends))
    assert result["changed"] is bool(ends)
    assert not loaded()


def test_check_mode_predicts_what_a_real_run_does_then(netns, module):
    options = {**HTTP, "scheduler": "lblcr", "persistence_timeout": 60}
    predicted = ok(module("ipvs_service", check=True, **options))
    assert not loaded()
    assert warned(predicted) == []
    done = ok(module("ipvs_service", **options))
    assert loaded()
    assert done["commands"] == predicted["commands"]
    assert netns.save() == ["-A -t 192.0.2.1:80 -s lblcr -p 60"]


def test_check_mode_assumes_the_service_of_a_server(module):
    assert warned(ok(module("ipvs_server", check=True, **SERVER))) == [
        "service: tcp 192.0.2.1:80 does not exist; assuming that an earlier task creates it in a real run"
    ]


def test_check_mode_warns_of_what_the_kernel_can_not_load(module):
    options = {**HTTP, "protocol": "udp", "persistence_timeout": 60}
    assert warned(ok(module("ipvs_service", check=True, **options, scheduler="nosuch", persistence_engine="nope"))) == [
        "scheduler: the kernel has no scheduler nosuch (its module ip_vs_nosuch is neither loaded nor to be found)",
        "persistence_engine: the kernel has no persistence engine nope"
        " (its module ip_vs_pe_nope is neither loaded nor to be found)",
    ]
    assert warned(ok(module("ipvs_service", check=True, **options, scheduler="fo", persistence_engine="sip"))) == []
    assert warned(ok(module("ipvs_service", check=True, **options, scheduler="none"))) == []
    assert not loaded()


def test_absent_has_nothing_to_do_and_needs_no_pyroute2(module, bare):
    assert ok(module.subprocess("ipvs_service", state="absent", **bare, **HTTP))["changed"] is False
    assert ok(module.subprocess("ipvs_server", state="absent", **bare, **SERVER))["changed"] is False
    assert ok(module.subprocess("ipvs_table", state="deleted", **bare))["changed"] is False
    assert ok(module.subprocess("ipvs_table", state="gathered", **bare))["gathered"] == []
    assert not loaded()


def test_settings_that_are_so_already_load_nothing_and_need_no_pyroute2(module, bare):
    assert ok(module.subprocess("ipvs_sync_daemon", role="master", state="absent", **bare))["changed"] is False
    assert ok(module.subprocess("ipvs_timeouts", tcp=900, **bare))["changed"] is False
    assert ok(module.subprocess("ipvs_counters", **bare))["after"]["connections"] == 0
    assert failed(module.subprocess("ipvs_counters", service=HTTP, **bare)) == (
        "service: tcp 192.0.2.1:80 does not exist"
    )
    assert not loaded()


@pytest.mark.parametrize(
    ("name", "options", "shows", "expected"),
    [
        ("ipvs_timeouts", {"udp": 5}, "--timeout", "Timeout (tcp tcpfin udp): 900 120 5\n"),
        (
            "ipvs_sync_daemon",
            {"role": "backup", "interface": "lo", "sync_id": 1},
            "--daemon",
            "backup sync daemon (mcast=lo, syncid=1, maxlen=65507, group=224.0.0.81, port=8848, ttl=1)\n",
        ),
    ],
)
def test_check_mode_predicts_what_a_real_run_of_settings_does_then(netns, module, name, options, shows, expected):
    predicted = ok(module(name, check=True, **options))
    assert not loaded()
    done = ok(module(name, **options))
    assert {**predicted, "invocation": None} == {**done, "invocation": None}
    assert netns.ipvsadm("-L", shows) == expected


def test_info_is_empty_and_needs_no_pyroute2(module, bare):
    result = ok(module.subprocess("ipvs_info", **bare))
    assert (result["services"], result["stats"], result["version"]) == ([], [], None)
    assert (result["daemons"], result["timeouts"]) == ([], {"tcp": 900, "tcp_fin": 120, "udp": 300})
    for options in ({}, {"service": {**HTTP, "port": 0}}, {"service": {"fwmark": 7}}):
        assert ok(module.subprocess("ipvs_info", gather=["connections"], **options, **bare))["connections"] == []
    assert not loaded()


def test_server_without_its_service_is_an_error_as_ever(module):
    assert failed(module("ipvs_server", **SERVER)) == (
        "service: tcp 192.0.2.1:80 does not exist; create it first (linux.lvs.ipvs_service)"
    )


@pytest.fixture
def no_modprobe(ipvs_unloaded):
    """As in a container whose host has not loaded the module. Never on a kernel that is not the lab's own."""
    switch = Path("/proc/sys/kernel/modprobe")
    before = switch.read_text()
    switch.write_text("/bin/false\n")
    yield
    switch.write_text(before)


@pytest.mark.usefixtures("no_modprobe")
def test_kernel_without_ipvs_is_told(module):
    assert failed(module("ipvs_service", **HTTP)) == (
        f"this kernel ({os.uname().release}) has no IPVS: the module ip_vs is not loaded and could not be loaded"
        " (modprobe ip_vs; for a container, on its host)"
    )
    assert ok(module("ipvs_service", check=True, **HTTP))["changed"] is True
    assert ok(module("ipvs_service", state="absent", **HTTP))["changed"] is False
