# Copyright (c) 2026, the linux.lvs contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sync daemons, time-outs and counters: what was given on top of what there is, and what is to be done."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.linux.lvs.plugins.module_utils._errors import InvalidInput
from ansible_collections.linux.lvs.plugins.module_utils._model import (
    DAEMON_ATTRIBUTES,
    KERNEL_TIMEOUTS,
    Counters,
    Entry,
    Interface,
    Server,
    ServerKey,
    Service,
    ServiceKey,
    SyncDaemon,
    Timeouts,
    derived_maxlen,
)
from ansible_collections.linux.lvs.plugins.module_utils._options import Reader
from ansible_collections.linux.lvs.plugins.module_utils._settings import (
    DaemonSpec,
    DaemonStep,
    daemon_steps,
    daemon_warnings,
    interface_problem,
    merge_daemon,
    merge_timeouts,
    mixed_family_problem,
    parse_totals,
    read_daemon,
    read_timeouts,
    timeouts_change,
)
from hypothesis import given
from hypothesis import strategies as st

GIVEN = {"interface": "eth0", "sync_id": 7}
RUNNING = SyncDaemon("backup", "eth1", 9, 2000, "ff02::81", 9000, 3)
OTHERS = {
    "interface": "eth2",
    "sync_id": 0,
    "sync_maxlen": 1024,
    "multicast_group": "239.0.0.1",
    "multicast_port": 1,
    "multicast_ttl": 255,
}


def read(options, present=True):
    problems = []
    return read_daemon(Reader(options, "", problems), present), problems


def test_values_are_read_as_text_too_and_in_normal_form():
    options = {"role": "master", "interface": "eth0.100", "sync_id": "7", "multicast_group": "[FF02:0::0081]"}
    spec, problems = read(options)
    assert problems == []
    assert spec == DaemonSpec("master", {"interface": "eth0.100", "sync_id": 7, "multicast_group": "ff02::81"})


NO_INTERFACES = (
    "",
    ".",
    "..",
    "eth 0",
    "eth/0",
    "eth0:1",
    "eth0\t",
    "eth0\n",
    "a" * 16,
    "é" * 8,
    "\ud800",
    7,
    ["eth0"],
)


@pytest.mark.parametrize("name", NO_INTERFACES)
def test_what_the_kernel_would_not_name_an_interface_is_told(name):
    spec, (problem,) = read({"role": "master", "sync_id": 7, "interface": name})
    assert spec is None
    assert problem == (
        f"interface: {name!r} is not the name of a network interface: up to 15 bytes without spaces, / and :"
    )


@pytest.mark.parametrize("name", ["a" * 15, "é" * 7, "eth0.100", "br-lan", "veth@x"])
def test_what_the_kernel_names_an_interface_is_taken(name):
    assert read({"role": "master", "sync_id": 7, "interface": name})[1] == []


@pytest.mark.parametrize("group", ["223.255.255.255", "240.0.0.0", "0.0.0.0", "255.255.255.255", "fe80::1", "::"])
def test_group_that_is_none_is_told(group):
    _spec, (problem,) = read({"role": "master", **GIVEN, "multicast_group": group})
    assert problem.startswith(f"multicast_group: {group} is not a multicast address")


@pytest.mark.parametrize("group", ["224.0.0.0", "239.255.255.255", "ff00::", "ffff::1"])
def test_group_that_is_one_is_taken(group):
    assert read({"role": "master", **GIVEN, "multicast_group": group})[1] == []


def test_only_a_daemon_that_is_to_run_needs_more_than_its_role():
    assert read({"role": "master"}, present=False) == (DaemonSpec("master", {}), [])
    assert read({"role": "master"})[1] == [
        "interface: is required with state present",
        "sync_id: is required with state present",
    ]


def test_new_daemon_takes_the_defaults():
    assert merge_daemon(DaemonSpec("master", GIVEN), None) == SyncDaemon(
        "master", "eth0", 7, None, "224.0.0.81", 8848, 1
    )


@pytest.mark.parametrize("name", DAEMON_ATTRIBUTES)
def test_running_daemon_keeps_what_was_left_out(name):
    merged = merge_daemon(DaemonSpec("backup", {name: OTHERS[name]}), RUNNING)
    assert merged == replace(RUNNING, **{name: OTHERS[name]}) != RUNNING


@pytest.mark.parametrize(
    ("role", "group", "maxlen", "range"),
    [
        ("master", "224.0.0.81", 65508, "1 and 65507"),
        ("master", "ff02::81", 65488, "1 and 65487"),
        ("backup", "224.0.0.81", 1023, "1024 and 65507"),
        ("backup", "ff02::81", 1023, "1024 and 65487"),
    ],
)
def test_sync_maxlen_that_the_kernel_would_change_is_told(role, group, maxlen, range):
    spec = DaemonSpec(role, {**GIVEN, "sync_maxlen": maxlen, "multicast_group": group})
    with pytest.raises(InvalidInput, match=f"sync_maxlen: {maxlen} is not between {range}, which"):
        merge_daemon(spec, None)
    odd = SyncDaemon(role, "eth0", 7, maxlen, group)
    assert merge_daemon(spec, odd) == odd  # what the kernel holds is not refused


FOUR, SIX = "224.0.0.81", "ff02::81"


