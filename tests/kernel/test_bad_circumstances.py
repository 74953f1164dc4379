# Copyright (c) 2026, the linux.lvs contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bad input and bad hosts: one clear sentence each, nothing changed, never a traceback."""

from __future__ import annotations

import math
import os
import re
import sys

import pytest
from ansible_collections.linux.lvs.plugins.module_utils import _host
from ansible_collections.linux.lvs.plugins.module_utils._netlink import Kernel
from helpers import failed, ok, seen, warned

HTTP = {"address": "192.0.2.1", "port": 80}
HTTP6 = {"address": "2001:db8::1", "port": 80}
WEB = "-t 192.0.2.1:80"
REAL = "198.51.100.1"
SERVER = {"service": HTTP, "address": REAL}
MAX = 2147483647
FLAGS = "sh-fallback, sh-port, mh-fallback, mh-port, flag-1, flag-2, flag-3"
NO_MARK = "does not go with fwmark, which is another way to say which service it is"


# Wrong values


def test_all_wrong_values_of_a_service_are_told_at_once(quick):
    options = {"address": "www.example.org", "port": 65536, "protocol": "icmp", "scheduler": "No!"}
    options |= {"scheduler_flags": ["sh-port", "x"], "persistence_timeout": 2678401, "persistence_engine": "a" * 16}
    options |= {"one_packet": "maybe", "state": "gone", "drain_timeout": -1, "drain_wait_for": ["x"], "netns": "a/b"}
    assert failed(quick("ipvs_service", **options)).split("; ") == [
        "netns: 'a/b' is not the name of a network namespace (see ip netns list)",
        "state: 'gone' is not one of present, absent",
        "drain_wait_for: 'x' is not one of active, inactive, persistent",
        f"drain_timeout: -1 is not between 0 and {MAX}",
        "address: 'www.example.org' is not an IPv4 or IPv6 address (names are not resolved)",
        "port: 65536 is not between 0 and 65535",
        "protocol: 'icmp' is not one of tcp, udp, sctp",
        "scheduler: 'No!' is not a name of 1 to 15 characters out of a-z, 0-9, - and _",
        f"scheduler_flags: 'x' is not one of {FLAGS}",
        f"persistence_engine: '{'a' * 16}' is not a name of 1 to 15 characters out of a-z, 0-9, - and _",
        "one_packet: 'maybe' is neither true nor false",
        "persistence_timeout: 2678401 is not between 0 and 2678400",
    ]


def test_all_wrong_values_of_a_server_are_told_at_once(quick):
    options = {"service": {**HTTP, "port": -1, "protocol": "TCP"}, "address": "0.0.0.0", "port": "http"}
    options |= {"forwarding": "masq", "weight": 3000000000, "upper_threshold": -1, "lower_threshold": "x"}
    options |= {"tunnel_type": "vxlan", "tunnel_port": 0, "tunnel_checksum": "yes", "state": "gone"}
    options |= {"drain_timeout": "1h", "drain_wait_for": [], "minimum_active": -1}
    assert failed(quick("ipvs_server", **options)).split("; ") == [
        "state: 'gone' is not one of present, absent, drained",
        "drain_wait_for: is empty",
        "give some of active, inactive, persistent, or leave it out",
        f"drain_timeout: '1h' is not a whole number between 0 and {MAX}",
        f"minimum_active: -1 is not between 0 and {MAX}",
        "service.port: -1 is not between 0 and 65535",
        "service.protocol: 'TCP' is not one of tcp, udp, sctp",
        "address: 0.0.0.0 is not a unicast address, so it can't be a real server",
        "port: 'http' is not a whole number between 0 and 65535",
        "forwarding: 'masq' is not one of nat, direct, tunnel",
        f"weight: 3000000000 is not between 0 and {MAX}",
        f"upper_threshold: -1 is not between 0 and {MAX}",
        f"lower_threshold: 'x' is not a whole number between 0 and {MAX}",
        "tunnel_type: 'vxlan' is not one of ipip, gue, gre",
        "tunnel_port: 0 is not between 1 and 65535",
        "tunnel_checksum: 'yes' is not one of none, csum, remcsum",
    ]


