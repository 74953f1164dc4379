# Copyright (c) 2026, the linux.lvs contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""ipvs_sysctls, judged by what other processes read below /proc/sys and by sysctl(8)."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.linux.lvs.plugins.module_utils import _host, _sysctls
from ansible_collections.linux.lvs.tests.lab.fixtures import command
from helpers import eventually, failed, ok, warned

DIRECTORY = "/proc/sys/net/ipv4/vs"


def shown(netns, *names):
    """{name: text} as another process reads it; of all sysctls when none is named."""
    words = ["grep", "-H", "", *(f"{DIRECTORY}/{name}" for name in names)] if names else ["grep", "-r", "", DIRECTORY]
    lines = netns.run(*words).stdout.splitlines()
    return {path.rpartition("/")[2]: text for path, _colon, text in (line.partition(":") for line in lines)}


def by_hand(netns, **values):
    for name, value in values.items():
        netns.run("sysctl", "-qw", f"net.ipv4.vs.{name}={value}")


def sysctls(run, check=False, **values):
    return run("ipvs_sysctls", check=check, values=values)


@pytest.fixture
def loaded():
    """A kernel with all sysctls of IPVS: two belong to schedulers."""
    for name in ("ip_vs", "ip_vs_lblc", "ip_vs_lblcr"):
        command("modprobe", name)


every = pytest.mark.usefixtures("loaded")

BOOLEAN = ((True, "1", 1), (False, "0", 0))
DEFENCE = ((2, "1", 1), (3, "3", 3), (0, "0", 0))
# Name: steps of (what is asked for, what the kernel shows then, how we return it)
STEPS = {
    "am_droprate": ((1, "1", 1), (2147483647, "2147483647", 2147483647)),
    "amemthresh": ((0, "0", 0), ("2048", "2048", 2048)),
    "backup_only": BOOLEAN,
    "cache_bypass": BOOLEAN,
    "conn_lfactor": ((-8, "-8", -8), (8, "8", 8)),
    "conn_max": ((0, "0", 0), (1073741824, "1073741824", 1073741824)),
    "conn_reuse_mode": ((3, "3", 3), (0, "0", 0)),
    "conntrack": BOOLEAN,
    "drop_entry": DEFENCE,
    "drop_packet": DEFENCE,
    "est_cpulist": (("", "", ""), ("all", "0", "0")),
    "est_nice": ((-20, "-20", -20), (19, "19", 19)),
    "expire_nodest_conn": BOOLEAN,
    "expire_quiescent_template": BOOLEAN,
    "ignore_tunneled": BOOLEAN,
    "lblc_expiration": ((1, "1", 1), (2147483, "2147483", 2147483)),
    "lblcr_expiration": ((1, "1", 1), (2147483, "2147483", 2147483)),
    "nat_icmp_send": BOOLEAN,
    "pmtu_disc": ((False, "0", 0), ("yes", "1", 1)),
    "run_estimation": ((0, "0", 0), (1, "1", 1)),
    "schedule_icmp": BOOLEAN,
    "secure_tcp": DEFENCE,
    "sloppy_sctp": BOOLEAN,
    "sloppy_tcp": BOOLEAN,
    "snat_reroute": ((False, "0", 0), (True, "1", 1)),
    "svc_lfactor": ((-8, "-8", -8), (8, "8", 8)),
    "sync_persist_mode": ((1, "1", 1), (0, "0", 0)),
    "sync_ports": ((64, "64", 64), (1, "1", 1)),
    "sync_qlen_max": ((4294967295, "4294967295", 4294967295), (1, "1", 1)),
    "sync_refresh_period": ((2147483, "2147483", 2147483), (0, "0", 0)),
    "sync_retries": ((3, "3", 3), (0, "0", 0)),
    "sync_sock_size": ((2147483647, "2147483647", 2147483647), (0, "0", 0)),
    "sync_threshold": (
        ("2 0", "2\t0", "2 0"),
        ([2147483646, 2147483647], "2147483646\t2147483647", "2147483646 2147483647"),
    ),
    "sync_version": ((0, "0", 0), (1, "1", 1)),
}
INITIAL_ONLY = {"debug_level"}


@every
def test_every_sysctl_of_this_kernel_is_known_and_tried(netns):
    assert set(shown(netns)) == set(_sysctls.SYSCTLS) == set(STEPS) | INITIAL_ONLY


