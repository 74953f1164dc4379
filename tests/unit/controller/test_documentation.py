# Copyright (c) 2026, the linux.lvs contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation, argument spec, model, ipvsadm's words and netlink attributes say the same."""

from __future__ import annotations

import re
from dataclasses import fields, replace

import pytest
from ansible_collections.linux.lvs.plugins.module_utils import (
    _apply_settings,
    _connections,
    _run_info,
    _run_owners,
    _run_settings,
    _run_sysctls,
    _run_table,
)
from ansible_collections.linux.lvs.plugins.module_utils._apply import Drained, Outcome
from ansible_collections.linux.lvs.plugins.module_utils._ipvsadm import command, daemon_command, timeouts_command
from ansible_collections.linux.lvs.plugins.module_utils._model import (
    CONNECTION_KINDS,
    DAEMON_ATTRIBUTES,
    DEFAULT_FORWARDING,
    DEFAULT_MULTICAST_GROUP,
    DEFAULT_MULTICAST_PORT,
    DEFAULT_MULTICAST_TTL,
    DEFAULT_SCHEDULER,
    DEFAULT_WEIGHT,
    MAX_INT,
    MAX_INTERFACE,
    MAX_MARK,
    MAX_PERSISTENCE,
    MAX_SYNC_ID,
    MAX_TIMEOUT,
    SCHEDULERS,
    SERVER_ATTRIBUTES,
    SERVER_IDENTITY,
    SERVICE_ATTRIBUTES,
    SERVICE_IDENTITY,
    TIMEOUTS,
    Claim,
    Connections,
    Counters,
    Entry,
    Place,
    Server,
    ServerKey,
    ServerStatus,
    Service,
    ServiceKey,
    ServiceStatus,
    Setting,
    SyncDaemon,
    Timeouts,
    daemon_problems,
)
from ansible_collections.linux.lvs.plugins.module_utils._netlink import daemon_attributes, pack_daemon
from ansible_collections.linux.lvs.plugins.module_utils._options import (
    Reader,
    read_drain,
    read_server,
    read_service,
    read_service_key,
)
from ansible_collections.linux.lvs.plugins.module_utils._owners import Owner
from ansible_collections.linux.lvs.plugins.module_utils._plan import Operation
from ansible_collections.linux.lvs.plugins.module_utils._settings import (
    MAX_MAXLEN,
    START,
    DaemonStep,
    read_daemon,
    read_timeouts,
)
from ansible_collections.linux.lvs.plugins.module_utils._sysctls import SYSCTLS, Boolean, Range, read_wishes
from ansible_collections.linux.lvs.plugins.module_utils._table import SCOPES, read_entries, read_exclude
from ansible_collections.linux.lvs.plugins.module_utils._wire import (
    DEST_ATTRIBUTES,
    SVC_ATTRIBUTES,
    pack_server,
    pack_service,
    unpack_nest,
)
from ansible_collections.linux.lvs.tests.unit.controller.repository import MODULES, documentation, returned

SPECS = {
    "ipvs_counters": _run_settings.COUNTERS_SPEC,
    "ipvs_info": _run_info.INFO_SPEC,
    "ipvs_owner_info": _run_owners.OWNERS_SPEC,
    "ipvs_server": _run_table.SERVER_SPEC,
    "ipvs_service": _run_table.SERVICE_SPEC,
    "ipvs_sync_daemon": _run_settings.DAEMON_SPEC,
    "ipvs_sysctls": _run_sysctls.SYSCTLS_SPEC,
    "ipvs_table": _run_table.TABLE_SPEC,
    "ipvs_timeouts": _run_settings.TIMEOUTS_SPEC,
}
CHANGING = ("ipvs_server", "ipvs_service", "ipvs_table")
SETTINGS = ("ipvs_counters", "ipvs_sync_daemon", "ipvs_timeouts")
# Lists whose elements are documented with suboptions, and read by our own model
LISTS = {"ipvs_table": ("services", "exclude")}
READING_STATES = {"gathered", "rendered", "parsed"}
DRAIN = {"drain_timeout", "drain_wait_for"}
COMPARED = ("type", "choices", "default", "required", "elements")