NOT_UNICAST = "is not a unicast address, so IPVS takes no client's packets for it"
WRONG_SERVICES = [
    ({}, "address: is required, with port; or fwmark instead of both"),
    ({"address": "192.0.2.1"}, "port: is required with address; 0 is all ports of a persistent service"),
    ({"port": 80}, "address: is required, with port; or fwmark instead of both"),
    ({"fwmark": 1, **HTTP}, f"address: {NO_MARK}; port: {NO_MARK}"),
    ({"fwmark": 1, "port": 80}, f"port: {NO_MARK}"),
    ({"fwmark": 1, "protocol": "udp"}, f"protocol: {NO_MARK}"),
    ({"fwmark": 0}, "fwmark: 0 is not between 1 and 4294967295"),
    ({"fwmark": 4294967296}, "fwmark: 4294967296 is not between 1 and 4294967295"),
    ({"fwmark": 1, "family": "ipv5"}, "family: 'ipv5' is not one of ipv4, ipv6"),
    ({**HTTP, "family": "ipv6"}, "family: ipv6 is not the family of 192.0.2.1; it is for fwmark only, leave it out"),
    (
        {**HTTP6, "address": "fe80::1%eth0"},
        "address: 'fe80::1%eth0' has a scope id; IPVS keeps none, write the address without %",
    ),
    (
        {**HTTP6, "persistence_timeout": 60, "persistence_netmask": "ffff::"},
        "persistence_netmask: 'ffff::' is not a prefix length between 1 and 128, which IPv6 takes instead of a mask",
    ),
    (
        {**HTTP6, "persistence_timeout": 60, "persistence_netmask": "ffff:0:ffff::"},
        "persistence_netmask: 'ffff:0:ffff::' is not a prefix length between 1 and 128,"
        " which IPv6 takes instead of a mask",
    ),
    (
        {**HTTP6, "persistence_timeout": 60, "persistence_netmask": "0"},
        "persistence_netmask: '0' is not a prefix length between 1 and 128, which IPv6 takes instead of a mask",
    ),
    (
        {**HTTP, "persistence_timeout": 60, "persistence_netmask": "33"},
        "persistence_netmask: '33' is neither an IPv4 netmask such as 255.255.255.0 nor a prefix length"
        " between 0 and 32",
    ),
    ({**HTTP, "port": math.inf}, "port: inf is not a whole number between 0 and 65535"),
    ({**HTTP, "drain_timeout": -math.inf}, "drain_timeout: -inf is not a whole number between 0 and 2147483647"),
    ({**HTTP, "drain_timeout": math.nan}, "drain_timeout: nan is not a whole number between 0 and 2147483647"),
    ({**HTTP, "port": 0}, "port: 0 (all ports) needs a persistent service: give persistence_timeout"),
    *(
        ({**HTTP, "address": address}, f"address: {address} {NOT_UNICAST}")
        for address in ("0.0.0.0", "::", "224.0.0.1")
    ),
    ({**HTTP, "one_packet": True}, "one_packet: one-packet scheduling is for protocol udp only, not for tcp"),
    (
        {**HTTP, "persistence_timeout": 60, "persistence_engine": "sip"},
        "persistence_engine: sip works for protocol udp only, not for tcp",
    ),
]


@pytest.mark.parametrize("check", [False, True], ids=["real", "check"])
@pytest.mark.parametrize(("options", "message"), WRONG_SERVICES)
def test_wrong_service_is_told_and_nothing_changed(netns, quick, options, message, check):
    assert failed(quick("ipvs_service", check=check, **options)) == message
    assert netns.save() == []