@every
def test_defaults_are_those_of_a_new_namespace(netns):
    found = shown(netns)
    for name, sysctl in _sysctls.SYSCTLS.items():
        if sysctl.default is not None:
            assert found[name].split() == str(sysctl.default).split(), name


@every
@pytest.mark.parametrize("name", STEPS)
def test_sysctl_is_set_kept_and_changed(netns, make_netns, quick, name):
    twin = make_netns()
    value = ok(sysctls(quick, check=True, **{name: STEPS[name][-1][0]}))["before"][name]
    for asked, text, returned in STEPS[name]:
        before = shown(netns)
        predicted = ok(sysctls(quick, check=True, **{name: asked}))
        assert shown(netns) == before
        done = ok(sysctls(quick, **{name: asked}))
        assert shown(netns) == {**before, name: text}
        assert (done["changed"], done["before"], done["after"]) == (True, {name: value}, {name: returned})
        assert {**predicted, "invocation": 0} == {**done, "invocation": 0}
        again = ok(sysctls(quick, **{name: asked}))
        assert (again["changed"], again["commands"], again["before"]) == (False, [], {name: returned})
        (line,) = done["commands"]
        prefix = f"ip netns exec {netns.name} "
        assert line.startswith(f"{prefix}sysctl -w ")
        twin.run("sh", "-ec", line[len(prefix) :])
        assert shown(twin) == shown(netns)
        value = returned


@every
def test_debug_level_is_set_in_the_initial_namespace(quick, initial_namespace):
    path = Path(f"{DIRECTORY}/debug_level")
    before = path.read_text()
    try:
        for level in (3, 0):
            result = ok(quick("ipvs_sysctls", netns=None, values={"debug_level": level}))
            assert (result["changed"], path.read_text()) == (True, f"{level}\n")
            assert result["commands"] == [f"sysctl -w net.ipv4.vs.debug_level={level}"]
            assert ok(quick("ipvs_sysctls", netns=None, values={"debug_level": level}))["changed"] is False
    finally:
        path.write_text(before)


@every
def test_only_what_differs_is_set_and_shown_in_the_diff(netns, quick):
    by_hand(netns, conntrack=1)
    before = shown(netns)
    values = {"sync_threshold": "2 0", "net.ipv4.vs.conntrack": True, "net/ipv4/vs/sloppy_tcp": "1"}
    done = ok(quick("ipvs_sysctls", diff=True, values=values))
    assert shown(netns) == {**before, "sync_threshold": "2\t0", "sloppy_tcp": "1"}
    assert done["commands"] == [
        f"ip netns exec {netns.name} sysctl -w net.ipv4.vs.sloppy_tcp=1",
        f"ip netns exec {netns.name} sysctl -w 'net.ipv4.vs.sync_threshold=2 0'",
    ]
    assert done["before"] == {"conntrack": 1, "sloppy_tcp": 0, "sync_threshold": "3 50"}
    assert done["after"] == {"conntrack": 1, "sloppy_tcp": 1, "sync_threshold": "2 0"}
    assert done["diff"] == {
        "before": {"sloppy_tcp": 0, "sync_threshold": "3 50"},
        "after": {"sloppy_tcp": 1, "sync_threshold": "2 0"},
    }
    assert ok(quick("ipvs_sysctls", diff=True, values=values))["diff"] == {"before": {}, "after": {}}


@every
@pytest.mark.parametrize(
    ("name", "text", "asked"),
    [
        ("conntrack", "7", True),
        ("run_estimation", "-1", True),
        ("sync_threshold", "4\t60", " 4  60 "),
        ("est_cpulist", "0", "0-N:1/2"),
        ("drop_packet", "1", 2),
    ],
)
def test_what_means_the_same_is_left_as_it_is(netns, quick, name, text, asked):
    by_hand(netns, **{name: text})
    assert ok(sysctls(quick, **{name: asked}))["changed"] is False
    assert shown(netns, name) == {name: text}


@every
def test_mode_that_the_kernel_moves_while_memory_is_short_is_no_difference(netns, quick):
    ok(sysctls(quick, drop_entry=1, secure_tcp=3))
    by_hand(netns, amemthresh=2147483647)
    eventually(lambda: shown(netns, "drop_entry") == {"drop_entry": "2"})
    for mode in (1, 2):
        result = ok(sysctls(quick, drop_entry=mode))
        assert (result["changed"], result["after"]) == (False, {"drop_entry": 1})
    assert ok(sysctls(quick, secure_tcp=1))["after"] == {"secure_tcp": 1}
    assert shown(netns, "secure_tcp") == {"secure_tcp": "2"}
    assert ok(sysctls(quick, secure_tcp=1))["changed"] is False