SIP = ServiceKey("ipv4", "udp", "192.0.2.1", 5060)
MARK = ServiceKey("ipv6", fwmark=7)
RIP = ServerKey("198.51.100.1", 5060)

# attribute, two services that differ in it only, its word of ipvsadm, its netlink attribute
SERVICES = (
    ("scheduler", Service(SIP, "rr"), Service(SIP, "lc"), "-s", "SCHED_NAME"),
    ("scheduler_flags", Service(SIP, "sh"), Service(SIP, "sh", frozenset({2})), "-b", "FLAGS"),
    ("persistence_timeout", Service(SIP, "rr", (), 5), Service(SIP, "rr", (), 6), "-p", "TIMEOUT"),
    (
        "persistence_netmask",
        Service(SIP, "rr", (), 5, "255.255.255.255"),
        Service(SIP, "rr", (), 5, "255.0.0.0"),
        "-M",
        "NETMASK",
    ),
    (
        "persistence_engine",
        Service(SIP, "rr", (), 5),
        Service(SIP, "rr", (), 5, persistence_engine="sip"),
        "--pe",
        "PE_NAME",
    ),
    ("one_packet", Service(SIP), Service(SIP, one_packet=True), "-o", "FLAGS"),
)
_GUE = {"tunnel_type": "gue", "tunnel_checksum": "none"}
SERVERS = (
    ("forwarding", Server(RIP, "nat"), Server(RIP, "direct"), "-g", "FWD_METHOD"),
    ("weight", Server(RIP, weight=1), Server(RIP, weight=2), "-w", "WEIGHT"),
    ("upper_threshold", Server(RIP), Server(RIP, upper_threshold=1), "-x", "U_THRESH"),
    ("lower_threshold", Server(RIP), Server(RIP, lower_threshold=1), "-y", "L_THRESH"),
    (
        "tunnel_type",
        Server(RIP, "tunnel", tunnel_type="ipip"),
        Server(RIP, "tunnel", tunnel_type="gre"),
        "--tun-type",
        "TUN_TYPE",
    ),
    (
        "tunnel_port",
        Server(RIP, "tunnel", tunnel_port=1, **_GUE),
        Server(RIP, "tunnel", tunnel_port=2, **_GUE),
        "--tun-port",
        "TUN_PORT",
    ),
    (
        "tunnel_checksum",
        Server(RIP, "tunnel", tunnel_type="gre", tunnel_checksum="none"),
        Server(RIP, "tunnel", tunnel_type="gre", tunnel_checksum="csum"),
        "--tun-csum",
        "TUN_FLAGS",
    ),
)

DAEMON = SyncDaemon("backup", "eth0", 1, 1472)
DAEMONS = (
    ("interface", replace(DAEMON, interface="eth1"), "--mcast-interface", "MCAST_IFN"),
    ("sync_id", replace(DAEMON, sync_id=2), "--syncid", "SYNC_ID"),
    ("sync_maxlen", replace(DAEMON, sync_maxlen=1500), "--sync-maxlen", "SYNC_MAXLEN"),
    ("multicast_group", replace(DAEMON, multicast_group="239.0.0.1"), "--mcast-group", "MCAST_GROUP"),
    ("multicast_port", replace(DAEMON, multicast_port=9000), "--mcast-port", "MCAST_PORT"),
    ("multicast_ttl", replace(DAEMON, multicast_ttl=2), "--mcast-ttl", "MCAST_TTL"),
)