SCOPE = "has a scope id; IPVS keeps none, write the address without %"
WRONG_SERVERS = [
    ({"service": {}}, "service.address: is required, with port; or fwmark instead of both"),
    ({"service": {"fwmark": 1, "port": 80}}, f"service.port: {NO_MARK}"),
    ({"service": {**HTTP, "address": "fe80::1%eth0"}}, f"service.address: 'fe80::1%eth0' {SCOPE}"),
    ({"service": {**HTTP, "address": "224.0.0.1"}}, f"service.address: 224.0.0.1 {NOT_UNICAST}"),
    ({"service": 7}, "service: 7 is not a dictionary"),
    ({"service": [1, 2]}, "service: [1, 2] is not a dictionary"),
    ({"service": "http"}, "service: 'http' is not a dictionary"),
    ({"service": {**HTTP, "port": math.inf}}, "service.port: inf is not a whole number between 0 and 65535"),
    (
        {"weight": math.inf, "address": "x", "drain_timeout": math.inf},
        "drain_timeout: inf is not a whole number between 0 and 2147483647;"
        " address: 'x' is not an IPv4 or IPv6 address (names are not resolved);"
        " weight: inf is not a whole number between 0 and 2147483647",
    ),
    ({"address": "fe80::1%eth0"}, f"address: 'fe80::1%eth0' {SCOPE}"),
    ({"address": "224.0.0.1"}, "address: 224.0.0.1 is not a unicast address, so it can't be a real server"),
    ({"address": "ff02::1"}, "address: ff02::1 is not a unicast address, so it can't be a real server"),
    (
        {"port": 81, "forwarding": "direct"},
        "port: 81 is not the service's port 80; another port needs forwarding nat, not direct",
    ),
    (
        {"port": 81, "forwarding": "tunnel"},
        "port: 81 is not the service's port 80; another port needs forwarding nat, not tunnel",
    ),
    ({"lower_threshold": 2, "upper_threshold": 1}, "lower_threshold: 2 is above upper_threshold 1"),
    ({"lower_threshold": 1}, "lower_threshold: 1 is above upper_threshold 0, which was left out"),
    (
        {"forwarding": "tunnel", "tunnel_type": "gue"},
        "tunnel_port: tunnel_type gue needs a UDP port between 1 and 65535",
    ),
    (
        {"address": "2001:db8:1::1", "forwarding": "nat"},
        "address: 2001:db8:1::1 is not ipv4 as service tcp 192.0.2.1:80 is;"
        " servers of the other family need forwarding tunnel, not nat",
    ),
    ({"state": "drained", "weight": 0}, "weight: does not go with state drained, which sets it to 0"),
]


@pytest.mark.parametrize("check", [False, True], ids=["real", "check"])
@pytest.mark.parametrize(("options", "message"), WRONG_SERVERS)
def test_wrong_server_is_told_and_nothing_changed(netns, quick, options, message, check):
    netns.restore(f"-A {WEB} -s rr\n")
    before = seen(netns)
    assert failed(quick("ipvs_server", check=check, **{**SERVER, **options})) == message
    assert seen(netns) == before


@pytest.mark.parametrize(
    ("name", "options", "start"),
    [
        ("ipvs_service", {**HTTP, "colour": "red"}, "colour: is not an option here; there are address, "),
        (
            "ipvs_server",
            {**SERVER, "service": {**HTTP, "colour": 1}},
            "service.colour: is not an option here; there are",
        ),
        ("ipvs_info", {"service": {"name": "web"}}, "service.name: is not an option here; there are address, family,"),
        ("ipvs_timeouts", {"sctp": 5}, "sctp: is not an option here; there are netns, tcp, tcp_fin, udp"),
        (
            "ipvs_sync_daemon",
            {"state": "absent", "role": "master", "syncid": 1},
            "syncid: is not an option here; there",
        ),
    ],
)
def test_unknown_option_is_told_with_those_that_there_are(quick, name, options, start):
    assert failed(quick(name, **options)).startswith(start)


def test_wrong_values_of_info_are_told_at_once(quick):
    assert failed(quick("ipvs_info", gather=["services", "x"], service={"port": 1})) == (
        "gather: 'x' is not one of services, timeouts, daemons, stats, connections, version;"
        " service.address: is required, with port; or fwmark instead of both"
    )


