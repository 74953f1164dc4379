# Copyright (c) 2026, the linux.lvs contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sync daemons, judged by `ipvsadm -L --daemon`."""

from __future__ import annotations

import os
import re
import socket
from contextlib import closing
from dataclasses import replace

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.linux.lvs.plugins.module_utils import _genetlink, _host
from ansible_collections.linux.lvs.plugins.module_utils._errors import Refused
from ansible_collections.linux.lvs.plugins.module_utils._model import SyncDaemon
from ansible_collections.linux.lvs.plugins.module_utils._netlink import Kernel
from helpers import failed, ok, warned

ROLES = ("master", "backup")
BASE = {"interface": "sync0", "sync_id": 7}
DEFAULTS = "group=224.0.0.81, port=8848, ttl=1"


@pytest.fixture(autouse=True)
def interfaces(netns):
    """sync0 with the MTU of Ethernet, sync1 with that of jumbo frames, both up and with an IPv6 address."""
    for name, mtu in (("sync0", 1500), ("sync1", 9000)):
        netns.run("ip", "link", "add", name, "mtu", mtu, "type", "dummy")
        netns.run("ip", "link", "set", name, "up")
        netns.run("ip", "addr", "add", f"fe80::{mtu}/64", "dev", name, "nodad")


def running(netns):
    """{role: all else as ipvsadm shows it}"""
    lines = netns.ipvsadm("-L", "--daemon").splitlines()
    return dict(re.fullmatch(r"(\w+) sync daemon \((.*)\)", line).groups() for line in lines)


def start(netns, role, interface="sync0", sync_id=7, *more):
    netns.ipvsadm("--start-daemon", role, "--mcast-interface", interface, "--syncid", sync_id, *more)


def by_hand(netns, commands):
    """The daemons after the commands of a result, which are for the namespace itself."""
    for line in commands:
        netns.run("sh", "-ec", line)
    return running(netns)


FULL = {
    "interface": "sync1",
    "sync_id": 255,
    "sync_maxlen": 9000,
    "multicast_group": "239.1.2.3",
    "multicast_port": 65535,
    "multicast_ttl": 255,
}
FULL_SHOWN = "mcast=sync1, syncid=255, maxlen=9000, group=239.1.2.3, port=65535, ttl=255"

# what is done, our options, what ipvsadm shows, with the kernel's own sync_maxlen of master and backup
STEPS = [
    ("a new one takes the kernel's defaults", BASE, "mcast=sync0, syncid=7, maxlen={0}, " + DEFAULTS, (1472, 1472)),
    (
        "the kernel's own for an IPv6 group",
        {**BASE, "multicast_group": "ff02::81"},
        "mcast=sync0, syncid=7, maxlen=1452, " + DEFAULTS.replace("224.0.0.81", "ff02::81"),
        None,
    ),
    (
        "the kernel's own for an IPv4 group again",
        {**BASE, "multicast_group": "224.0.0.81"},
        "mcast=sync0, syncid=7, maxlen=1472, " + DEFAULTS,
        None,
    ),
    ("interface", {**BASE, "interface": "sync1"}, "mcast=sync1, syncid=7, maxlen=1472, " + DEFAULTS, None),
    ("sync_id", {"interface": "sync1", "sync_id": 8}, "mcast=sync1, syncid=8, maxlen=1472, " + DEFAULTS, None),
    ("every option", FULL, FULL_SHOWN, None),
    ("left out", {"interface": "sync1", "sync_id": 255}, FULL_SHOWN, None),
    ("an IPv6 group", {**FULL, "multicast_group": "FF02:0::0081"}, FULL_SHOWN.replace("239.1.2.3", "ff02::81"), None),
    ("the same spelled otherwise", {**FULL, "multicast_group": "[ff02::81]"}, "the same", None),
    (
        "an IPv4 group again",
        {**FULL, "multicast_group": "224.0.0.81"},
        FULL_SHOWN.replace("239.1.2.3", "224.0.0.81"),
        None,
    ),
    ("gone", {"state": "absent"}, None, None),
    ("gone already", {"state": "absent"}, None, None),
]