# What the options' descriptions have to name, because the argument spec can't say it
LIMITS = (
    ("ipvs_service", "fwmark", MAX_MARK),
    ("ipvs_service", "persistence_timeout", MAX_PERSISTENCE),
    ("ipvs_service", "scheduler", DEFAULT_SCHEDULER),
    *(("ipvs_service", "scheduler", scheduler) for scheduler in SCHEDULERS),
    ("ipvs_server", "weight", MAX_INT),
    ("ipvs_server", "weight", DEFAULT_WEIGHT),
    ("ipvs_server", "forwarding", DEFAULT_FORWARDING),
    ("ipvs_server", "tunnel_port", 65535),
    ("ipvs_sync_daemon", "interface", MAX_INTERFACE),
    ("ipvs_sync_daemon", "sync_id", MAX_SYNC_ID),
    ("ipvs_sync_daemon", "sync_maxlen", MAX_MAXLEN),
    ("ipvs_sync_daemon", "multicast_group", DEFAULT_MULTICAST_GROUP),
    ("ipvs_sync_daemon", "multicast_port", 65535),
    ("ipvs_sync_daemon", "multicast_port", DEFAULT_MULTICAST_PORT),
    ("ipvs_sync_daemon", "multicast_ttl", 255),
    ("ipvs_sync_daemon", "multicast_ttl", DEFAULT_MULTICAST_TTL),
    *(("ipvs_timeouts", name, MAX_TIMEOUT) for name in TIMEOUTS),
)
# The same of the entries of ipvs_table
ENTRY_LIMITS = (
    ("services", "fwmark", MAX_MARK),
    ("services", "persistence_timeout", MAX_PERSISTENCE),
    ("services", "scheduler", DEFAULT_SCHEDULER),
    ("servers", "weight", MAX_INT),
    ("servers", "weight", DEFAULT_WEIGHT),
    ("servers", "forwarding", DEFAULT_FORWARDING),
    ("servers", "tunnel_port", 65535),
)


def _documented(options):
    return {
        name: {
            **{key: option[key] for key in COMPARED if key in option},
            **({"options": _documented(option["suboptions"])} if "suboptions" in option else {}),
        }
        for name, option in options.items()
    }


def _described(option):
    text = option["description"]
    return text if isinstance(text, str) else " ".join(text)


def _options(spec):
    for option in spec.values():
        yield option
        yield from _options(option.get("options", {}))


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_no_option_is_secret(spec):
    """Results are written past Ansible's search for secrets (_module)."""
    assert not any(option.get("no_log") for option in _options(spec))


def test_every_module_has_its_spec_here():
    assert [path.stem for path in MODULES] == sorted(SPECS)


@pytest.mark.parametrize("module", SPECS)
def test_documented_options_are_those_of_the_argument_spec(module):
    documented = _documented(documentation(module)["options"])
    for name in LISTS.get(module, ()):
        assert documented[name].pop("options")
    assert documented == SPECS[module]


@pytest.mark.parametrize(("module", "option", "limit"), LIMITS, ids=[f"{case[1]} {case[2]}" for case in LIMITS])
def test_description_names_limits_and_defaults(module, option, limit):
    assert f"V({limit})" in _described(documentation(module)["options"][option])


@pytest.mark.parametrize(
    ("noun", "option", "limit"), ENTRY_LIMITS, ids=[f"{case[1]} {case[2]}" for case in ENTRY_LIMITS]
)
def test_description_of_an_entry_names_limits_and_defaults(noun, option, limit):
    assert f"V({limit})" in _described(_entry_options()[noun][option])


def _entry_options():
    services = documentation("ipvs_table")["options"]["services"]["suboptions"]
    return {"services": services, "servers": services["servers"]["suboptions"]}


def test_entries_of_a_table_are_documented_as_the_small_modules_are():
    services = _documented(_entry_options()["services"])
    servers = services.pop("servers").pop("options")
    assert services == {name: _run_table.SERVICE_SPEC[name] for name in (*SERVICE_IDENTITY, *SERVICE_ATTRIBUTES)}
    assert servers == {name: _run_table.SERVER_SPEC[name] for name in (*SERVER_IDENTITY, *SERVER_ATTRIBUTES)}


def test_exclusions_are_documented_as_services_are():
    exclude = _documented(documentation("ipvs_table")["options"]["exclude"]["suboptions"])
    assert exclude.pop("network") == {"type": "str"}
    assert exclude == {name: _run_table.SERVICE_SPEC[name] for name in SERVICE_IDENTITY if name != "address"}