def test_numbers_and_booleans_may_be_text(netns, quick):
    ok(
        quick(
            "ipvs_service", address="192.0.2.1", port="80", protocol="udp", persistence_timeout="60", one_packet="yes"
        )
    )
    service = {**HTTP, "port": "80", "protocol": "udp"}
    ok(quick("ipvs_server", service=service, address=REAL, weight="3", forwarding="nat", port="8080"))
    assert netns.save() == ["-A -u 192.0.2.1:80 -s wlc -p 60 -o", f"-a -u 192.0.2.1:80 -r {REAL}:8080 -m -w 3"]


# What is not there


def test_missing_service_of_a_server_is_named(netns, quick):
    assert failed(quick("ipvs_server", **SERVER)) == (
        "service: tcp 192.0.2.1:80 does not exist; create it first (linux.lvs.ipvs_service)"
    )
    mark = {"service": {"fwmark": 7, "family": "ipv6"}, "address": "2001:db8:1::1"}
    assert failed(quick("ipvs_server", **mark)).startswith("service: fwmark 7 (ipv6) does not exist")
    assert netns.save() == []


@pytest.mark.parametrize("state", ["absent", "drained"])
def test_missing_service_of_a_server_that_is_to_go_is_fine(quick, state):
    assert ok(quick("ipvs_server", **SERVER, state=state, drain_timeout=5))["changed"] is False


@pytest.mark.parametrize("state", ["absent", "drained"])
def test_missing_server_that_is_to_go_is_fine(netns, quick, state):
    netns.restore(f"-A {WEB} -s rr\n")
    result = ok(quick("ipvs_server", **SERVER, state=state, drain_timeout=5, minimum_active=9))
    assert (result["changed"], result["drains"]) == (False, [])


def no_scheduler(name):
    return f"scheduler: the kernel has no scheduler {name} (its module ip_vs_{name} is neither loaded nor to be found)"


def no_engine(name):
    return (
        f"persistence_engine: the kernel has no persistence engine {name}"
        f" (its module ip_vs_pe_{name} is neither loaded nor to be found)"
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scheduler": "nosuch"}, no_scheduler("nosuch")),
        ({"persistence_timeout": 9, "persistence_engine": "nope"}, no_engine("nope")),
        (
            {"persistence_timeout": 9, "persistence_engine": "nope", "scheduler": "nosuch"},
            f"{no_scheduler('nosuch')}; {no_engine('nope')}",
        ),
    ],
    ids=["scheduler", "engine", "both"],
)
@pytest.mark.parametrize("there", [False, True], ids=["new", "existing"])
def test_unknown_scheduler_or_engine_is_named(netns, quick, options, message, there):
    if there:
        netns.restore(f"-A {WEB} -s rr\n")
    before = seen(netns)
    verb = "update" if there else "add"
    assert failed(quick("ipvs_service", **HTTP, **options)) == (
        f"{verb} tcp 192.0.2.1:80: {message}; nothing was changed"
    )
    assert seen(netns) == before


# As in a container, whose kernel's modules are on its host
NO_MODULES = '[ ! -d /lib/modules ] || mount -t tmpfs none /lib/modules; exec "$@"'
CONTAINER = ["unshare", "--mount", "sh", "-ec", NO_MODULES, "sh"]


def test_modules_are_not_called_missing_where_none_are_listed(netns, module):
    options = {**HTTP, "scheduler": "nosuch", "persistence_timeout": 9, "persistence_engine": "nope"}
    assert warned(ok(module.subprocess("ipvs_service", check=True, **options))) == [
        no_scheduler("nosuch"),
        no_engine("nope"),
    ]
    result = ok(module.subprocess("ipvs_service", check=True, prefix=CONTAINER, **options))
    assert (result["changed"], warned(result)) == (True, [])
    message = failed(module.subprocess("ipvs_service", prefix=CONTAINER, **options))
    assert message.startswith("add tcp 192.0.2.1:80: scheduler: the kernel has no scheduler nosuch (")
    assert netns.save() == []


def test_namespace_that_does_not_exist_is_named(netns, quick):
    message = failed(quick("ipvs_service", netns="nosuch", **HTTP))
    assert re.fullmatch(r"netns: namespace nosuch does not exist; there are: .*", message)
    assert netns.name in message


