# Copyright (c) 2026, the linux.lvs contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules that all modules have in common (docs/design.md), one by one."""

from __future__ import annotations

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.linux.lvs.plugins.module_utils._model import Server, ServerKey, Service, ServiceKey
from ansible_collections.linux.lvs.plugins.module_utils._netlink import Kernel
from helpers import carry_out, failed, ok, put, seen, singly, warned

pytestmark = pytest.mark.fast

HTTP = {"address": "192.0.2.1", "port": 80}
WEB = "-t 192.0.2.1:80"
REAL = "198.51.100.1"


# Options that were left out keep what an entry has; a new entry takes ipvsadm's defaults


def test_one_option_of_a_service_changes_nothing_else(netns, quick):
    netns.restore("-A -u 192.0.2.1:80 -s sh -p 100 -M 255.255.255.0 -b sh-fallback,sh-port --pe sip -o\n")
    ok(quick("ipvs_service", **HTTP, protocol="udp", persistence_timeout=200))
    assert netns.save() == [
        "-A -u 192.0.2.1:80 -s sh -p 200 -M 255.255.255.0 --pe sip -o -b sh-fallback,sh-port",
    ]


def test_one_option_of_a_server_changes_nothing_else(netns, quick):
    tunnel = "--tun-type gue --tun-port 6080 --tun-remcsum"
    netns.restore(f"-A {WEB} -s rr\n-a {WEB} -r {REAL}:80 -i -w 7 -x 9 -y 8 {tunnel}\n")
    ok(quick("ipvs_server", service=HTTP, address=REAL, upper_threshold=10))
    assert netns.save() == [f"-A {WEB} -s rr", f"-a {WEB} -r {REAL}:80 -i -w 7 {tunnel}"]
    assert seen(netns).limits == {f"{REAL}:80": (10, 8)}


def test_new_entries_take_the_defaults_of_ipvsadm(netns, make_netns, quick):
    ok(quick("ipvs_service", **HTTP))
    ok(quick("ipvs_server", service=HTTP, address=REAL))
    twin = make_netns()
    twin.restore(f"-A {WEB}\n-a {WEB} -r {REAL}:80\n")
    assert seen(netns).configuration == seen(twin).configuration


# Dependents follow their parent, and are an error without it


@pytest.mark.parametrize(
    ("before", "options", "after"),
    [
        ("-s sh -b sh-fallback,sh-port", {"scheduler": "rr"}, "-s rr"),
        ("-s sh -b sh-fallback,sh-port", {"scheduler": "mh"}, "-s mh -b mh-fallback,mh-port"),
        ("-s rr -b flag-1,flag-3", {"scheduler": "sh"}, "-s sh"),
        ("-s sh -b sh-port", {"scheduler": "rr", "scheduler_flags": ["flag-2"]}, "-s rr -b flag-2"),
        ("-s rr -p 60 -M 255.255.255.0 --pe sip", {"persistence_timeout": 0}, "-s rr"),
    ],
    ids=["flags go", "flags that both know stay", "unnamed flags go", "flags can be given", "netmask and engine go"],
)
def test_dependents_of_a_service_follow(netns, quick, before, options, after):
    netns.restore(f"-A -u 192.0.2.1:80 {before}\n")
    ok(quick("ipvs_service", **HTTP, protocol="udp", **options))
    assert netns.save() == [f"-A -u 192.0.2.1:80 {after}"]


GUE = "-i -w 1 --tun-type gue --tun-port 6080"


