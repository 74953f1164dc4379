# Copyright (c) 2026, the linux.lvs contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a director needs for what was declared, and what it finds at boot: kernel modules, addresses, forwarding, rules files.

Private to linux.lvs: may change in any release.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Iterable, Iterator, Mapping, Sequence

from ._address import FAMILIES, IPV4, IPV6, family_of, is_host, parse_address
from ._director_sysctls import asked_sysctls
from ._errors import InvalidInput
from ._ipvsadm import daemon_command, render, timeouts_command
from ._model import MAX_MARK, PROTOCOLS, ROLES, TIMEOUTS, ServiceKey, SyncDaemon, Table, Timeouts, sorted_keys
from ._options import Reader, as_list, parse_boolean, parse_integer, read_service_key
from ._settings import START, DaemonStep, merge_daemon, parse_interface, read_daemon, read_timeouts
from ._sysctls import SYSCTLS, read_wishes
from ._table import (
    EntrySpec,
    Exclusion,
    declared,
    dictionaries,
    is_excluded,
    read_entries,
    read_exclude,
    refuse_excluded,
)

OPTIONS = (
    *("services", "vips", "interface", "marks", "masquerade", "forwarding", "sysctls", "timeouts", "sync_daemons"),
    *("modules", "allow_empty", "exclude"),
)
FTP = 21
_VIP_OPTIONS = ("address", "interface")
_MARK_OPTIONS = ("mark", "protocol", "addresses", "ports")
_HOST_LENGTH = {IPV4: 32, IPV6: 128}
_CONFLICTS = {  # what another program sets: with which of our needs, and why
    "lvs_flush": ("services", "would remove the services of this role whenever it starts; take it out there"),
    "lvs_flush_on_stop": (
        "services",
        "would remove the services of this role whenever it stops; say lvs_flush_on_stop VS there, or take it out",
    ),
    "lvs_sync_daemon": (
        "sync_daemons_managed",
        "starts and stops sync daemons; they have one owner: take it out there, or leave director_sync_daemons out here",
    ),
    "lvs_timeouts": (
        "timeouts",
        "sets timeouts whenever it starts and stops; they have one owner: take it out there, or leave director_timeouts out here",
    ),
}


@dataclass
class Needs:
    """What follows from the variables of a director. Text is for files, lists are for Ansible."""

    table: str = ""
    timeouts: str = ""
    timeouts_given: dict[str, int] = field(default_factory=dict)  # the same as options
    sync_daemons: str = ""
    daemons: list[dict[str, Any]] = field(default_factory=list)  # the same as options, each of them given
    sync_daemons_managed: bool = False  # declared, if only that there are none
    sync_interfaces: dict[str, str] = field(default_factory=dict)  # by the option that names it
    services: list[dict[str, Any]] = field(default_factory=list)  # which there are
    # those, by their numbers as declared, that may be there before the rules of nftables are
    early: list[dict[str, Any]] = field(default_factory=list)
    vips: list[dict[str, Any]] = field(
        default_factory=list
    )  # address, length, family, interface (None: the derived one)
    vips_derived: bool = False
    addresses: list[str] = field(default_factory=list)  # for which there are services, by address or by mark
    marks: list[dict[str, Any]] = field(default_factory=list)  # mark, protocol, family, addresses, ports
    masquerade: list[dict[str, Any]] = field(default_factory=list)  # address, family
    forwarding: list[str] = field(default_factory=list)  # families
    forwarding_derived: bool = False
    exact: list[str] = field(default_factory=list)  # services that have no servers but the declared ones
    modules: list[str] = field(default_factory=list)
    sysctls: dict[str, str] = field(default_factory=dict)
    asked: dict[str, str | None] = field(default_factory=dict)  # sysctls that matter here, see _director_sysctls

    def to_options(self) -> dict[str, Any]:
        """As a filter returns it."""
        return dict(vars(self))