@every
def test_other_namespaces_keep_what_they_have(netns, make_netns, quick):
    other = make_netns()
    before, initial = shown(other), Path(f"{DIRECTORY}/conntrack").read_text()
    ok(sysctls(quick, conntrack=True, sync_threshold="2 0"))
    assert shown(netns, "conntrack") == {"conntrack": "1"}
    assert shown(other) == before
    assert Path(f"{DIRECTORY}/conntrack").read_text() == initial == "0\n"


# Wrong input

WRONG = {
    "conntrack": 2,
    "am_droprate": 0,
    "conn_reuse_mode": 4,
    "drop_entry": "automatic",
    "est_cpulist": "0-1",
    "sync_ports": 3,
    "sync_threshold": "5 5",
    "net.ipv4.ip_forward": 1,
    "backup_only": True,
    "net.ipv4.vs.backup_only": False,
}


@every
@pytest.mark.parametrize("check", [False, True], ids=["real", "check"])
def test_all_wrong_values_are_told_at_once_and_nothing_is_set(netns, quick, check):
    before = shown(netns)
    message = failed(quick("ipvs_sysctls", check=check, netns="a/b", values=WRONG, colour="red"))
    assert message.split("; ") == [
        "colour: is not an option here",
        "there are netns, values",
        "netns: 'a/b' is not the name of a network namespace (see ip netns list)",
        "values.conntrack: 2 is neither true nor false",
        "values.am_droprate: 0 is not between 1 and 2147483647",
        "values.conn_reuse_mode: 4 is not between 0 and 3",
        "values.drop_entry: 'automatic' is not a whole number between 0 and 3",
        "values.est_cpulist: '0-1' is not within the CPUs of this host, 0",
        "values.sync_ports: 3 is not a power of two between 1 and 64",
        "values.sync_threshold: threshold 5 is not below the period 5, which may be 0 for once only",
        "values.net.ipv4.ip_forward: 'net.ipv4.ip_forward' is not the name of a sysctl of IPVS, such as conntrack or"
        " net.ipv4.vs.conntrack",
        "values.net.ipv4.vs.backup_only: is the same sysctl as values.backup_only",
        "give it once",
    ]
    assert failed(quick("ipvs_sysctls", check=check, values=WRONG)).startswith("values.conntrack: 2 is neither")
    assert shown(netns) == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "values: is required: a dictionary such as {conntrack: true, sync_threshold: 3 50}"),
        ({"values": None}, "values: is required: a dictionary such as {conntrack: true, sync_threshold: 3 50}"),
        ({"values": {}}, "values: is empty; give at least one sysctl, such as conntrack"),
        ({"values": {"conntrack": None}}, "values: is empty; give at least one sysctl, such as conntrack"),
        ({"values": 7}, "values: 7 is not a dictionary"),
        ({"values": [1]}, "values: [1] is not a dictionary"),
        ({"values": "conntrack"}, "values: 'conntrack' is not a dictionary"),
    ],
)
def test_wrong_dictionary_is_told(quick, options, message):
    assert failed(quick("ipvs_sysctls", **options)) == message


@every
@pytest.mark.parametrize("check", [False, True], ids=["real", "check"])
def test_sysctls_that_this_kernel_lacks_are_told_and_nothing_is_set(netns, quick, check):
    before = shown(netns)
    message = failed(sysctls(quick, check=check, conntrack=True, some_news=1, other_news=2))
    begin = f"this kernel ({os.uname().release}) has no net.ipv4.vs."
    names = ", ".join(sorted(before))
    assert message == (
        f"values.other_news: {begin}other_news; there are {names}; values.some_news: {begin}some_news; there are {names}"
    )
    assert shown(netns) == before