@pytest.mark.parametrize(
    ("before", "options", "after"),
    [
        (f"{GUE} --tun-csum", {"forwarding": "direct"}, "-g -w 1"),
        (f"{GUE} --tun-csum", {"tunnel_type": "gre"}, "-i -w 1 --tun-type gre --tun-csum"),
        (f"{GUE} --tun-remcsum", {"tunnel_type": "gre"}, "-i -w 1 --tun-type gre --tun-nocsum"),
        (f"{GUE} --tun-csum", {"tunnel_type": "ipip"}, "-i -w 1 --tun-type ipip"),
    ],
    ids=["tunnel", "gue's port", "a checksum that gre does not know", "all but the type"],
)
def test_dependents_of_a_server_follow(netns, quick, before, options, after):
    netns.restore(f"-A {WEB} -s rr\n-a {WEB} -r {REAL}:80 {before}\n")
    ok(quick("ipvs_server", service=HTTP, address=REAL, **options))
    assert netns.save() == [f"-A {WEB} -s rr", f"-a {WEB} -r {REAL}:80 {after}"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"persistence_netmask": "24"}, "persistence_netmask: needs persistence_timeout above 0"),
        ({"persistence_engine": "sip"}, "persistence_engine: needs persistence_timeout above 0"),
        (
            {"persistence_timeout": 0, "persistence_netmask": "24"},
            "persistence_netmask: needs persistence_timeout above 0",
        ),
        (
            {"scheduler_flags": ["sh-port"]},
            "scheduler_flags: sh-port is not a flag of scheduler rr, which takes flag-1, flag-2, flag-3",
        ),
        (
            {"scheduler": "sh", "scheduler_flags": ["mh-port", "mh-fallback", "sh-port"]},
            "scheduler_flags: mh-fallback, mh-port is not a flag of scheduler sh,"
            " which takes flag-1, flag-2, flag-3, sh-fallback, sh-port",
        ),
    ],
)
@pytest.mark.parametrize("there", [False, True], ids=["new", "existing"])
def test_dependent_of_a_service_without_its_parent_is_an_error(netns, quick, options, message, there):
    if there:
        netns.restore("-A -u 192.0.2.1:80 -s rr\n")
    before = seen(netns)
    assert failed(quick("ipvs_service", **HTTP, protocol="udp", **{"scheduler": "rr", **options})) == message
    assert seen(netns) == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tunnel_type": "gre"}, "tunnel_type: needs forwarding tunnel, not nat"),
        (
            {"tunnel_port": 6080, "tunnel_checksum": "csum"},
            "tunnel_port: needs forwarding tunnel, not nat; tunnel_checksum: needs forwarding tunnel, not nat",
        ),
        ({"forwarding": "tunnel", "tunnel_port": 6080}, "tunnel_port: needs tunnel_type gue, not ipip"),
        (
            {"forwarding": "tunnel", "tunnel_checksum": "csum"},
            "tunnel_checksum: needs tunnel_type gue or gre, not ipip",
        ),
        (
            {"forwarding": "tunnel", "tunnel_type": "gre", "tunnel_checksum": "remcsum"},
            "tunnel_checksum: remcsum needs tunnel_type gue, not gre; gre takes none, csum",
        ),
        (
            {"forwarding": "tunnel", "tunnel_type": "gue"},
            "tunnel_port: tunnel_type gue needs a UDP port between 1 and 65535",
        ),
    ],
)
def test_dependent_of_a_server_without_its_parent_is_an_error(netns, quick, options, message):
    netns.restore(f"-A {WEB} -s rr\n-a {WEB} -r {REAL}:80 -m -w 1\n")
    before = seen(netns)
    assert failed(quick("ipvs_server", service=HTTP, address=REAL, **options)) == message
    assert seen(netns) == before


# Entries that would not change are never refused, whatever the kernel holds