def director_needs(variables: Mapping[str, Any], prefix: str = "director_") -> Needs:
    """What variables without their prefix lead to. Raises InvalidInput with every wrong one, by its whole name."""
    problems: list[str] = []
    options = Reader(variables, prefix, problems)
    options.refuse_unknown(OPTIONS)
    table, entries = _table(variables.get("services"), options)
    keys = [entry.service.key for entry in entries]
    needs = Needs(table=render(table), services=[key.to_options() for key in sorted_keys(table)])
    needs.exact = [_kernel_name(entry.service.key) for entry in entries if entry.servers is not None]
    needs.sysctls = _sysctls(options)
    daemons = _sync_daemons(options, needs.sysctls)
    needs.sync_daemons = _daemon_lines(daemons.values())
    # options that are left out keep what a running daemon has, which is not what the next boot brings
    needs.daemons = [{**daemon.to_options(), "sync_maxlen": daemon.sync_maxlen or 0} for daemon in daemons.values()]
    needs.sync_interfaces = {f"{where}.interface": daemon.interface for where, daemon in daemons.items()}
    needs.sync_daemons_managed = options.given("sync_daemons")
    timeouts = _timeouts(options)
    needs.timeouts_given = timeouts.to_options()
    needs.timeouts = f"{timeouts_command(timeouts).partition(' ')[2]}\n" if needs.timeouts_given else ""
    needs.marks = _marks(options)
    needs.masquerade = [
        {"address": address, "family": family_of(address)} for address in _addresses(options, "masquerade")
    ]
    masqueraded = {each["address"] for each in needs.masquerade}
    needs.early = [
        {"service": key.to_options(), "number": number}
        for number, key in enumerate(keys)
        if key.address not in masqueraded
    ]
    if needs.masquerade:
        if needs.sysctls.get("conntrack", "1") != "1":
            options.problem("sysctls.conntrack", f"masquerading needs it on; leave it out, or {prefix}masquerade")
        needs.sysctls["conntrack"] = "1"
    needs.vips, needs.vips_derived = _vips(options, table, needs.marks), not options.given("vips")
    needs.forwarding, needs.forwarding_derived = _forwarding(options, table), not options.given("forwarding")
    needs.asked = asked_sysctls(needs.forwarding, needs.sysctls)
    needs.modules = _modules(options, table)
    needs.addresses = _addresses_served(table, needs.marks)
    if problems:
        raise InvalidInput(problems)
    return needs


def director_refusals(facts: Mapping[str, Any]) -> list[str]:
    """Why a director must not be set up so on this host, in sentences: what only the host and the other hosts can tell.

    ``facts``: ``needs`` of this director, what the role ``looked`` at, ``owners`` of services beside it and their
    ``settings`` for all, ``exclude`` and ``table_state`` as declared, ``others`` (host -> its needs) of the same play,
    ``real_server_vips`` as declared for this host.
    """
    needs, looked = facts["needs"], facts["looked"]
    problems: list[str] = []
    exclusions = read_exclude(Reader({"exclude": facts["exclude"] or []}, "director_", problems))
    return [
        *_without_interface(needs["vips"], looked),
        *_wrong_interfaces(needs, looked),
        *_unserved(needs, looked),
        *looked["taken"],
        *looked["overriding"],
        *problems,
        *_owned(needs, looked, facts["owners"], exclusions, facts["table_state"] == "overridden"),
        *_set_by_others(needs, facts["settings"]),
        *_claimed_twice(needs, facts["others"]),
        *_left_without_address(needs, looked["record"].get("services", []), exclusions),
        *loops(
            needs["addresses"],
            [*_valid(facts["real_server_vips"]), *looked["beside"].get("addresses", [])],
            needs["sysctls"].get("backup_only") == "1",
        ),
    ]


def _interface(vip: Mapping[str, Any], looked: Mapping[str, Any]) -> str | None:
    """Where it is to be; one that was derived does not follow a default route that moves for a while."""
    derived: str | None = looked["held"].get(vip["address"]) or looked["default"].get(vip["family"])
    return vip["interface"] or derived