@pytest.mark.parametrize(
    ("role", "old", "maxlen", "options", "merged"),
    [
        ("master", FOUR, 1472, {"multicast_group": SIX}, None),
        ("master", SIX, 1452, {"multicast_group": FOUR}, None),
        ("backup", FOUR, 8972, {"multicast_group": SIX}, None),
        ("master", FOUR, 8972, {"multicast_group": SIX}, 8972),
        ("backup", FOUR, 1472, {"multicast_group": SIX}, 1472),
        ("master", FOUR, 1472, {"multicast_group": SIX, "sync_maxlen": 1472}, 1472),
        ("master", FOUR, 1472, {"multicast_group": "239.0.0.1"}, 1472),
        ("master", FOUR, 1472, {"sync_id": 8}, 1472),
    ],
)
def test_sync_maxlen_that_the_kernel_derived_follows_the_family_of_the_group(role, old, maxlen, options, merged):
    current = SyncDaemon(role, "eth1", 9, maxlen, old)
    daemon = merge_daemon(DaemonSpec(role, options), current, {"eth1": 9000}.__getitem__)
    assert daemon == replace(current, **{**options, "sync_maxlen": merged})


STEPS = (
    (None, None, ()),
    (RUNNING, RUNNING, ()),
    (None, RUNNING, ("start",)),
    (RUNNING, None, ("stop",)),
    (RUNNING, replace(RUNNING, sync_id=1), ("stop", "start")),
)


@pytest.mark.parametrize(("current", "desired", "verbs"), STEPS)
def test_steps_stop_and_start_only_what_differs(current, desired, verbs):
    steps = daemon_steps(current, desired)
    assert tuple(step.verb for step in steps) == verbs
    assert all(step.daemon == (current if step.verb == "stop" else desired) for step in steps)


def test_step_says_what_it_does():
    assert str(DaemonStep("start", RUNNING)) == "start the backup daemon on eth1"


def test_problem_of_an_interface_is_told():
    assert interface_problem("eth0", Interface("eth0", True, 1500), []) is None
    assert interface_problem("eth0", Interface("eth0", False, 1500), []) == (
        "interface: eth0 is down; bring it up first (ip link set eth0 up)"
    )
    assert interface_problem("eth0", None, ["lo", "eth1"]) == (
        "interface: eth0 does not exist in this network namespace; there are lo, eth1"
    )


HTTP6 = ServiceKey("ipv6", "tcp", "2001:db8::1", 80)
V4, V6 = (Server(ServerKey(address, 80), "tunnel") for address in ("198.51.100.1", "2001:db8:1::1"))


def test_server_of_the_other_family_is_found():
    assert mixed_family_problem({HTTP6: Entry(Service(HTTP6), {V6.key: V6})}) is None
    assert mixed_family_problem({HTTP6: Entry(Service(HTTP6), {V6.key: V6, V4.key: V4})}) == (
        "role: no sync daemon can run while a service has a server of the other family, as tcp [2001:db8::1]:80 has"
        " 198.51.100.1:80"
    )


@pytest.mark.parametrize(("role", "sync_id", "count"), [("backup", 0, 1), ("backup", 1, 0), ("master", 0, 0)])
def test_backup_that_listens_to_every_cluster_is_warned_of(role, sync_id, count):
    assert len(daemon_warnings(SyncDaemon(role, "eth0", sync_id))) == count


@pytest.mark.parametrize(
    ("role", "group", "mtu", "maxlen"),
    [
        ("master", "224.0.0.81", 9000, 1472),
        ("master", "ff02::81", 1280, 1452),
        ("backup", "224.0.0.81", 9000, 8972),
        ("backup", "ff02::81", 9000, 8952),
        ("backup", "224.0.0.81", 1280, 1472),
        ("backup", "224.0.0.81", 65536, 65507),
    ],
)
def test_kernels_choice_of_sync_maxlen(role, group, mtu, maxlen):
    assert derived_maxlen(role, group, mtu) == maxlen


SECONDS = st.none() | st.integers(1, 2678400)
TIMEOUTS = st.builds(Timeouts, SECONDS, SECONDS, SECONDS)
ALL_TIMEOUTS = st.builds(Timeouts, *[st.integers(1, 2678400)] * 3)


@given(TIMEOUTS, ALL_TIMEOUTS)
def test_change_of_timeouts_is_what_differs_and_leads_there(given_ones, current):
    desired = merge_timeouts(given_ones, current)
    assert merge_timeouts(given_ones, desired) == desired
    change = timeouts_change(current, desired)
    if change is None:
        assert desired == current
    else:
        assert merge_timeouts(change, current) == desired
        assert change.to_options().items() <= given_ones.to_options().items()
        assert not change.to_options().items() & current.to_options().items()


def test_timeouts_that_are_none_are_left():
    assert merge_timeouts(Timeouts(udp=5), KERNEL_TIMEOUTS) == Timeouts(900, 120, 5)


def test_no_timeout_at_all_is_told():
    problems = []
    assert read_timeouts(Reader({"tcp": None}, "", problems)) == Timeouts()
    assert problems == ["tcp: at least one of tcp, tcp_fin, udp is required"]


def test_totals_are_read():
    text = """\
   Total Incoming Outgoing         Incoming         Outgoing
   Conns  Packets  Packets            Bytes            Bytes
       C       20       12              811              499

 Conns/s   Pkts/s   Pkts/s          Bytes/s          Bytes/s
       1        3        2               DA               7C
"""
    assert parse_totals(text) == Counters(12, 32, 18, 2065, 1177)
    assert parse_totals("") == Counters()