TCP = ServiceKey("ipv4", "tcp", "192.0.2.1", 80)
TCP_ALL_PORTS = ServiceKey("ipv4", "tcp", "192.0.2.1", 0)
ODD_SERVICES = {
    "port 0 without persistence": (
        Service(TCP_ALL_PORTS, scheduler="rr"),
        "-A -t 192.0.2.1:0 -s rr",
        {"scheduler": "rr"},
        "tcp 192.0.2.1:0: the kernel holds it so, left as it is:"
        " port: 0 (all ports) needs a persistent service: give persistence_timeout",
        "port: 0 (all ports) needs a persistent service: give persistence_timeout",
    ),
    "one-packet on TCP": (
        Service(TCP, scheduler="rr", one_packet=True),
        "-A -t 192.0.2.1:80 -s rr -o",
        {"scheduler": "rr", "one_packet": True},
        "tcp 192.0.2.1:80: the kernel holds it so, left as it is:"
        " one_packet: one-packet scheduling is for protocol udp only, not for tcp",
        "one_packet: one-packet scheduling is for protocol udp only, not for tcp",
    ),
    "engine sip on TCP": (
        Service(
            TCP, scheduler="rr", persistence_timeout=60, persistence_netmask="255.255.255.255", persistence_engine="sip"
        ),
        "-A -t 192.0.2.1:80 -s rr -p 60 --pe sip",
        {"persistence_timeout": 60, "persistence_engine": "sip"},
        "tcp 192.0.2.1:80: the kernel holds it so, left as it is:"
        " persistence_engine: sip works for protocol udp only, not for tcp",
        "persistence_engine: sip works for protocol udp only, not for tcp",
    ),
}
ODD_SERVERS = {
    "direct server on another port": (
        Server(ServerKey(REAL, 81), forwarding="direct"),
        f"-a {WEB} -r {REAL}:81 -g -w 1",
        {"port": 81, "forwarding": "direct"},
        f"tcp 192.0.2.1:80 -> {REAL}:81: the kernel holds it so, left as it is:"
        " port: 81 is not the service's port 80; another port needs forwarding nat, not direct",
        "port: 81 is not the service's port 80; another port needs forwarding nat, not direct",
    ),
    "tunnel of unknown type": (
        Server(ServerKey(REAL, 80), forwarding="tunnel", tunnel_type="type-3"),
        f"-a {WEB} -r {REAL}:80 -i -w 1",
        {"forwarding": "tunnel"},
        f"tcp 192.0.2.1:80 -> {REAL}:80: the kernel holds it so, left as it is: tunnel_type: type-3 is not one of ipip, gue, gre",
        "tunnel_type: type-3 is not one of ipip, gue, gre",
    ),
    "forwarding 4": (
        Server(ServerKey(REAL, 80), forwarding="bypass"),
        f"-a {WEB} -r {REAL}:80 (null) -w 1",
        {},
        f"tcp 192.0.2.1:80 -> {REAL}:80: the kernel holds it so, left as it is:"
        " forwarding: bypass is not one of nat, direct, tunnel",
        "forwarding: bypass is not one of nat, direct, tunnel",
    ),
}


@pytest.mark.parametrize(("service", "line", "same", "warning", "refusal"), ODD_SERVICES.values(), ids=ODD_SERVICES)
def test_odd_service_is_left_with_a_warning(netns, quick, service, line, same, warning, refusal):
    put(netns, (service.key, service))
    before = seen(netns)
    assert [found.strip() for found in before.save] == [line]
    identity = {"address": "192.0.2.1", "port": service.key.port}
    for options in ({}, same):
        result = ok(quick("ipvs_service", **identity, **options))
        assert (result["changed"], result["commands"], warned(result)) == (False, [], [warning])
    assert failed(quick("ipvs_service", **identity, scheduler="wrr")) == refusal
    assert seen(netns) == before


@pytest.mark.parametrize(("server", "line", "same", "warning", "refusal"), ODD_SERVERS.values(), ids=ODD_SERVERS)
def test_odd_server_is_left_with_a_warning(netns, quick, server, line, same, warning, refusal):
    put(netns, (TCP, Service(TCP)), (TCP, server))
    before = seen(netns)
    assert before.save[1].strip() == line
    result = ok(quick("ipvs_server", service=HTTP, address=REAL, **same))
    assert (result["changed"], result["commands"], warned(result)) == (False, [], [warning])
    assert failed(quick("ipvs_server", service=HTTP, address=REAL, **same, weight=2, upper_threshold=2)) == refusal
    assert seen(netns) == before


def test_odd_entries_can_be_put_right_and_removed(netns, quick):
    service, server = ODD_SERVICES["one-packet on TCP"][0], ODD_SERVERS["direct server on another port"][0]
    put(netns, (TCP, service), (TCP, server))
    result = ok(quick("ipvs_service", **HTTP, one_packet=False))
    assert result["changed"] is True
    ok(quick("ipvs_server", service=HTTP, address=REAL, port=81, forwarding="nat"))
    assert netns.save() == [f"-A {WEB} -s rr", f"-a {WEB} -r {REAL}:81 -m -w 1"]
    put(netns, (TCP_ALL_PORTS, Service(TCP_ALL_PORTS)))
    ok(quick("ipvs_service", address="192.0.2.1", port=0, state="absent"))
    assert netns.save() == [f"-A {WEB} -s rr", f"-a {WEB} -r {REAL}:81 -m -w 1"]