def test_sysctl_of_a_scheduler_is_told_while_that_is_not_loaded(netns, module, ipvs_unloaded):
    ok(sysctls(module, conntrack=True))
    assert failed(sysctls(module, lblc_expiration=60)) == (
        f"values.lblc_expiration: this kernel ({os.uname().release}) has no net.ipv4.vs.lblc_expiration, which there is"
        " only with the scheduler's module ip_vs_lblc loaded, as the first service with scheduler lblc does"
    )
    ok(module("ipvs_service", address="192.0.2.1", port=80, scheduler="lblc"))
    assert ok(sysctls(module, lblc_expiration=60))["before"] == {"lblc_expiration": 86400}
    assert shown(netns, "lblc_expiration") == {"lblc_expiration": "60"}


@every
def test_sysctl_that_only_the_kernel_knows_is_set_with_a_warning(netns, module, monkeypatch):
    monkeypatch.delitem(_sysctls.SYSCTLS, "sync_threshold")
    for check, changed in ((True, True), (False, True), (False, False)):
        result = ok(sysctls(module, check=check, sync_threshold=" 4   60 "))
        assert (result["changed"], result["after"]) == (changed, {"sync_threshold": "4 60"})
        assert warned(result) == [
            "values.sync_threshold: net.ipv4.vs.sync_threshold is not known to this collection, so its value is not"
            " checked and compared as text"
        ]
    assert shown(netns, "sync_threshold") == {"sync_threshold": "4\t60"}


# Hosts where not everything can be set

NOBODY = [
    "setpriv",
    "--reuid=65534",
    "--clear-groups",
    "--inh-caps=+dac_read_search",
    "--ambient-caps=+dac_read_search",
]
READ_ONLY = ["unshare", "-m", "sh", "-ec", 'mount --bind -o ro /proc/sys /proc/sys; exec "$@"', "sh"]


@every
@pytest.mark.parametrize("check", [False, True], ids=["real", "check"])
def test_what_is_read_only_in_a_namespace_is_told_and_nothing_is_set(netns, module, check):
    before = shown(netns)
    assert failed(sysctls(module, check=check, conntrack=True, debug_level=1)) == (
        "values.debug_level: can't be set to 1 here: it is one for the whole machine, and the kernel allows that in the"
        " initial network namespace only"
    )
    assert shown(netns) == before
    result = ok(sysctls(module, check=check, conntrack=True, debug_level=0))
    assert (result["changed"], list(result["after"])) == (True, ["conntrack", "debug_level"])


@every
@pytest.mark.parametrize("check", [False, True], ids=["real", "check"])
def test_what_is_read_only_in_a_rootless_container_is_told_all_at_once(module, check):
    options = {"netns": None, "prefix": ["unshare", "-Urn"], "check": check}
    values = {"est_nice": 5, "run_estimation": 0, "conntrack": 1}
    why = "here: the kernel allows that in the initial user namespace only, not in a rootless container"
    assert failed(module.subprocess("ipvs_sysctls", values=values, **options)) == (
        f"values.est_nice: can't be set to 5 {why}; values.run_estimation: can't be set to 0 {why}"
    )
    values = {"est_nice": 0, "run_estimation": 1, "conntrack": 1}
    assert ok(module.subprocess("ipvs_sysctls", values=values, **options))["changed"] is True


@every
def test_read_only_proc_is_told(netns, module):
    for check in (True, False):
        result = module.subprocess("ipvs_sysctls", prefix=READ_ONLY, check=check, values={"conntrack": 1})
        assert failed(result) == (
            "values.conntrack: can't be set to 1 here: /proc/sys is mounted read-only, as in many containers"
        )
    result = module.subprocess("ipvs_sysctls", prefix=READ_ONLY, values={"conntrack": 0})
    assert ok(result)["changed"] is False


@every
def test_ordinary_user_is_told_to_become_root(netns, module):
    options = {"netns": None, "prefix": ["ip", "netns", "exec", netns.name, *NOBODY]}
    result = module.subprocess("ipvs_sysctls", check=True, values={"conntrack": 1}, **options)
    assert failed(result) == (
        "values.conntrack: can't be set to 1 here: this process (user id 65534) may not; run as root (become: true)"
    )
    result = module.subprocess("ipvs_sysctls", values={"conntrack": 1}, **options)
    assert failed(result).endswith("Permission denied; is this root (become: true)?")


@every
def test_neither_pyroute2_nor_cap_net_admin_is_needed_once_ipvs_is_loaded(netns, module, bare):
    bare["prefix"] = ["ip", "netns", "exec", netns.name, "setpriv", "--bounding-set=-net_admin"]
    assert ok(module.subprocess("ipvs_sysctls", netns=None, values={"conntrack": 1}, **bare))["changed"] is True
    assert shown(netns, "conntrack") == {"conntrack": "1"}