def test_entries_take_what_is_documented_and_nothing_else():
    options = documentation("ipvs_table")["options"]
    wrong = {"unheard of": 1}
    problems = []
    read_entries([{**wrong, "fwmark": 1, "servers": [{**wrong, "address": "198.51.100.1"}]}], "services", problems)
    read_exclude(Reader({"exclude": [{**wrong, "fwmark": 1}]}, "", problems))
    taken = {problem.split(".unheard of: ")[0]: problem.partition("there are ")[2].split(", ") for problem in problems}
    services = options["services"]["suboptions"]
    assert {path: sorted(names) for path, names in taken.items()} == {
        "services[0]": sorted(services),
        "services[0].servers[0]": sorted(services["servers"]["suboptions"]),
        "exclude[0]": sorted(options["exclude"]["suboptions"]),
    }


@pytest.mark.parametrize("option", [*SERVICE_IDENTITY, *SERVICE_ATTRIBUTES, "servers"])
def test_every_option_of_an_entry_is_read(option):
    base = {"fwmark": 1} if option in ("fwmark", "family") else {"address": "192.0.2.1", "port": 80}
    _assert_read_in_entry({**base, option: 3.5}, f"services[0].{option}")


@pytest.mark.parametrize("option", [*SERVER_IDENTITY, *SERVER_ATTRIBUTES])
def test_every_option_of_a_server_of_an_entry_is_read(option):
    entry = {"address": "192.0.2.1", "port": 80, "servers": [{"address": "198.51.100.1", option: 3.5}]}
    _assert_read_in_entry(entry, f"services[0].servers[0].{option}")


@pytest.mark.parametrize("option", ["network", "protocol", "port", "fwmark", "family"])
def test_every_option_of_an_exclusion_is_read(option):
    base = {"fwmark": 1} if option in ("fwmark", "family") else {"network": "192.0.2.1"}
    problems = []
    read_exclude(Reader({"exclude": [{**base, option: 3.5}]}, "", problems))
    assert [problem.partition(":")[0] for problem in problems] == [f"exclude[0].{option}"]


def _assert_read_in_entry(entry, path):
    problems = []
    read_entries([entry], "services", problems)
    assert [problem.partition(":")[0] for problem in problems] == [path]


def test_options_of_a_service_are_those_of_the_model():
    expected = {"netns", "state", *SERVICE_IDENTITY, *SERVICE_ATTRIBUTES, *DRAIN}
    assert set(_run_table.SERVICE_SPEC) == expected


def test_options_of_a_server_are_those_of_the_model():
    expected = {"netns", "state", "service", "minimum_active", *SERVER_IDENTITY, *SERVER_ATTRIBUTES, *DRAIN}
    assert set(_run_table.SERVER_SPEC) == expected
    assert set(_run_table.SERVER_SPEC["service"]["options"]) == set(SERVICE_IDENTITY)
    assert set(_run_info.INFO_SPEC["service"]["options"]) == set(SERVICE_IDENTITY)


def test_every_attribute_of_a_service_is_a_case_here():
    assert [case[0] for case in SERVICES] == list(SERVICE_ATTRIBUTES)


def test_every_attribute_of_a_server_is_a_case_here():
    assert [case[0] for case in SERVERS] == list(SERVER_ATTRIBUTES)


@pytest.mark.parametrize("option", sorted({*SERVICE_IDENTITY, *SERVICE_ATTRIBUTES}))
def test_every_option_of_a_service_is_read(option):
    base = {"fwmark": 1} if option in ("fwmark", "family") else {"address": "192.0.2.1", "port": 80}
    _assert_read(read_service, option, base)
    if option in SERVICE_IDENTITY:
        _assert_read(read_service_key, option, base)


@pytest.mark.parametrize("option", [*SERVER_IDENTITY, *SERVER_ATTRIBUTES])
def test_every_option_of_a_server_is_read(option):
    _assert_read(read_server, option, {"address": "198.51.100.1"})


@pytest.mark.parametrize("option", sorted({*DRAIN, "minimum_active"}))
def test_every_option_of_a_drain_is_read(option):
    _assert_read(read_drain, option, {})