def test_odd_server_beside_does_not_stand_in_the_way(netns, quick):
    put(netns, (TCP, Service(TCP)), (TCP, ODD_SERVERS["direct server on another port"][0]))
    ok(quick("ipvs_service", **HTTP, scheduler="rr"))
    ok(quick("ipvs_server", service=HTTP, address="198.51.100.2"))
    assert netns.save() == [f"-A {WEB} -s rr", f"-a {WEB} -r {REAL}:81 -g -w 1", f"-a {WEB} -r 198.51.100.2:80 -g -w 1"]


@pytest.mark.parametrize(("server", "line", "same", "warning", "refusal"), ODD_SERVERS.values(), ids=ODD_SERVERS)
@pytest.mark.parametrize("attributes", ["left out", "given"])
def test_odd_server_can_be_drained_and_put_back_and_is_left_odd(
    netns, quick, server, line, same, warning, refusal, attributes
):
    """Taking a server out of service and back must always be possible."""
    put(netns, (TCP, Service(TCP)), (TCP, server))
    given = {name: value for name, value in same.items() if attributes == "given" or name == "port"}
    for options, weight in (({"state": "drained"}, 0), ({"weight": 3}, 3)):
        result = ok(quick("ipvs_server", service=HTTP, address=REAL, **given, **options))
        assert (result["changed"], warned(result)[0]) == (True, warning)
        held = [found.strip() for found in seen(netns).save]
        assert held == [f"-A {WEB} -s wlc", line.replace("-w 1", f"-w {weight}")]


@pytest.mark.parametrize("state", ["merged", "replaced", "overridden"])
def test_odd_servers_can_be_drained_and_put_back_in_a_table(netns, quick, state):
    server, line, _same, warning, _refusal = ODD_SERVERS["direct server on another port"]
    put(netns, (TCP, Service(TCP)), (TCP, server))
    services = ok(quick("ipvs_table", state="gathered"))["gathered"]
    for weight in (0, 3):
        services[0]["servers"][0]["weight"] = weight
        result = ok(quick("ipvs_table", state=state, services=services))
        assert (result["changed"], warned(result)[0]) == (True, f"services[0].servers[0]: {warning}")
        assert netns.save()[1] == line.replace("-w 1", f"-w {weight}")
    services[0]["servers"][0]["weight"] = 9
    assert ok(quick("ipvs_table", state=state, services=services, keep_weights="all"))["changed"] is False


def test_null_is_left_out_like_everywhere_in_ansible(netns, quick):
    netns.restore(f"-A {WEB} -s sh -b sh-port\n")
    options = dict.fromkeys(("scheduler", "scheduler_flags", "one_packet", "state", "drain_timeout", "drain_wait_for"))
    assert ok(quick("ipvs_service", **HTTP, **options))["commands"] == []
    options = dict.fromkeys(("port", "weight", "forwarding", "state", "drain_timeout", "minimum_active"))
    assert ok(quick("ipvs_server", service={**HTTP, "protocol": None}, address=REAL, **options))["changed"]
    assert set(ok(quick("ipvs_info", gather=None, service=None))) >= {"services", "stats", "version"}
    options = dict.fromkeys(
        ("interface", "sync_id", "sync_maxlen", "multicast_group", "multicast_port", "multicast_ttl")
    )
    assert ok(quick("ipvs_sync_daemon", role="master", state="absent", **options))["changed"] is False
    assert ok(quick("ipvs_counters", service=None, state=None))["changed"] is True


def test_service_of_another_protocol_is_read_and_left(netns, quick):
    gre = ServiceKey("ipv4", "protocol-47", "192.0.2.1", 0)
    put(netns, (gre, Service(gre, scheduler="rr")))
    before = seen(netns)
    ok(quick("ipvs_service", **HTTP))
    (_http, read) = sorted(ok(quick("ipvs_info", gather=["services"]))["services"], key=lambda each: -each["port"])
    assert (read["protocol"], read["scheduler"]) == ("protocol-47", "rr")
    ok(quick("ipvs_service", **HTTP, state="absent"))
    assert seen(netns) == before