@pytest.mark.parametrize("role", ROLES)
def test_every_option_is_predicted_done_and_found_done(netns, make_netns, quick, role):
    """Each step in check mode, for real, again, and by hand in a twin of the namespace."""
    other = "backup" if role == "master" else "master"
    start(netns, other, "sync1", 0)
    beside = running(netns)
    shown = None
    for step, options, wanted, derived in STEPS:
        before = running(netns)
        shown = shown if wanted == "the same" else wanted and wanted.format(*(derived or ()))
        after = {**beside, role: shown} if shown else beside
        predicted = ok(quick("ipvs_sync_daemon", check=True, diff=True, role=role, **options))
        assert running(netns) == before, step
        done = ok(quick("ipvs_sync_daemon", diff=True, role=role, **options))
        assert running(netns) == after, step
        assert {**predicted, "invocation": None} == {**done, "invocation": None}, step
        assert done["changed"] is (before != after), step
        assert done["diff"] == {"before": done["before"], "after": done["after"]}, step
        again = ok(quick("ipvs_sync_daemon", role=role, **options))
        assert (again["changed"], again["commands"]) == (False, []), step
        assert again["before"] == again["after"] == done["after"], step
        # led back to where it was, and there by hand
        if before.get(role) != after.get(role):
            if after.get(role):
                netns.ipvsadm("--stop-daemon", role)
            if before.get(role):
                netns.ipvsadm(*as_words(role, before[role]))
            assert running(netns) == before, step
            assert by_hand(netns, done["commands"]) == after, step


def as_words(role, shown):
    values = dict(item.split("=") for item in shown.split(", "))
    words = {"mcast": "--mcast-interface", "syncid": "--syncid", "maxlen": "--sync-maxlen"}
    words |= {"group": "--mcast-group", "port": "--mcast-port", "ttl": "--mcast-ttl"}
    return ["--start-daemon", role, *(word for name, value in values.items() for word in (words[name], value))]


@pytest.mark.parametrize("group", ["224.0.0.81", "ff02::81"])
@pytest.mark.parametrize(
    ("role", "interface"), [("master", "sync1"), ("backup", "sync0"), ("backup", "sync1"), ("backup", "lo")]
)
def test_kernels_own_choice_of_sync_maxlen_is_predicted(netns, quick, role, interface, group):
    options = {"role": role, "interface": interface, "sync_id": 1, "multicast_group": group}
    predicted = ok(quick("ipvs_sync_daemon", check=True, **options))["after"]
    done = ok(quick("ipvs_sync_daemon", **options))
    assert predicted == done["after"]
    assert f"maxlen={predicted['sync_maxlen']}," in running(netns)[role]
    assert "--sync-maxlen" not in done["commands"][0]
    maxlen = {**options, "sync_maxlen": 0}
    assert ok(quick("ipvs_sync_daemon", **maxlen))["changed"] is False
    ok(quick("ipvs_sync_daemon", **{**options, "sync_maxlen": 2000}))
    assert "maxlen=2000," in running(netns)[role]
    assert ok(quick("ipvs_sync_daemon", **options))["changed"] is False
    done = ok(quick("ipvs_sync_daemon", **maxlen))
    assert (done["changed"], done["after"]) == (True, predicted)
    assert f"maxlen={predicted['sync_maxlen']}," in running(netns)[role]


@pytest.mark.parametrize("group", ["224.0.0.81", "ff02::81"])
@pytest.mark.parametrize("role", ROLES)
def test_values_at_the_limits_are_kept_by_the_kernel(netns, quick, role, group):
    """So that a second run changes nothing; beyond them the kernel would take another value in silence."""
    high = 65507 if "." in group else 65487
    for maxlen in (1 if role == "master" else 1024, high):
        options = {**BASE, "role": role, "multicast_group": group, "multicast_port": 1, "sync_maxlen": maxlen}
        assert ok(quick("ipvs_sync_daemon", **options))["after"]["sync_maxlen"] == maxlen
        assert f"maxlen={maxlen}," in running(netns)[role]
        assert ok(quick("ipvs_sync_daemon", **options))["changed"] is False
    before = running(netns)
    for maxlen in (high + 1, 1023 if role == "backup" else -1):
        assert failed(quick("ipvs_sync_daemon", **{**options, "sync_maxlen": maxlen})).startswith(
            f"sync_maxlen: {maxlen} is not between "
        )
    assert running(netns) == before