@pytest.mark.parametrize("option", ["role", *DAEMON_ATTRIBUTES])
def test_every_option_of_a_daemon_is_read(option):
    _assert_read(lambda options: read_daemon(options, present=False), option, {"role": "master"})


@pytest.mark.parametrize("option", TIMEOUTS)
def test_every_timeout_is_read(option):
    _assert_read(read_timeouts, option, {})


def _assert_read(read, option, base):
    problems = []
    read(Reader({**base, option: [["wrong"]]}, "", problems))
    assert [problem.partition(":")[0] for problem in problems] == [option]


@pytest.mark.parametrize(("name", "old", "new", "word", "attribute"), SERVICES, ids=[case[0] for case in SERVICES])
def test_attribute_of_a_service_has_its_word_and_its_netlink_attribute(name, old, new, word, attribute):
    assert [each for each in Service._fields if getattr(old, each) != getattr(new, each)] == [name]
    assert word in command(Operation(SIP, None, old, new)).split()
    assert command(Operation(SIP, None, old, new)) != command(Operation(SIP, None, new, old))
    found = [unpack_nest(pack_service(service), "SERVICE") for service in (old, new)]
    assert _differing(*found) == {SVC_ATTRIBUTES.index(attribute)}


@pytest.mark.parametrize(("name", "old", "new", "word", "attribute"), SERVERS, ids=[case[0] for case in SERVERS])
def test_attribute_of_a_server_has_its_word_and_its_netlink_attribute(name, old, new, word, attribute):
    assert [each for each in Server._fields if getattr(old, each) != getattr(new, each)] == [name]
    assert word in command(Operation(SIP, RIP, old, new)).split()
    assert command(Operation(SIP, RIP, old, new)) != command(Operation(SIP, RIP, new, old))
    found = [unpack_nest(pack_server(server), "DEST") for server in (old, new)]
    assert _differing(*found) == {DEST_ATTRIBUTES.index(attribute)}


def test_options_of_a_daemon_are_those_of_the_model():
    assert set(_run_settings.DAEMON_SPEC) == {"netns", "state", "role", *DAEMON_ATTRIBUTES}
    assert [field.name for field in fields(SyncDaemon)] == ["role", *DAEMON_ATTRIBUTES]


def test_options_of_timeouts_are_those_of_the_model():
    assert set(_run_settings.TIMEOUTS_SPEC) == {"netns", *TIMEOUTS}
    assert [field.name for field in fields(Timeouts)] == list(TIMEOUTS)


def test_every_attribute_of_a_daemon_is_a_case_here():
    assert [case[0] for case in DAEMONS] == list(DAEMON_ATTRIBUTES)


@pytest.mark.parametrize(("name", "new", "word", "attribute"), DAEMONS, ids=[case[0] for case in DAEMONS])
def test_attribute_of_a_daemon_has_its_word_and_its_netlink_attribute(name, new, word, attribute):
    words = [daemon_command(DaemonStep(START, daemon)).split() for daemon in (DAEMON, new)]
    differing = [at for at, pair in enumerate(zip(*words)) if pair[0] != pair[1]]
    assert [words[1][at - 1] for at in differing] == [word]
    assert _differing(dict(pack_daemon(DAEMON)), dict(pack_daemon(new))) == {f"IPVS_DAEMON_ATTR_{attribute}"}
    assert f"IPVS_DAEMON_ATTR_{attribute}" in dict(daemon_attributes.nla_map)


@pytest.mark.parametrize("name", TIMEOUTS)
def test_timeout_has_its_place_in_the_command(name):
    numbers = timeouts_command(Timeouts(**{name: 7})).split()[-len(TIMEOUTS) :]
    assert numbers == ["7" if other == name else "0" for other in TIMEOUTS]