# Results


def test_commands_are_behind_the_namespace(netns, quick):
    result = ok(quick("ipvs_service", **HTTP, scheduler="rr"))
    assert result["commands"] == [f"ip netns exec {netns.name} ipvsadm -A {WEB} -s rr"]


def test_commands_without_a_namespace_are_plain(module):
    """In check mode, as the namespace of the tests themselves is nobody's to change."""
    result = ok(module("ipvs_service", netns=None, check=True, **HTTP, scheduler="rr"))
    assert result["commands"] == [f"ipvsadm -A {WEB} -s rr"]


def test_without_the_option_a_module_works_where_it_is(netns, module):
    result = ok(module.subprocess("ipvs_service", netns=None, prefix=["ip", "netns", "exec", netns.name], **HTTP))
    assert result["commands"] == [f"ipvsadm -A {WEB} -s wlc"]
    assert netns.save() == [f"-A {WEB} -s wlc"]


def test_other_namespaces_are_left_alone(netns, make_netns, quick):
    other = make_netns()
    other.restore(f"-A {WEB} -s rr\n-a {WEB} -r {REAL}:80 -m -w 1\n")
    before = seen(other)
    ok(quick("ipvs_service", **HTTP))
    ok(quick("ipvs_service", **HTTP, state="absent"))
    assert seen(other) == before


@pytest.mark.parametrize("check", [False, True], ids=["real", "check"])
def test_before_and_after_hold_what_is_touched(netns, quick, check):
    netns.restore(f"-A {WEB} -s rr\n-a {WEB} -r {REAL}:80 -m -w 1\n-A -f 7 -s rr\n")
    result = ok(quick("ipvs_server", service=HTTP, address=REAL, weight=2, check=check))
    service = {
        **HTTP,
        "protocol": "tcp",
        "scheduler": "rr",
        "scheduler_flags": [],
        "persistence_timeout": 0,
        "one_packet": False,
    }
    server = {"address": REAL, "port": 80, "forwarding": "nat", "upper_threshold": 0, "lower_threshold": 0}
    assert result["before"] == [{**service, "servers": [{**server, "weight": 1}]}]
    assert result["after"] == [{**service, "servers": [{**server, "weight": 2}]}]
    result = ok(quick("ipvs_server", service=HTTP, address=REAL, weight=1 if check else 2, check=check))
    assert (result["before"], result["after"]) == ([], [])


@pytest.mark.parametrize("check", [False, True], ids=["real", "check"])
def test_diff_is_the_save_text_of_what_is_touched(netns, quick, check):
    netns.restore(f"-A {WEB} -s rr\n-a {WEB} -r {REAL}:80 -m -w 1 -x 9\n-A -f 7 -s rr\n")
    result = ok(quick("ipvs_server", diff=True, check=check, service=HTTP, address=REAL, weight=2))
    assert result["diff"] == {
        "before": f"-A {WEB} -s rr\n-a {WEB} -r {REAL}:80 -m -w 1 -x 9\n",
        "after": f"-A {WEB} -s rr\n-a {WEB} -r {REAL}:80 -m -w 2 -x 9\n",
    }
    result = ok(quick("ipvs_service", diff=True, check=check, fwmark=7, state="absent"))
    assert result["diff"] == {"before": "-A -f 7 -s rr\n", "after": ""}
    result = ok(quick("ipvs_service", diff=True, check=check, **HTTP))
    assert result["diff"] == {"before": "", "after": ""}


def test_diff_is_returned_only_when_wanted(quick):
    assert "diff" not in ok(quick("ipvs_service", **HTTP))


def test_after_is_read_from_the_kernel(netns, module, monkeypatch):
    """A rival that is faster than our reading shows in it."""

    def carry_out_and_disturb(kernel, operation):
        carry_out(kernel, operation)
        netns.ipvsadm("-a", "-t", "192.0.2.1:80", "-r", f"{REAL}:80", "-m", "-w", "3")

    monkeypatch.setattr(Kernel, "apply", singly(carry_out_and_disturb))
    (after,) = ok(module("ipvs_service", **HTTP))["after"]
    assert [(server["address"], server["weight"]) for server in after["servers"]] == [(REAL, 3)]