def test_server_that_the_kernel_refuses_is_explained(netns, quick):
    netns.restore("-A -t [2001:db8::1]:80 -s rr\n")
    before = seen(netns)
    message = failed(quick("ipvs_server", service=HTTP6, address="fe80::1", forwarding="nat"))
    assert message.startswith(
        "add tcp [2001:db8::1]:80 -> [fe80::1]:80: the kernel refused it: Invalid argument (EINVAL)"
    )
    assert "IPv6 link-local never" in message
    assert message.endswith("; nothing was changed")
    assert seen(netns) == before


# Hosts


def pyroute2_message(what):
    return (
        f"the Python library pyroute2 {what} for {sys.executable} (Python {sys.version.split()[0]}) on this host;"
        " install it with apt install python3-pyroute2 (Debian, Ubuntu), dnf install python3-pyroute2 (Fedora; EPEL"
        f" elsewhere) or {sys.executable} -m pip install pyroute2; any version from 0.5.14 on serves,"
        " below 0.9 on Python 3.8"
    )


each_way = pytest.mark.parametrize(
    ("name", "options"),
    [
        ("ipvs_service", {**HTTP, "scheduler": "wrr"}),
        ("ipvs_server", {**SERVER, "check": True}),
        ("ipvs_server", {**SERVER, "state": "absent"}),
        ("ipvs_info", {}),
        ("ipvs_sync_daemon", {"role": "master", "interface": "lo", "sync_id": 1}),
        ("ipvs_timeouts", {"tcp": 5, "check": True}),
        ("ipvs_counters", {}),
        ("ipvs_table", {"services": [{**HTTP, "scheduler": "wrr"}]}),
    ],
    ids=["present", "check", "absent", "info", "daemon", "timeouts", "counters", "table"],
)


@pytest.fixture
def table(netns):
    netns.restore(f"-A {WEB} -s rr\n-a {WEB} -r {REAL}:80 -m -w 1\n")
    before = seen(netns)
    yield
    assert seen(netns) == before


@pytest.mark.usefixtures("table")
@each_way
def test_missing_pyroute2_is_told(module, bare, name, options):
    assert failed(module.subprocess(name, **bare, **options)) == pyroute2_message("is not installed")


BROKEN = {
    "raises": ("raise TypeError('type is not subscriptable')", "TypeError: type is not subscriptable"),
    "lacks something": ("import nosuch", "ModuleNotFoundError: No module named 'nosuch'"),
    "is not Python": ("x =", "SyntaxError: invalid syntax"),
}


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize(("text", "error"), BROKEN.values(), ids=BROKEN)
def test_broken_pyroute2_is_told_with_its_path(tmp_path, module, text, error):
    package = tmp_path / "broken" / "pyroute2" / "__init__.py"
    package.parent.mkdir(parents=True)
    package.write_text(f"{text}\n")
    result = module.subprocess("ipvs_service", pythonpath=[package.parent.parent], **HTTP, scheduler="wrr")
    assert failed(result) == pyroute2_message(f"is broken ({package}: {error})")


NEEDS = "IPVS needs CAP_NET_ADMIN in the initial user namespace, which"


@pytest.mark.usefixtures("table")
@each_way
def test_missing_capability_is_told(module, name, options):
    result = module.subprocess(name, prefix=["setpriv", "--bounding-set=-net_admin"], **options)
    assert failed(result) == (f"{NEEDS} root was not given here; a container gets it by --cap-add NET_ADMIN")


# everything here is readable by root only
NOBODY = [
    "setpriv",
    "--reuid=65534",
    "--clear-groups",
    "--inh-caps=+dac_read_search",
    "--ambient-caps=+dac_read_search",
]


@pytest.mark.usefixtures("table")
def test_ordinary_user_is_told_to_become_root(netns, module):
    def run(**options):
        return failed(module.subprocess("ipvs_service", **{"prefix": NOBODY, **HTTP, "scheduler": "wrr", **options}))

    here = {"netns": None, "prefix": ["ip", "netns", "exec", netns.name, *NOBODY]}
    assert run() == f"netns: can't enter namespace {netns.name}: it needs CAP_SYS_ADMIN (become: true)"
    assert run(check=True, **here) == f"{NEEDS} this process (user id 65534) does not have; run as root (become: true)"
    assert re.fullmatch(
        r"can't open the lock /run/linux-lvs/\d+\.lock: Permission denied; is this root \(become: true\)\?", run(**here)
    )