@every
def test_busy_lock_names_its_holder(netns, module, monkeypatch):
    monkeypatch.setattr(_host, "LOCK_WAIT", 0.3)
    with _host.network_namespace(netns.name), _host.lock("ipvs_table"):
        assert re.search(r"holds the lock .*: ipvs_table, process \d+", failed(sysctls(module, conntrack=True)))
        assert ok(sysctls(module, check=True, conntrack=True))["changed"] is True
    assert shown(netns, "conntrack") == {"conntrack": "0"}


# A kernel that has not loaded IPVS


def is_loaded():
    return Path("/proc/net/ip_vs").exists()


def test_check_mode_loads_nothing_and_predicts_from_the_defaults(netns, module, bare, ipvs_unloaded):
    values = {"conntrack": True, "pmtu_disc": True, "sync_threshold": "2 0"}
    predicted = ok(module.subprocess("ipvs_sysctls", check=True, values=values, **bare))
    assert not is_loaded()
    assert warned(predicted) == []
    assert predicted["before"] == {"conntrack": 0, "pmtu_disc": 1, "sync_threshold": "3 50"}
    done = ok(sysctls(module, **values))
    assert shown(netns, *values) == {"conntrack": "1", "pmtu_disc": "1", "sync_threshold": "2\t0"}
    assert (predicted["commands"], predicted["after"]) == (done["commands"], done["after"])
    assert len(done["commands"]) == 2


def test_check_mode_warns_of_what_it_can_not_know(module, ipvs_unloaded):
    predicted = ok(sysctls(module, check=True, sync_qlen_max=9, debug_level=1, some_news=1, conntrack=0))
    assert not is_loaded()
    assert predicted["before"] == {"conntrack": 0, "debug_level": 0}
    assert predicted["after"] == {"conntrack": 0, "debug_level": 1, "some_news": 1, "sync_qlen_max": 9}
    assert [text.partition(": ")[0] for text in warned(predicted)] == [
        "values.some_news",
        "values.debug_level",
        "values.some_news",
        "values.some_news",
        "values.sync_qlen_max",
    ]


def test_missing_pyroute2_is_told_where_ipvs_is_to_be_loaded(module, bare, ipvs_unloaded):
    message = failed(module.subprocess("ipvs_sysctls", values={"conntrack": True}, **bare))
    assert message.startswith(f"the Python library pyroute2 is not installed for {sys.executable} ")
    assert not is_loaded()


# A kernel that refuses in the middle, and others who set the same

CONTAINER = """
sysctl -qw net.ipv4.vs.sync_version=0
status=0; "$@" || status=$?
grep -r "" /proc/sys/net/ipv4/vs >"$SHOWN"
exit $status
"""


def test_refusal_half_way_leads_back_what_was_set(module, tmp_path, loaded, initial_namespace):
    """Only there a value that passes our checks is refused: above the limit that the machine's own root has set."""
    limit = Path(f"{DIRECTORY}/conn_max")
    before = limit.read_text()
    limit.write_text("1000\n")
    try:
        result = module.subprocess(
            "ipvs_sysctls",
            netns=None,
            prefix=["unshare", "-Urn", "sh", "-uc", CONTAINER, "sh"],
            env={"SHOWN": str(tmp_path / "shown")},
            values={"am_droprate": 5, "backup_only": True, "conn_max": 1001, "sync_version": 1},
        )
    finally:
        limit.write_text(before)
    assert failed(result) == (
        "values.conn_max: the kernel refused '1001': Invalid argument;"
        " set before and led back: backup_only from 1 to 0, am_droprate from 5 to 10"
    )
    assert not result.get("changed")
    lines = (tmp_path / "shown").read_text().splitlines()
    left = {path.rpartition("/")[2]: text for path, _colon, text in (line.partition(":") for line in lines)}
    assert {name: left[name] for name in ("am_droprate", "backup_only", "conn_max", "sync_version")} == {
        "am_droprate": "10",
        "backup_only": "0",
        "conn_max": "1000",
        "sync_version": "0",
    }


@pytest.fixture
def unchecked(monkeypatch, loaded):
    """sync_threshold as the kernel alone knows it, so that it is the kernel that refuses it."""
    monkeypatch.delitem(_sysctls.SYSCTLS, "sync_threshold")