@pytest.mark.parametrize("role", ["master", "backup"])
@pytest.mark.parametrize("group", ["224.0.0.81", "ff02::81"])
def test_description_of_sync_maxlen_names_the_limits_of_role_and_group(role, group):
    (problem,) = daemon_problems(SyncDaemon(role, "eth0", 1, 70000, group))
    low, high = re.search(r"between (\d+) and (\d+)", problem).groups()
    text = _described(documentation("ipvs_sync_daemon")["options"]["sync_maxlen"])
    assert f"V({low})" in text
    assert f"V({high})" in text


def _differing(old, new):
    return {number for number in {**old, **new} if old.get(number) != new.get(number)}


_FULL_SERVICE = Service(SIP, "sh", frozenset({1}), 60, "255.255.255.255", "sip", True)
_FULL_SERVER = Server(RIP, "tunnel", 1, 9, 5, "gue", 6080, "csum")
_STATUS = ServiceStatus(Counters(), {RIP: ServerStatus(Connections(), Counters())})
_DRAINED = Drained((SIP, RIP), _FULL_SERVICE, 1.5, Connections(), ("active",), finished=True)


def _sampled(contents):
    """Keys and types of what is documented, as deep as it is."""
    return {
        key: _sampled(entry["contains"]) if "contains" in entry else entry["type"] for key, entry in contents.items()
    }


def _found(value):
    """Keys and types of a value, as deep as dictionaries in it are."""
    if isinstance(value, dict):
        return {key: _found(item) for key, item in value.items()}
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return _found(value[0])
    return {bool: "bool", int: "int", float: "float", str: "str", list: "list"}[type(value)]


def test_returned_services_are_those_of_the_model():
    by_address = Entry(_FULL_SERVICE, {RIP: _FULL_SERVER}).to_options()
    by_mark = Entry(Service(MARK), {}).to_options()
    found = {**_found(by_mark), **_found(by_address)}
    assert _sampled(returned("ipvs_info")["services"]["contains"]) == found


def test_returned_stats_are_those_of_the_model():
    by_address, by_mark = (_found(_run_info._stats(key, _STATUS)) for key in (SIP, MARK))
    found = {**by_address, "service": {**by_address["service"], **by_mark["service"]}}
    assert _sampled(returned("ipvs_info")["stats"]["contains"]) == found


def test_returned_counters_are_those_of_the_model():
    contents = returned("ipvs_info")["stats"]["contains"]
    assert list(contents["counters"]["contains"]) == [field.name for field in fields(Counters)]
    assert set(CONNECTION_KINDS) < set(contents["servers"]["contains"])


@pytest.mark.parametrize("module", CHANGING)
def test_returned_drains_are_those_of_the_program(module):
    found = _found(_run_table._drain(_DRAINED))
    assert _sampled(returned(module)["drains"]["contains"]) == {**found, "service": "dict"}


@pytest.mark.parametrize("module", CHANGING)
def test_returned_keys_are_those_of_the_program(module):
    assert {*returned(module), "changed"} - READING_STATES == set(_run_table._result(Outcome({}, {})))


def test_states_that_read_return_keys_of_their_names():
    states = documentation("ipvs_table")["options"]["state"]["choices"]
    assert READING_STATES == set(states) & set(returned("ipvs_table")) == set(states) - set(SCOPES)


@pytest.mark.parametrize("module", SETTINGS)
def test_returned_keys_of_settings_are_those_of_the_program(module):
    assert {*returned(module), "changed"} == set(_run_settings._result(_apply_settings.Outcome({}, {})))


SHOWN = {
    "ipvs_counters": _apply_settings._shown(Counters()),
    "ipvs_sync_daemon": DAEMON.to_options(),
    "ipvs_timeouts": Timeouts(1, 2, 3).to_options(),
}


@pytest.mark.parametrize("module", SETTINGS)
@pytest.mark.parametrize("key", ["before", "after"])
def test_returned_settings_are_those_of_the_model(module, key):
    assert _sampled(returned(module)[key]["contains"]) == _found(SHOWN[module])


def test_gathered_settings_are_those_that_their_modules_return():
    gathered = returned("ipvs_info")
    assert _sampled(gathered["daemons"]["contains"]) == _sampled(returned("ipvs_sync_daemon")["after"]["contains"])
    assert _sampled(gathered["timeouts"]["contains"]) == _sampled(returned("ipvs_timeouts")["after"]["contains"])