def test_kept_sync_maxlen_that_a_new_group_does_not_carry_is_told(netns, quick):
    start(netns, "master", "sync0", 7, "--sync-maxlen", 65507)
    before = running(netns)
    assert failed(quick("ipvs_sync_daemon", role="master", **BASE, multicast_group="ff02::81")) == (
        "sync_maxlen: 65507 is not between 1 and 65487, which is what the kernel takes for a master with an ipv6 group"
    )
    assert running(netns) == before


def test_result_has_the_shape_of_the_options(netns, quick):
    start(netns, "master")
    result = ok(quick("ipvs_sync_daemon", role="master", **FULL))
    defaults = {"sync_maxlen": 1472, "multicast_group": "224.0.0.81", "multicast_port": 8848, "multicast_ttl": 1}
    assert result["before"] == {"role": "master", **BASE, **defaults}
    assert result["after"] == {"role": "master", **FULL}
    prefix = f"ip netns exec {netns.name} ipvsadm"
    assert result["commands"] == [
        f"{prefix} --stop-daemon master",
        f"{prefix} --start-daemon master --mcast-interface sync1 --syncid 255 --sync-maxlen 9000"
        " --mcast-group 239.1.2.3 --mcast-port 65535 --mcast-ttl 255",
    ]
    assert ok(quick("ipvs_sync_daemon", **result["before"]))["after"] == result["before"]


def test_roles_are_independent(netns, quick):
    for role, sync_id in (("master", 1), ("backup", 2)):
        ok(quick("ipvs_sync_daemon", role=role, interface="sync0", sync_id=sync_id))
    assert [shown.split(", ")[1] for shown in running(netns).values()] == ["syncid=1", "syncid=2"]
    ok(quick("ipvs_sync_daemon", role="backup", state="absent"))
    assert list(running(netns)) == ["master"]


def test_other_namespaces_are_left_alone(netns, make_netns, quick):
    other = make_netns()
    start(other, "master", "lo", 3)
    before = running(other)
    ok(quick("ipvs_sync_daemon", role="master", **BASE))
    ok(quick("ipvs_sync_daemon", role="master", state="absent"))
    assert (running(other), running(netns)) == (before, {})


def test_backup_with_sync_id_0_is_warned_of(quick):
    warning = ["sync_id: 0 lets a backup take the connections of every cluster on that network, whatever their id"]
    options = {"interface": "sync0", "sync_id": 0}
    for check in (True, False, False):
        assert warned(ok(quick("ipvs_sync_daemon", role="backup", check=check, **options))) == warning
    assert warned(ok(quick("ipvs_sync_daemon", role="master", **options))) == []
    assert warned(ok(quick("ipvs_sync_daemon", role="backup", state="absent", **options))) == []


def test_alternative_name_of_an_interface_is_taken(netns, quick):
    netns.run("ip", "link", "property", "add", "dev", "sync0", "altname", "cluster-net0")
    ok(quick("ipvs_sync_daemon", role="master", interface="cluster-net0", sync_id=1))
    assert running(netns)["master"].startswith("mcast=cluster-net0, ")


def test_what_was_done_goes_to_the_log(tmp_path, netns, module, monkeypatch):
    log = tmp_path / "log"
    monkeypatch.setattr(AnsibleModule, "log", lambda self, line, log_args=None: log.open("a").write(f"{line}\n"))
    start(netns, "master", "sync0", 1)
    result = ok(module("ipvs_sync_daemon", role="master", **BASE))
    assert log.read_text().splitlines()[-2:] == result["commands"]


# Wrong input, told before anything is stopped


def test_all_wrong_values_are_told_at_once(quick):
    options = {"role": "leader", "interface": "a/b", "sync_id": 256, "sync_maxlen": 65508, "multicast_port": 0}
    options |= {"multicast_group": "10.0.0.1", "multicast_ttl": 256, "state": "gone"}
    assert failed(quick("ipvs_sync_daemon", **options)).split("; ") == [
        "state: 'gone' is not one of present, absent",
        "role: 'leader' is not one of master, backup",
        "interface: 'a/b' is not the name of a network interface: up to 15 bytes without spaces, / and :",
        "sync_id: 256 is not between 0 and 255",
        "sync_maxlen: 65508 is not between 0 and 65507",
        "multicast_group: 10.0.0.1 is not a multicast address, which is one from 224.0.0.0 to 239.255.255.255 or from"
        " ff00:: on",
        "multicast_port: 0 is not between 1 and 65535",
        "multicast_ttl: 256 is not between 1 and 255",
    ]