def _without_interface(vips: Sequence[Mapping[str, Any]], looked: Mapping[str, Any]) -> list[str]:
    missing = sorted({vip["family"] for vip in vips if not _interface(vip, looked)})
    return [
        f"director_interface: is required for the {family} addresses {', '.join(sorted(_of(vips, family)))}: this host has no "
        f"default route of that family whose interface could be taken"
        for family in missing
    ]


def _wrong_interfaces(needs: Mapping[str, Any], looked: Mapping[str, Any]) -> Iterator[str]:
    links = looked["links"]
    there = {link["ifname"]: link["flags"] for link in links}
    others = f"it has {', '.join(sorted(there))}"
    wanted: dict[str, list[str]] = {}
    for vip in _coming(needs, looked):
        if vip["interface"]:
            wanted.setdefault(vip["interface"], []).append(vip["address"])
    for device, addresses in sorted(wanted.items()):
        if device not in there:
            yield f"director_vips: {', '.join(addresses)}: this host has no interface {device}; {others}"
        elif "UP" not in there[device]:
            yield f"director_vips: {', '.join(addresses)}: {device} is down; bring it up first (ip link set {device} up)"
    # the kernel takes other names of theirs too
    flags = {name: link["flags"] for link in links for name in (link["ifname"], *link.get("altnames", ()))}
    for path, device in needs["sync_interfaces"].items():
        if device not in flags:
            yield f"{path}: this host has no interface {device}; {others}"
        elif "UP" not in flags[device]:
            yield f"{path}: {device} is down; the kernel starts no sync daemon on it"