REFUSED = "values.sync_threshold: the kernel refused '5 5': Invalid argument; "


@pytest.mark.usefixtures("unchecked")
def test_refusal_of_the_first_changes_nothing(netns, module):
    before = shown(netns)
    assert failed(sysctls(module, sync_threshold="5 5", sync_version=0)) == f"{REFUSED}nothing was changed"
    assert shown(netns) == before


class Rival:
    """In place of write_sysctl: after so many of our writes of a sysctl another process sets it."""

    def __init__(self, netns, name, value, times):
        self._netns, self._name, self._value, self._times = netns, name, value, times
        self._write = _host.write_sysctl

    def __call__(self, name, text):
        self._write(name, text)
        if name == self._name and self._times:
            self._times -= 1
            by_hand(self._netns, **{self._name: self._value})


@pytest.mark.usefixtures("unchecked")
def test_what_was_set_and_led_back_goes_to_the_log(tmp_path, netns, module, monkeypatch):
    log = tmp_path / "log"
    monkeypatch.setattr(AnsibleModule, "log", lambda self, line, log_args=None: log.open("a").write(f"{line}\n"))
    assert failed(sysctls(module, am_droprate=5, sync_threshold="5 5")).startswith(REFUSED)
    line = f"ip netns exec {netns.name} sysctl -w net.ipv4.vs.am_droprate="
    assert log.read_text().splitlines()[-2:] == [f"{line}5", f"leading back: {line}10"]
    before = log.read_text()
    assert ok(sysctls(module, check=True, am_droprate=5))["changed"] is True
    assert line not in log.read_text()[len(before) :]


@pytest.mark.usefixtures("unchecked")
def test_what_a_rival_set_meanwhile_is_not_led_back(netns, module, monkeypatch):
    before = shown(netns)
    monkeypatch.setattr(_host, "write_sysctl", Rival(netns, "am_droprate", 9, times=1))
    assert failed(sysctls(module, am_droprate=5, backup_only=True, sync_threshold="5 5")) == (
        f"{REFUSED}set before and led back: backup_only from 1 to 0;"
        " left as somebody else changed it meanwhile: am_droprate, which is 9"
    )
    assert shown(netns) == {**before, "am_droprate": "9"}


@pytest.mark.usefixtures("unchecked")
def test_value_that_the_kernel_shows_but_does_not_take_can_not_be_led_back_and_is_told(netns, module):
    by_hand(netns, sync_refresh_period=-1)
    garbage = shown(netns, "sync_refresh_period")["sync_refresh_period"]
    result = sysctls(module, am_droprate=5, sync_refresh_period=10, sync_threshold="5 5")
    line = f"ip netns exec {netns.name} sysctl -w net.ipv4.vs.sync_refresh_period=10"
    assert failed(result) == (
        f"{REFUSED}set before and led back: am_droprate from 5 to 10;"
        f" leading back sync_refresh_period failed: the kernel refused '{garbage}': Invalid argument;"
        f" done before, and left so: {line}"
    )
    assert (result["changed"], result["commands"]) == (True, [line])
    assert shown(netns, "am_droprate", "sync_refresh_period") == {"am_droprate": "10", "sync_refresh_period": "10"}


@every
def test_rival_who_ends_is_outlasted(netns, module, monkeypatch):
    monkeypatch.setattr(_host, "write_sysctl", Rival(netns, "conntrack", 0, times=3))
    result = ok(sysctls(module, conntrack=True))
    assert result["commands"] == [f"ip netns exec {netns.name} sysctl -w net.ipv4.vs.conntrack=1"]
    assert shown(netns, "conntrack") == {"conntrack": "1"}


@every
def test_rival_who_undoes_every_change_is_told(netns, module, monkeypatch):
    monkeypatch.setattr(_host, "write_sysctl", Rival(netns, "conntrack", 0, times=100))
    result = sysctls(module, conntrack=True)
    line = f"ip netns exec {netns.name} sysctl -w net.ipv4.vs.conntrack=1"
    assert failed(result) == (
        "after 5 attempts the kernel still differs: another process keeps changing it, or the kernel takes but does not"
        f" keep what was asked for: values.conntrack is 0 instead of 1; done before, and left so: {line}"
    )
    assert (result["changed"], result["commands"]) == (True, [line])