@pytest.mark.parametrize("check", [False, True], ids=["real", "check"])
def test_missing_options_are_told_at_once(quick, check):
    assert failed(quick("ipvs_sync_daemon", check=check)).split("; ") == [
        "role: is required: master or backup",
        "interface: is required with state present",
        "sync_id: is required with state present",
    ]
    assert failed(quick("ipvs_sync_daemon", check=check, state="absent")) == "role: is required: master or backup"


def down(netns):
    netns.run("ip", "link", "set", "sync1", "down")


def mixed(netns):
    netns.restore("-A -t 192.0.2.1:80\n-A -f 7 -6\n-a -f 7 -6 -r 198.51.100.1:0 -i\n-a -f 7 -6 -r [2001:db8::1]:0 -g\n")


SITUATIONS = {
    "interface that does not exist": (
        lambda netns: None,
        {"interface": "sync9"},
        "interface: sync9 does not exist in this network namespace; there are lo, sync0, sync1",
    ),
    "interface that is down": (
        down,
        {"interface": "sync1"},
        "interface: sync1 is down; bring it up first (ip link set sync1 up)",
    ),
}
MIXED = (
    "role: no sync daemon can run while a service has a server of the other family, as fwmark 7 (ipv6) has"
    " 198.51.100.1:0"
)


@pytest.mark.parametrize(("prepare", "options", "message"), SITUATIONS.values(), ids=SITUATIONS)
@pytest.mark.parametrize("runs", [False, True], ids=["none runs", "one runs"])
def test_what_could_not_be_started_is_told_before_anything_is_stopped(netns, quick, prepare, options, message, runs):
    prepare(netns)
    if runs:
        start(netns, "master")
    before = running(netns)
    assert failed(quick("ipvs_sync_daemon", role="master", **{**BASE, **options})) == message
    assert running(netns) == before
    predicted = ok(quick("ipvs_sync_daemon", check=True, role="master", **{**BASE, **options}))
    assert warned(predicted) == [f"{message}; assuming that an earlier task sees to it in a real run"]
    assert (predicted["changed"], predicted["after"]["sync_maxlen"]) == (True, 1472)


def test_servers_of_the_other_family_are_told(netns, quick):
    mixed(netns)
    assert failed(quick("ipvs_sync_daemon", role="backup", **BASE)) == MIXED
    assert failed(quick("ipvs_sync_daemon", role="backup", interface="sync9", sync_id=1)).split("; ")[-1] == MIXED
    predicted = ok(quick("ipvs_sync_daemon", check=True, role="backup", **BASE))
    assert warned(predicted) == [f"{MIXED}; assuming that an earlier task sees to it in a real run"]
    assert ok(quick("ipvs_sync_daemon", role="backup", state="absent"))["changed"] is False
    netns.ipvsadm("-d", "-f", "7", "-6", "-r", "198.51.100.1:0")
    assert ok(quick("ipvs_sync_daemon", role="backup", **BASE))["changed"] is True


def test_running_daemon_whose_interface_is_no_more_is_left_with_a_warning(netns, quick):
    start(netns, "master")
    netns.run("ip", "link", "set", "sync0", "down")
    result = ok(quick("ipvs_sync_daemon", role="master", **BASE))
    assert (result["changed"], warned(result)) == (
        False,
        [
            "interface: sync0 is down; bring it up first (ip link set sync0 up); the daemon runs, but nothing is"
            " synchronised"
        ],
    )
    netns.run("ip", "link", "delete", "sync0")
    (warning,) = warned(ok(quick("ipvs_sync_daemon", check=True, role="master", **BASE)))
    assert warning.startswith("interface: sync0 does not exist in this network namespace; there are lo, sync1; ")
    ok(quick("ipvs_sync_daemon", role="master", state="absent"))
    assert running(netns) == {}