def test_returned_connections_are_those_of_the_program():
    text = (
        "Pro FromIP\nIP  C0A80001 0000 00000007 0000 AC100001 0000 ASSURED          59"
        "\nUDP C0A80064 0000 C0A80001 13C4 AC100001 13C4 NONE             59 sip a84b4c76e66710@pc33.example.org\n"
    )
    found = {}
    for entry in _connections.parse_connections(text):
        found.update(_found(entry.to_options()))
    assert _sampled(returned("ipvs_info")["connections"]["contains"]) == found


def test_returned_owners_are_those_of_the_program():
    by_address, by_mark = (
        _found(Owner("ipvsadm", Claim(key, Place("/a", 1)), True, True).to_options()) for key in (SIP, MARK)
    )
    found = {**by_address, "service": {**by_address["service"], **by_mark["service"]}}
    assert _sampled(returned("ipvs_owner_info")["owners"]["contains"]) == found
    setting = Owner("keepalived", Setting("lvs_flush", "", Place("/a", 1)), True, True)
    assert _sampled(returned("ipvs_owner_info")["settings"]["contains"]) == _found(setting.to_options())


def test_what_can_be_gathered_is_what_is_returned():
    assert list(returned("ipvs_info")) == list(_run_info.GATHER)


SAMPLES = [(module, key) for module in CHANGING for key in ("before", "after")]
SAMPLES += [("ipvs_table", "gathered"), ("ipvs_table", "parsed")]


@pytest.mark.parametrize(("module", "key"), SAMPLES)
def test_samples_of_tables_can_be_declared(module, key):
    problems = []
    for options in returned(module)[key]["sample"]:
        reader = Reader(options, "", problems)
        reader.refuse_unknown((*SERVICE_IDENTITY, *SERVICE_ATTRIBUTES, "servers"))
        read_service(reader)
        for server in options["servers"]:
            read_server(Reader(server, "servers.", problems))
    assert problems == []


def _described_sysctls():
    """The sentence about each sysctl, by name, as the option's description has them."""
    texts = documentation("ipvs_sysctls")["options"]["values"]["description"]
    found = (re.match(r"V\((\w+)\), ", text) for text in texts)
    return {match[1]: match.string for match in found if match}


def test_every_sysctl_is_described_in_order():
    assert list(_described_sysctls()) == list(SYSCTLS) == sorted(SYSCTLS)


@pytest.mark.parametrize("name", SYSCTLS)
def test_description_of_a_sysctl_names_what_it_takes_its_default_and_since_when_it_is_there(name):
    sysctl, text = SYSCTLS[name], _described_sysctls()[name]
    if isinstance(sysctl.kind, Range):
        limits = (sysctl.kind.low, sysctl.kind.high)
        assert all(f"V({limit})" in text for limit in limits)
    assert ("boolean, default" in text) == isinstance(sysctl.kind, Boolean)
    if sysctl.default is not None:
        assert f"default V({sysctl.default})" in text or f"V({sysctl.default}), which is the default too" in text
    assert ("since Linux" in text) == bool(sysctl.since)
    assert not sysctl.since or f"since Linux {sysctl.since}." in text
    for word in re.findall(r"CONFIG_\w+|ip_vs_\w+", sysctl.needs):
        assert word in text


def test_returned_keys_of_sysctls_are_those_of_the_program():
    outcome = _run_sysctls.Outcome({}, {})
    assert {*returned("ipvs_sysctls"), "changed"} == set(_run_sysctls._result(outcome, None))


@pytest.mark.parametrize("key", ["before", "after"])
def test_samples_of_sysctls_can_be_asked_for(key):
    problems = []
    sample = returned("ipvs_sysctls")[key]["sample"]
    wishes = read_wishes(Reader({"values": sample}, "", problems), frozenset({0}))
    assert problems == []
    assert {wish.name: wish.value for wish in wishes} == sample