UNSAYABLE = {
    "persistence of 0 s": (
        Service(TCP, persistence_timeout=0, persistence_netmask="255.255.255.255"),
        {"scheduler": "rr"},
        "commands: ipvsadm refuses a persistence of 0 s (update tcp 192.0.2.1:80)",
    ),
    "persistence of more than a month": (
        Service(TCP, persistence_timeout=2678401, persistence_netmask="255.255.255.255"),
        {"scheduler": "rr"},
        "commands: ipvsadm refuses a persistence of 2678401 s (update tcp 192.0.2.1:80)",
    ),
}


@pytest.mark.parametrize("check", [False, True], ids=["real", "check"])
@pytest.mark.parametrize(("service", "change", "warning"), UNSAYABLE.values(), ids=UNSAYABLE)
def test_what_ipvsadm_cannot_say_is_a_warning(netns, quick, service, change, warning, check):
    put(netns, (TCP, service))
    assert warned(ok(quick("ipvs_service", **HTTP, **change, check=check))) == [warning]


def test_what_was_applied_goes_to_the_log(tmp_path, netns, module, monkeypatch):
    log = tmp_path / "log"
    monkeypatch.setattr(AnsibleModule, "log", lambda self, line, log_args=None: log.open("a").write(f"{line}\n"))
    result = ok(module("ipvs_service", **HTTP, scheduler="rr"))
    assert log.read_text().splitlines()[-1:] == result["commands"]
    before = log.read_text()
    ok(module("ipvs_service", **HTTP, scheduler="wrr", check=True))
    assert "-s wrr" not in log.read_text().removeprefix(before)


def test_a_result_of_any_size_is_whole_and_does_not_repeat_a_long_argument(netns, quick):
    """The bulk of a result takes a way of its own past Ansible."""
    services = [{"address": f"192.0.2.{number}", "port": 80, "servers": [{"address": REAL}]} for number in range(101)]
    result = ok(quick("ipvs_table", services=services, diff=True))
    assert len(result["commands"]) == 202
    assert result["after"] == ok(quick("ipvs_table", state="gathered"))["gathered"]
    assert [each["address"] for each in result["after"]] == [each["address"] for each in services]
    assert result["diff"]["before"] == ""
    assert sorted(result["diff"]["after"].splitlines()) == netns.save()
    assert result["invocation"]["module_args"]["services"] == "a list of 101"
    assert ok(quick("ipvs_table", services=services[:50]))["invocation"]["module_args"]["services"] == services[:50]
    one = [
        {"address": "192.0.2.1", "port": 81, "servers": [{"address": f"198.51.100.{last}"} for last in range(1, 101)]}
    ]
    assert ok(quick("ipvs_table", services=one))["invocation"]["module_args"]["services"] == "a list of 1"


# What the kernel takes and clients can't live with


@pytest.mark.parametrize("check", [False, True], ids=["real", "check"])
@pytest.mark.parametrize(
    ("key", "words", "port"),
    [({**HTTP, "protocol": "udp"}, "-u 192.0.2.1:80", 80), ({"fwmark": 7}, "-f 7", 0)],
    ids=["udp", "mark"],
)
def test_one_packet_with_a_masqueraded_server_is_warned_of(netns, quick, key, words, port, check):
    servers = f"-a {words} -r {REAL}:{port} -m -w 1\n-a {words} -r 198.51.100.2:{port} -g -w 1\n"
    netns.restore(f"-A {words} -s rr\n{servers}")
    entry = "udp 192.0.2.1:80" if port else "fwmark 7 (ipv4)"

    def warning(*addresses):
        listed = ", ".join(f"{address}:{port}" for address in addresses)
        return (
            f"one_packet: replies of masqueraded servers ({listed}) leave with the server's own address instead of"
            f" {entry}'s; use forwarding direct or tunnel"
        )

    assert warned(ok(quick("ipvs_service", **key, one_packet=True, check=check))) == [warning(REAL)]
    netns.ipvsadm("-E", *words.split(), "-s", "rr", "-o")
    for options, expected in (
        ({"address": "198.51.100.2", "forwarding": "nat"}, [warning(REAL, "198.51.100.2")]),
        ({"address": "198.51.100.3", "forwarding": "nat"}, [warning(REAL, "198.51.100.3")]),
        ({"address": REAL, "forwarding": "direct"}, []),
        ({"address": "198.51.100.4", "forwarding": "tunnel"}, []),
    ):
        before = netns.save()
        result = ok(quick("ipvs_server", service=key, **options, check=check))
        assert (result["changed"], warned(result)) == (True, expected), options
        if not check:  # each case from the same table
            netns.ipvsadm("-C")
            netns.restore("".join(f"{line}\n" for line in before))