# A kernel that refuses, and others who start and stop daemons


@pytest.fixture
def taken(netns):
    """A port that another process receives on, which is seen only when a backup is started."""
    with _host.network_namespace(netns.name), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("", 9000))
        yield 9000


REFUSED = (
    "start the backup daemon on sync0: the kernel refused it: Address already in use (EADDRINUSE): another process of"
    " this network namespace receives on multicast_port, or on one of the ports after it when net.ipv4.vs.sync_ports"
    " is above 1"
)


def test_refused_start_changes_nothing(netns, quick, taken):
    result = quick("ipvs_sync_daemon", role="backup", **BASE, multicast_port=taken)
    assert failed(result) == f"{REFUSED}; nothing was changed"
    assert not result.get("changed")
    assert running(netns) == {}


def test_refused_change_starts_the_old_daemon_again(netns, quick, taken):
    start(netns, "backup", "sync1", 5, "--sync-maxlen", 2000, "--mcast-group", "239.1.2.3", "--mcast-ttl", 9)
    before = running(netns)
    result = quick("ipvs_sync_daemon", role="backup", **BASE, multicast_port=taken)
    assert failed(result) == f"{REFUSED}; the backup daemon on sync1 was stopped before and started again"
    assert not result.get("changed")
    assert running(netns) == before


def refusing(monkeypatch, aside):
    """From here on the kernel client refuses to start the second daemon of a run, after a word aside."""
    begin, calls = Kernel.start_daemon, []

    def start_daemon(kernel, daemon):
        calls.append(daemon)
        if len(calls) == 2:
            aside()
        begin(kernel, daemon)

    monkeypatch.setattr(Kernel, "start_daemon", start_daemon)


def test_old_daemon_that_can_not_be_started_again_is_told(netns, module, monkeypatch, taken):
    start(netns, "backup", "sync1")
    refusing(monkeypatch, lambda: netns.run("ip", "link", "delete", "sync1"))
    result = module("ipvs_sync_daemon", role="backup", **BASE, multicast_port=taken)
    stopped = f"ip netns exec {netns.name} ipvsadm --stop-daemon backup"
    assert failed(result) == (
        f"{REFUSED}; no backup daemon runs now, as the one from before could not be started again: start the backup"
        " daemon on sync1: the kernel refused it: No such device (ENODEV): the interface does not exist in this network"
        f" namespace, or takes no multicast; done before, and left so: {stopped}"
    )
    assert (result["changed"], result["commands"]) == (True, [stopped])
    assert running(netns) == {}


def test_daemon_that_somebody_else_starts_in_place_of_the_old_one_is_left(netns, module, monkeypatch, taken):
    start(netns, "backup", "sync1")
    refusing(monkeypatch, lambda: start(netns, "backup", "sync0", 99))
    message = failed(module("ipvs_sync_daemon", role="backup", **BASE, multicast_port=taken))
    assert message.startswith(
        f"{REFUSED}; the backup daemon on sync1 was stopped before, and somebody else started one; done before"
    )
    assert "syncid=99" in running(netns)["backup"]


def test_mixed_families_that_come_in_between_are_explained(netns, module, monkeypatch):
    monkeypatch.setattr(Kernel, "table", lambda kernel: {})
    mixed(netns)
    assert failed(module("ipvs_sync_daemon", role="master", **BASE)) == (
        "start the master daemon on sync0: the kernel refused it: Invalid argument (EINVAL): no sync daemon can run"
        " while a service has a server of the other family; nothing was changed"
    )


def test_interface_without_ipv6_is_explained(netns, quick):
    netns.run("sysctl", "-qw", "net.ipv6.conf.sync0.disable_ipv6=1")
    assert failed(quick("ipvs_sync_daemon", role="master", **BASE, multicast_group="ff02::81")) == (
        "start the master daemon on sync0: the kernel refused it: Network is unreachable (ENETUNREACH): the interface is"
        " down, or has no route to multicast_group (an IPv6 group needs IPv6 on the interface); nothing was changed"
    )