def _coming(needs: Mapping[str, Any], looked: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Virtual addresses that are not up yet where they are to be."""
    for vip in needs["vips"]:
        if f"{vip['address']}/{vip['length']}" not in looked["addresses"].get(_interface(vip, looked), ()):
            yield vip


def _unserved(needs: Mapping[str, Any], looked: Mapping[str, Any]) -> Iterator[str]:
    """An address comes up once there is a service for it; one by mark may be for any."""
    coming = {vip["address"] for vip in _coming(needs, looked)}
    found = sorted(coming & {*looked["unserved"]} - {*needs["addresses"]})
    if found and not any("fwmark" in service for service in needs["services"]):
        where = "director_marks" if needs["vips_derived"] else "director_vips"
        yield f"{where}: {', '.join(found)}: no service is for that, so it would stay down; declare one, or take it out"


def _of(vips: Sequence[Mapping[str, Any]], family: str) -> list[str]:
    return [vip["address"] for vip in vips if vip["family"] == family]


def _owned(
    needs: Mapping[str, Any],
    looked: Mapping[str, Any],
    owners: Sequence[Mapping[str, Any]],
    exclusions: Sequence[Exclusion],
    whole: bool,
) -> Iterator[str]:
    recorded = looked["record"].get("services", [])
    for owner in owners:
        if not (owner["enabled"] or owner["running"]):
            continue
        key = _key(owner["service"])
        where, ours = f"{owner['path']}:{owner['line']}: {owner['program']}", owner["service"] in needs["services"]
        if owner["program"] == "ipvsadm":
            if not ours and _kernel_name(key) in looked["loaded"]:
                yield (
                    f"{where} loads {key} when the host starts, which it will no longer do: this role takes its place. Declare "
                    "the service in director_services, or take it out there"
                )
        elif ours:
            yield f"{where} declares {key} too; a service has one owner: take it out there, or here"
        elif key is None or is_excluded(key, exclusions):
            continue
        elif owner["service"] in recorded:
            yield (
                f"{where} declares {key} now, which an earlier run of this role declared, so that this one would remove it; "
                "list it in director_exclude"
            )
        elif whole:
            yield (
                f"{where} declares {key}, which director_table_state overridden would remove; list it in director_exclude, or "
                "say replaced"
            )


def _kernel_name(key: ServiceKey | None) -> str:
    """As /proc/net/ip_vs tells services apart, which has no family of a mark."""
    return f"fwmark {key.fwmark}" if key and key.fwmark else str(key)


def staying_nat(facts: Mapping[str, Any]) -> list[str]:
    """The families of servers by NAT that the kernel has and a run would leave there, whoever added them.

    ``facts``: ``needs`` of the director, what the role ``looked`` at, ``exclude`` and ``table_state`` as declared.
    """
    needs, looked = facts["needs"], facts["looked"]
    exclusions = read_exclude(Reader({"exclude": facts["exclude"] or []}, "", []))
    names = [(_kernel_name(key), key) for key in map(_key, looked["record"].get("services", []))]
    going = {name for name, key in names if key is not None and not is_excluded(key, exclusions)}
    exact = set() if facts["table_state"] == "merged" else {*needs["exact"]}
    if facts["table_state"] == "overridden":
        going |= {name for name in looked["loaded"] if not any(is_excluded(key, exclusions) for key in _named(name))}
    going -= {_kernel_name(_key(service)) for service in needs["services"]}
    left = {family for name, families in looked["loaded"].items() if name not in going | exact for family in families}
    return [family for family in FAMILIES if family in left]


def _named(name: str) -> Iterator[ServiceKey]:
    """The services that may have a name of _kernel_name."""
    kind, _space, rest = name.partition(" ")
    address, _colon, port = rest.rpartition(":")
    marks = [{"fwmark": rest, "family": family} for family in FAMILIES]
    for service in marks if kind == "fwmark" else [{"protocol": kind, "address": address.strip("[]"), "port": port}]:
        key = _key(service)
        if key is not None:
            yield key


def _key(service: Mapping[str, Any]) -> ServiceKey | None:
    return read_service_key(Reader(service, "", []), odd=True)


def _set_by_others(needs: Mapping[str, Any], settings: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for each in settings:
        need, sentence = _CONFLICTS.get(each["name"], ("", ""))
        if need and needs[need] and (each["enabled"] or each["running"]):
            yield f"{each['path']}:{each['line']}: {each['name']}: {each['program']} {sentence}"


def _claimed_twice(needs: Mapping[str, Any], others: Mapping[str, Any]) -> list[str]:
    if not needs["vips_derived"]:
        return []
    own = {vip["address"] for vip in needs["vips"]}
    return [
        f"director_vips: {', '.join(shared)} would be on {host} as well; say who has which, or [] where VRRP moves them"
        for host, theirs in sorted(others.items())
        if theirs["vips_derived"]
        for shared in [sorted(own & {vip["address"] for vip in theirs["vips"]})]
        if shared
    ]


def _left_without_address(
    needs: Mapping[str, Any], recorded: Sequence[Mapping[str, Any]], exclusions: Sequence[Exclusion]
) -> Iterator[str]:
    """A service of an earlier run that is to be left alone from now on would stay, but its address would go."""
    if not needs["vips_derived"]:
        return
    kept = {vip["address"] for vip in needs["vips"]}
    for service in recorded:
        key = _key(service)
        if service in needs["services"] or key is None or key.address in {None, *kept}:
            continue
        if is_excluded(key, exclusions):
            yield (
                f"director_exclude: {key} was declared by an earlier run, which brought {key.address} up; this run would take "
                f"that away, and its connections with it. Say director_vips: with it if it stays here, without it (perhaps []) "
                f"if somebody else keeps it now; and director_forwarding, if that service needs it"
            )


def _table(services: Any, options: Reader) -> tuple[Table, list[EntrySpec]]:
    """And what was listed, as it was."""
    if services is None:
        options.problem("services", "is required: the services that this director has, as ipvs_table takes them")
        return {}, []
    entries = read_entries(services, options.path("services"), options.problems)
    refuse_excluded(entries, read_exclude(options), options.problems)
    table: Table = {}
    try:
        table = declared(entries)
    except InvalidInput as error:
        options.problems.extend(error.problems)
    if not entries and not options.problems and not options.read("allow_empty", parse_boolean):
        options.problem("services", f"is empty; if no service at all is meant, say {options.path('allow_empty')}: true")
    return table, entries


def _sysctls(options: Reader) -> dict[str, str]:
    if not options.given("sysctls") or options.value("sysctls") == {}:
        return {}
    inner: list[str] = []
    wishes = read_wishes(Reader({"values": options.value("sysctls")}, "", inner), cpus=None)
    options.problems.extend(options.path(problem.replace("values", "sysctls", 1)) for problem in inner)
    for wish in wishes:
        if wish.name not in SYSCTLS:
            known = ", ".join(sorted(SYSCTLS))
            options.problem(f"sysctls.{wish.name}", f"is no sysctl of IPVS that is known here; there are {known}")
    return {wish.name: str(wish.value) for wish in wishes}


def _sync_daemons(options: Reader, sysctls: Mapping[str, str]) -> dict[str, SyncDaemon]:
    """By the option that describes each."""
    if not options.given("sync_daemons"):
        return {}
    daemons: dict[str, SyncDaemon] = {}
    roles: dict[str, str] = {}
    for where, daemon in dictionaries(options.value("sync_daemons"), options.path("sync_daemons"), options.problems):
        reader = Reader(daemon, f"{where}.", options.problems)
        spec = read_daemon(reader, present=True)
        if spec is None:
            continue
        if spec.role in roles:
            options.problems.append(
                f"{where}: the {spec.role} is there already, in {roles[spec.role]}; a host has one of each role"
            )
        roles.setdefault(spec.role, where)
        try:
            daemons[where] = merge_daemon(spec, None)
        except InvalidInput as error:
            options.problems.extend(f"{where}.{problem}" for problem in error.problems)
    if set(roles) == set(ROLES) and sysctls.get("backup_only") == "1":
        options.problem(
            "sysctls.backup_only",
            "with both daemons on one host the active director would stop scheduling; leave one out",
        )
    return daemons


def _daemon_lines(daemons: Iterable[SyncDaemon]) -> str:
    lines = sorted(daemon_command(DaemonStep(START, daemon)) for daemon in daemons)
    return "".join(f"{line.partition(' ')[2]}\n" for line in lines)


def _timeouts(options: Reader) -> Timeouts:
    reader = options.sub("timeouts") if options.given("timeouts") and options.value("timeouts") != {} else None
    if reader is None:
        return Timeouts()
    reader.refuse_unknown(TIMEOUTS)
    return read_timeouts(reader)


def _marks(options: Reader) -> list[dict[str, Any]]:
    """One entry for each family of addresses of a rule, in order."""
    found = []
    for where, rule in dictionaries(options.value("marks") or [], options.path("marks"), options.problems):
        reader = Reader(rule, f"{where}.", options.problems)
        reader.refuse_unknown(_MARK_OPTIONS)
        for name in ("mark", "addresses", "ports"):
            if not reader.given(name):
                reader.problem(name, "is required")
        mark = reader.integer("mark", 1, MAX_MARK)
        protocol = reader.choice("protocol", PROTOCOLS) or "tcp"
        ports = reader.read("ports", _ports) or []
        addresses = _addresses(reader, "addresses")
        for family in FAMILIES:
            members = [address for address in addresses if family_of(address) == family]
            if members:
                found.append(
                    {"mark": mark, "protocol": protocol, "family": family, "addresses": members, "ports": ports}
                )
    return found


def _ports(value: Any) -> list[str]:
    """Numbers, or ranges such as 30000-30100, in nftables' words."""
    ports = []
    for item in as_list(value if isinstance(value, (list, tuple, str)) else [value]):
        first, dash, last = str(item).partition("-")
        low = parse_integer(first, 1, 65535)
        high = parse_integer(last, low, 65535) if dash else low
        ports.append(f"{low}-{high}" if high > low else str(low))
    if not ports:
        raise ValueError("is empty; give at least one")
    return ports


def _addresses(options: Reader, name: str) -> list[str]:
    found: list[str] = []
    for number, address in enumerate(options.read(name, as_list) or []):
        try:
            found.append(_virtual(address))
        except ValueError as error:
            options.problem(f"{name}[{number}]", str(error))
    return list(dict.fromkeys(found))


def _virtual(value: Any) -> str:
    address = parse_address(value)
    if not is_host(address):
        raise ValueError(f"{value!r} is not the address of a host")
    return address


def _vips(options: Reader, table: Table, marks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    interface = options.read("interface", parse_interface)
    vips: dict[str, str | None] = {}
    if not options.given("vips"):
        for key in sorted_keys(table):
            if key.address:
                vips[key.address] = interface
        for mark in marks:
            vips.update(dict.fromkeys(mark["addresses"], interface))
    else:
        for where, vip in dictionaries(options.value("vips"), options.path("vips"), options.problems):
            reader = Reader(vip, f"{where}.", options.problems)
            reader.refuse_unknown(_VIP_OPTIONS)
            if not reader.given("address"):
                reader.problem("address", "is required")
            address = reader.read("address", _virtual)
            if address in vips:
                reader.problem("address", f"{address} is there twice")
            if address:
                vips[address] = reader.read("interface", parse_interface) or interface
    return [
        {
            "address": address,
            "length": _HOST_LENGTH[family_of(address)],
            "family": family_of(address),
            "interface": device,
        }
        for address, device in vips.items()
    ]


def _forwarding(options: Reader, table: Table) -> list[str]:
    """The families in which packets are forwarded: NAT goes through the director both ways."""
    if options.given("forwarding"):
        given = options.value("forwarding")
        try:
            return list(FAMILIES) if parse_boolean(given) else []
        except ValueError as error:
            options.problem("forwarding", str(error))
            return []
    found = {
        family_of(server.address)
        for entry in table.values()
        for server, held in entry.servers.items()
        if held.forwarding == "nat"
    }
    return [family for family in FAMILIES if family in found]


def _modules(options: Reader, table: Table) -> list[str]:
    if options.given("modules"):
        return [str(name) for name in options.read("modules", as_list) or []]
    names = ["ip_vs"]
    for key in sorted_keys(table):
        service = table[key].service
        names += [f"ip_vs_{service.scheduler}"] if service.scheduler != "none" else []
        names += [f"ip_vs_pe_{service.persistence_engine}"] if service.persistence_engine else []
        if key.port == FTP and any(server.forwarding == "nat" for server in table[key].servers.values()):
            names.append("ip_vs_ftp")
    return list(dict.fromkeys(names))


def _addresses_served(table: Table, marks: Sequence[Mapping[str, Any]]) -> list[str]:
    """Those whose packets are scheduled here, by address or by mark."""
    addresses = [key.address for key in sorted_keys(table) if key.address]
    for mark in marks:
        if ServiceKey(family=mark["family"], fwmark=mark["mark"]) in table:
            addresses += mark["addresses"]
    return list(dict.fromkeys(addresses))


def _valid(addresses: Any) -> Iterator[str]:
    """Of another role's variable, which says itself what is wrong with it."""
    try:
        given = as_list(addresses)
    except ValueError:
        return
    for address in given:
        try:
            yield parse_address(address)
        except ValueError:
            continue


def loops(directed: Sequence[str], served: Iterable[str], backup_only: bool) -> list[str]:
    """Why a host must not be a director for some addresses and a real server for others: none, or one sentence.

    A director that is a real server of its own services schedules what another director sends it once more.
    """
    both = ", ".join(sorted(set(directed) & set(served)))
    if backup_only or not both:
        return []
    return [
        f"real_server_vips: this host is a real server for {both} and a director too; while another director is the active "
        f"one, it would schedule once more what that one sends it, and packets could go in circles. Give the role director "
        f"director_sysctls: {{backup_only: 1}} before the host is both, and the host a backup sync daemon, or leave out one of "
        f"the two. What an earlier play made it counts until the role that did is played without that address"
    ]