# Spelling and identity


@pytest.mark.parametrize("spelling", ["2001:DB8::1", "[2001:db8::1]", "2001:0db8:0:0:0:0:0:1", " 2001:db8::1 "])
def test_any_spelling_of_an_address_is_the_same_service(netns, quick, spelling):
    netns.restore("-A -t [2001:db8::1]:80 -s rr\n-a -t [2001:db8::1]:80 -r [2001:db8:1::1]:80 -m -w 1\n")
    assert ok(quick("ipvs_service", address=spelling, port=80))["changed"] is False
    service = {"address": spelling, "port": 80}
    assert ok(quick("ipvs_server", service=service, address="2001:db8:1:0::1"))["changed"] is False


def test_identity_is_protocol_and_family_too(netns, quick):
    for options in (
        *({**HTTP, "protocol": protocol} for protocol in ("tcp", "udp", "sctp")),
        {"fwmark": 1},
        {"fwmark": 1, "family": "ipv6"},
    ):
        assert ok(quick("ipvs_service", **options))["changed"] is True
    assert len(netns.save()) == 5
    ok(quick("ipvs_service", fwmark=1, state="absent"))
    ok(quick("ipvs_service", **HTTP, protocol="udp", state="absent"))
    assert netns.save() == sorted(
        ["-A -t 192.0.2.1:80 -s wlc", "-A --sctp-service 192.0.2.1:80 -s wlc", "-A -f 1 -6 -s wlc"]
    )


def test_largest_mark(netns, make_netns, quick):
    """ipvsadm prints it as a negative number, and takes it as we write it."""
    result = ok(quick("ipvs_service", fwmark=4294967295))
    assert netns.save() == ["-A -f -1 -s wlc"]
    assert result["commands"] == [f"ip netns exec {netns.name} ipvsadm -A -f 4294967295 -s wlc"]
    twin = make_netns()
    twin.ipvsadm("-A", "-f", "4294967295", "-s", "wlc")
    assert twin.save() == netns.save()
    assert ok(quick("ipvs_service", fwmark=4294967295))["changed"] is False


@pytest.mark.parametrize(
    ("service", "words", "server"),
    [
        ({"address": "192.0.2.1", "port": 80}, "-t 192.0.2.1:80", "2001:db8:1::1"),
        ({"address": "2001:db8::1", "port": 80}, "-t [2001:db8::1]:80", "198.51.100.1"),
    ],
    ids=["IPv6 behind IPv4", "IPv4 behind IPv6"],
)
def test_servers_of_the_other_family_need_a_tunnel(netns, quick, service, words, server):
    netns.restore(f"-A {words} -s rr\n")
    message = failed(quick("ipvs_server", service=service, address=server, forwarding="nat"))
    assert message.startswith(f"address: {server} is not ipv")
    assert message.endswith("servers of the other family need forwarding tunnel, not nat")
    assert netns.save() == [f"-A {words} -s rr"]
    for _time in range(2):
        result = ok(quick("ipvs_server", service=service, address=server, forwarding="tunnel"))
    assert result["changed"] is False
    shown = f"[{server}]:80" if ":" in server else f"{server}:80"
    assert netns.save() == [f"-A {words} -s rr", f"-a {words} -r {shown} -i -w 1 --tun-type ipip"]