class Meddler:
    """Lets a rival act before the first call of a method, once or always."""

    def __init__(self, monkeypatch, method, act, times=1):
        call = getattr(Kernel, method)
        left = [times]

        def meddled(kernel, *arguments):
            if left[0]:
                left[0] -= 1
                act()
            return call(kernel, *arguments)

        monkeypatch.setattr(Kernel, method, meddled)


@pytest.mark.parametrize("other", [BASE, {**BASE, "sync_id": 9}], ids=["the same", "another"])
def test_daemon_that_a_rival_starts_meanwhile_is_met(netns, module, monkeypatch, other):
    Meddler(monkeypatch, "start_daemon", lambda: start(netns, "master", other["interface"], other["sync_id"]))
    ok(module("ipvs_sync_daemon", role="master", **BASE))
    assert running(netns) == {"master": f"mcast=sync0, syncid=7, maxlen=1472, {DEFAULTS}"}


@pytest.mark.parametrize("options", [{"state": "absent"}, BASE], ids=["absent", "present"])
def test_daemon_that_a_rival_stops_meanwhile_is_met(netns, module, monkeypatch, options):
    start(netns, "master", "sync1")
    Meddler(monkeypatch, "stop_daemon", lambda: netns.ipvsadm("--stop-daemon", "master"))
    result = ok(module("ipvs_sync_daemon", role="master", **options))
    assert bool(running(netns)) is bool(result["after"]) is (options is BASE)
    assert len(result["commands"]) == (1 if options is BASE else 0)


def test_rival_who_never_ends_is_told(netns, module, monkeypatch):
    def restart():
        if running(netns):
            netns.ipvsadm("--stop-daemon", "master")
        start(netns, "master", "sync1", 99)

    Meddler(monkeypatch, "start_daemon", restart, times=100)
    message = failed(module("ipvs_sync_daemon", role="master", **BASE))
    assert message.startswith(
        "after 5 attempts the kernel still differs: another process keeps changing it; done before"
    )
    assert "syncid=99" in running(netns)["master"]


def test_busy_lock_is_told_and_check_mode_needs_none(netns, module, monkeypatch):
    monkeypatch.setattr(_host, "LOCK_WAIT", 0.3)
    with _host.network_namespace(netns.name), _host.lock("ipvs_table"):
        message = failed(module("ipvs_sync_daemon", role="master", **BASE))
        assert ok(module("ipvs_sync_daemon", check=True, role="master", **BASE))["changed"] is True
    assert f": ipvs_table, process {os.getpid()}, since " in message
    assert running(netns) == {}


# What the collection's own reader and writer must agree on with the kernel


@pytest.fixture
def before_all_others():
    """This process runs before the kernel's threads do, where it has the only processor."""
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(50))
    yield
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


class Counted(socket.socket):
    """Counts the answers that never come."""

    missing = 0

    def recv(self, *arguments):
        try:
            return super().recv(*arguments)
        except BlockingIOError:
            Counted.missing += 1
            raise


@pytest.mark.usefixtures("before_all_others")
def test_daemon_is_stopped_before_it_ever_ran(netns, monkeypatch):
    """Then the kernel stops it and answers nothing, for which one must not wait."""
    monkeypatch.setattr(_genetlink.socket, "socket", Counted)
    with _host.network_namespace(netns.name), closing(Kernel()) as kernel:
        for role in ROLES * 20:
            kernel.start_daemon(SyncDaemon(role, "sync0", 1))
            kernel.stop_daemon(role)
    assert Counted.missing == 40 or os.cpu_count() > 1
    assert running(netns) == {}


def test_kernel_refuses_what_is_refused_before(netns):
    """The reasons for our own problems: without them the kernel would refuse, or take another value in silence."""
    with _host.network_namespace(netns.name), closing(Kernel()) as kernel:
        daemon = SyncDaemon("backup", "sync0", 1)
        for wrong in ({"multicast_group": "10.0.0.1"}, {"multicast_group": "2001:db8::1"}, {"interface": "sync9"}):
            with pytest.raises(Refused):
                kernel.start_daemon(replace(daemon, **wrong))
        kernel.start_daemon(replace(daemon, multicast_port=0, multicast_ttl=0, sync_maxlen=1))
    assert running(netns) == {"backup": f"mcast=sync0, syncid=1, maxlen=1024, {DEFAULTS}"}