@each_way
def test_rootless_container_is_told(netns, module, name, options):
    netns.restore(f"-A {WEB} -s rr\n")  # so that the kernel has IPVS
    result = module.subprocess(name, netns=None, prefix=["unshare", "-Urn"], **options)
    assert failed(result) == (
        f"{NEEDS} a rootless container or another user namespace never has; run on the host itself"
    )


def test_busy_lock_names_its_holder(netns, module, monkeypatch):
    monkeypatch.setattr(_host, "LOCK_WAIT", 0.3)
    with _host.network_namespace(netns.name), _host.lock("ipvs_table"):
        message = failed(module("ipvs_service", **HTTP))
        assert netns.save() == []
        assert ok(module("ipvs_service", check=True, **HTTP))["changed"] is True
    assert re.fullmatch(
        r"another run changes the table and holds the lock /run/linux-lvs/\d+\.lock:"
        rf" ipvs_table, process {os.getpid()}, since \d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{{4}}",
        message,
    )
    assert ok(module("ipvs_service", **HTTP))["changed"] is True


def test_lock_of_another_namespace_is_not_in_the_way(make_netns, module, monkeypatch):
    monkeypatch.setattr(_host, "LOCK_WAIT", 0.3)
    with _host.network_namespace(make_netns().name), _host.lock("ipvs_table"):
        ok(module("ipvs_service", **HTTP))


# Another process that keeps changing the table


class Rival:
    """Changes the scheduler after every call of a method, so many times."""

    def __init__(self, netns, method, times):
        self._netns, self._call, self._times = netns, getattr(Kernel, method), times
        self._scheduler = "wrr"

    def __call__(self, kernel, *arguments):
        answer = self._call(kernel, *arguments)
        if self._times:
            self._times -= 1
            self._scheduler = "lc" if self._scheduler == "wrr" else "wrr"
            self._netns.ipvsadm("-E", "-t", "192.0.2.1:80", "-s", self._scheduler)
        return answer


def bound(rival):
    def method(*arguments):  # only a function becomes a method
        return rival(*arguments)

    return method


def test_rival_who_changes_the_table_while_it_is_read_is_told(netns, module, monkeypatch):
    netns.restore(f"-A {WEB} -s rr\n")
    monkeypatch.setattr(Kernel, "_service", bound(Rival(netns, "_service", times=100)))
    message = failed(module("ipvs_service", **HTTP, persistence_timeout=60))
    assert message == "another process keeps changing the IPVS table: 10 times it changed while it was read"


def test_rival_who_undoes_every_change_is_told(netns, module, monkeypatch):
    netns.restore(f"-A {WEB} -s rr\n")
    monkeypatch.setattr(Kernel, "apply", bound(Rival(netns, "apply", times=100)))
    message = failed(module("ipvs_service", **HTTP, persistence_timeout=60))
    told, _separator, done = message.partition("; done before, and left so: ")
    assert told == (
        "after 5 attempts the kernel still differs: another process keeps changing the table, or the kernel takes but"
        " does not keep what was asked for (is it older than that attribute?); left to do: update tcp 192.0.2.1:80"
    )
    commands = done.split(", ")
    assert len(commands) == 5
    assert all(line.startswith(f"ip netns exec {netns.name} ipvsadm -E {WEB} -s ") for line in commands)


@pytest.mark.parametrize("method", ["_service", "apply"])
def test_rival_who_ends_is_outlasted(netns, module, monkeypatch, method):
    netns.restore(f"-A {WEB} -s rr\n")
    monkeypatch.setattr(Kernel, method, bound(Rival(netns, method, times=3)))
    assert ok(module("ipvs_service", **HTTP, persistence_timeout=60))["changed"] is True
    assert netns.save() == [f"-A {WEB} -s lc -p 60"]
