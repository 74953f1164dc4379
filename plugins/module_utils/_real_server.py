# Copyright (c) 2026, the linux.lvs contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a real server gets what directors send it, and answers: lines for the role's program ``keep``.

Private to linux.lvs: may change in any release.

The recipes are those that carry packets whatever rp_filter and arp_ignore a distribution sets: the VIP with its whole prefix
on a device of its own, ARP suppressed before it is there; for tunnels the VIP on the tunnel's device, whose rp_filter is loose.
"""

from __future__ import annotations

import ipaddress
from typing import Any, Iterator, Mapping, Sequence

from ._address import FAMILIES, IPV4, IPV6, family_of, is_host, parse_address
from ._director import loops
from ._errors import InvalidInput
from ._model import FORWARDINGS, TUNNEL_TYPES
from ._options import Reader, as_list
from ._settings import parse_interface
from ._sysctls import SYSCTLS

OPTIONS = ("forwarding", "vips", "interfaces", "tunnel_type", "tunnel_port", "directors", "gateway")
TABLE = 4320  # of routes, and the preference of rules from one less on
DEVICE = "lvs"  # and a number
_LENGTH = {IPV4: 32, IPV6: 128}
_VERSION = {IPV4: 4, IPV6: 6}  # of IP, as ip takes it
_OUTER_HEADER = {IPV4: 20, IPV6: 40}
_TUNNEL_HEADER = {"ipip": 0, "gre": 4, "gue": 12}  # GRE without options; UDP and GUE with checksum offload's four bytes
_BACKUP_ONLY = "net/ipv4/vs/backup_only"
_ARP_SYSCTLS = {"arp_ignore": "1", "arp_announce": "2"}
_REDIRECTS = "net/ipv4/conf/{}/accept_redirects"
ETHERNET = "ether"
_TUNNELS_LIKE_ETHERNET = ("gretap", "ip6gretap", "erspan", "ip6erspan")
_FOR_GUESTS = ("veth", "tun", "macvtap")


def real_server_needs(variables: Mapping[str, Any], prefix: str = "real_server_") -> dict[str, Any]:
    """What variables without their prefix mean, in normal form. Raises InvalidInput with every wrong one."""
    problems: list[str] = []
    options = Reader(variables, prefix, problems)
    options.refuse_unknown(OPTIONS)
    forwarding = options.choice("forwarding", FORWARDINGS) or "direct"
    tunnel = forwarding == "tunnel"
    needs: dict[str, Any] = {
        "forwarding": forwarding,
        "vips": _addresses(options, "vips"),
        "interfaces": list(options.read("interfaces", _interfaces) or []),
        "tunnel_type": options.choice("tunnel_type", TUNNEL_TYPES) or "ipip",
        "tunnel_port": options.integer("tunnel_port", 1, 65535) or 6080,
        "directors": _addresses(options, "directors"),
        "gateway": _addresses(options, "gateway"),
    }
    if forwarding == "nat":
        if needs["vips"]:
            options.problem(
                "vips",
                "a server behind NAT has none: the director writes its own address into the packets; leave it out",
            )
        families = [family_of(address) for address in needs["gateway"]]
        if not families:
            options.problem(
                "gateway",
                "is required with nat: the director's address on this server's side, through which answers go",
            )
        if len(set(families)) < len(families):
            options.problem("gateway", "at most one address of each family")
    else:
        if needs["gateway"]:
            options.problem("gateway", f"goes with nat only; with {forwarding} this server answers clients itself")
        if not options.value("vips"):  # on a host that had some they would go, and clients with them
            options.problem("vips", f"is required with {forwarding}: the addresses that clients ask for")
    if needs["directors"] and not tunnel:
        options.problem("directors", f"goes with tunnel only, not with {forwarding}")
    if problems:
        raise InvalidInput(problems)
    return {**needs, "modules": _modules(needs), "sysctls": _asked_sysctls(needs)}


def real_server_lines(needs: Mapping[str, Any], looked: Mapping[str, Any]) -> dict[str, Any]:
    """The ``lines`` that make a host so, the ``devices`` among them, sysctls as they were ``found`` before the first run, and of
    these those that become that again (``back``). Raises InvalidInput when the host can't be made so.

    ``looked``: links and addresses as ip shows them, ``ways`` to the gateways, sysctls as they are, what this role recorded and
    what the role director did, ``beside``, and, if it is declared for that role, the sysctl ``backup_only``.
    """
    problems: list[str] = [
        *looked["overriding"],
        *loops(looked["beside"].get("addresses", []), needs["vips"], _backup_only(looked)),
    ]
    lines: list[str] = []
    if needs["forwarding"] == "nat":
        lines += _nat(needs["gateway"], looked, problems)
    else:
        lines += _suppressed_arp(needs["interfaces"], looked, problems)
        lines += _tunnels(needs) if needs["forwarding"] == "tunnel" else _direct(needs["vips"])
    if problems:
        raise InvalidInput(problems)
    wanted = dict(line.split()[1:] for line in lines if line.startswith("sysctl "))
    found = _found(wanted, looked, derived=not needs["interfaces"])
    names = {"all", "default", *(link["ifname"] for link in looked["links"])}
    return {
        "lines": lines,
        "devices": [line.split()[2] for line in lines if line.startswith("link add ")],
        "found": found,
        # an interface that is not there just now gets what it needs from default, when it comes
        "back": {name: value for name, value in found.items() if name not in wanted and name.split("/")[3] in names},
    }


def _found(wanted: Mapping[str, str], looked: Mapping[str, Any], derived: bool) -> dict[str, str]:
    """With interfaces that are derived, one that comes after the first run has what that gave to default, and would have had
    what was there before.
    """
    recorded: Mapping[str, str] = looked["record"].get("sysctls", {})
    found = {}
    for name, value in wanted.items():
        now = looked["sysctls"].get(name)
        general = "/".join(["default" if number == 3 else part for number, part in enumerate(name.split("/"))])
        if now is not None:
            found[name] = recorded[general] if derived and now == value and general in recorded else now
    return {**found, **recorded}


def _backup_only(looked: Mapping[str, Any]) -> bool:
    """Whether it is on: as declared, since the role director may be about to set it, otherwise as it is."""
    kind = SYSCTLS["backup_only"].kind
    if "backup_only" not in looked:
        return bool(kind.normal(looked["sysctls"].get(_BACKUP_ONLY) or "0"))
    try:
        return bool(kind.parse(looked["backup_only"], None))
    except ValueError:  # which that role refuses
        return False


def _addresses(options: Reader, name: str) -> list[str]:
    found: list[str] = []
    for number, value in enumerate(options.read(name, as_list) or []):
        try:
            address = parse_address(value)
            if not is_host(address):
                raise ValueError(f"{value!r} is not the address of a host")
            found.append(address)
        except ValueError as error:
            options.problem(f"{name}[{number}]", str(error))
    return list(dict.fromkeys(found))


def _interfaces(value: Any) -> Sequence[str]:
    return [parse_interface(name) for name in as_list(value)]


def _of(addresses: Sequence[str], family: str) -> list[str]:
    return [address for address in addresses if family_of(address) == family]


def _modules(needs: Mapping[str, Any]) -> list[str]:
    if needs["forwarding"] == "direct":
        return ["dummy"]
    if needs["forwarding"] != "tunnel":
        return []
    names = []
    for family, _director, inner in _senders(needs):
        kind = needs["tunnel_type"]
        if kind == "gre":
            names += ["ip_gre" if family == IPV4 else "ip6_gre"]
            continue
        names += ["ip6_tunnel"] if family == IPV6 else [{IPV4: "ipip", IPV6: "sit"}[name] for name in inner]
        names += [{IPV4: "fou", IPV6: "fou6"}[family]] if kind == "gue" else []
    return sorted(set(names))


def _asked_sysctls(needs: Mapping[str, Any]) -> dict[str, str | None]:
    """Patterns of the sysctls whose values matter, as they have to be."""
    asked: dict[str, str | None] = {f"net/ipv4/conf/*/{name}": None for name in _ARP_SYSCTLS}
    if needs["forwarding"] == "nat":
        return {**asked, _REDIRECTS.format("*"): None}
    for interface in needs["interfaces"] or ["default"]:
        asked.update({f"net/ipv4/conf/{interface}/{name}": value for name, value in _ARP_SYSCTLS.items()})
    if needs["forwarding"] == "tunnel" and not needs["directors"]:
        asked.update({f"net/ipv4/conf/{device}/rp_filter": None for device in _FALLBACK.values()})
    return {
        **asked,
        **dict.fromkeys(("net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding", _BACKUP_ONLY)),
    }


def _suppressed_arp(wanted: Sequence[str], looked: Mapping[str, Any], problems: list[str]) -> Iterator[str]:
    names = [link["ifname"] for link in looked["links"]]
    for number, name in enumerate(wanted):
        if name not in names:
            problems.append(f"real_server_interfaces[{number}]: {name} does not exist; there are {', '.join(names)}")
    interfaces = wanted or [
        link["ifname"]
        for link in looked["links"]
        if _answers_arp(link) and not _leads_to_a_guest(link, looked["addresses"].get(link["ifname"], ()))
    ]
    for interface in ["default", *interfaces]:
        for name, value in _ARP_SYSCTLS.items():
            yield f"sysctl net/ipv4/conf/{interface}/{name} {value}"


def _answers_arp(link: Mapping[str, Any]) -> bool:
    """Whether it may, now or later; modules for tunnels bring idle devices of their own that never do."""
    flags = link.get("flags", ())
    idle = "UP" not in flags and link.get("linkinfo", {}).get("info_kind") in _TUNNELS_LIKE_ETHERNET
    return link.get("link_type") == ETHERNET and "NOARP" not in flags and not idle


def _leads_to_a_guest(link: Mapping[str, Any], addresses: Sequence[str]) -> bool:
    """Whether it leads to a container or virtual machine, and comes and goes with it: no other machine asks there.

    A guest's own interface looks the same to the guest, but has an address.
    """
    return link.get("linkinfo", {}).get("info_kind") in _FOR_GUESTS and all(
        ipaddress.ip_interface(address).is_link_local for address in addresses
    )


def _direct(vips: Sequence[str]) -> Iterator[str]:
    yield f"link add {DEVICE}0 type dummy"
    yield _without_link_local(f"{DEVICE}0")
    yield f"link set {DEVICE}0 up"
    yield from _vips(vips, f"{DEVICE}0")


def _without_link_local(device: str) -> str:
    """IN6_ADDR_GEN_MODE_NONE. ``ip link set`` would say so too, and tell everybody who listens each time."""
    return f"sysctl net/ipv6/conf/{device}/addr_gen_mode 1"


def _vips(vips: Sequence[str], device: str) -> Iterator[str]:
    for vip in vips:
        family = family_of(vip)
        yield f"-{_VERSION[family]} address add {vip}/{_LENGTH[family]} dev {device}{' nodad' if family == IPV6 else ''}"


def _senders(needs: Mapping[str, Any]) -> Iterator[tuple[str, str | None, list[str]]]:
    """(family of the outer packets, director or anybody, families of the inner ones)"""
    inner = [family for family in FAMILIES if _of(needs["vips"], family)]
    if not needs["directors"]:
        yield from ((family, None, [family]) for family in inner)
        return
    for director in needs["directors"]:
        family = family_of(director)
        # the other family's packets come this way too when no director has an address of that family
        carried = [name for name in inner if name == family or not _of(needs["directors"], name)]
        if carried:
            yield family, director, carried


def _tunnels(needs: Mapping[str, Any]) -> Iterator[str]:
    kind = needs["tunnel_type"]
    number = 0
    ports = set()
    for family, director, inner in _senders(needs):
        if kind == "gue" and family not in ports:
            ports.add(family)
            yield f"fou add port {needs['tunnel_port']} gue{' -6' if family == IPV6 else ''}"
        for device_type, carried in _devices(kind, family, inner):
            if director is None:
                device = _FALLBACK[device_type.split()[0]]
            else:
                device = f"{DEVICE}{number}"
                number += 1
                yield f"link add {device} type {device_type} remote {director}"
                yield _without_link_local(device)
            if IPV4 in carried:
                yield f"sysctl net/ipv4/conf/{device}/rp_filter 2"
            yield f"link set {device} up"
            yield from _vips([vip for vip in needs["vips"] if family_of(vip) in carried], device)
    for family in FAMILIES:
        overheads = [
            _OUTER_HEADER[outer] + _TUNNEL_HEADER[kind]
            for outer, _director, inner in _senders(needs)
            if family in inner
        ]
        for vip in _of(needs["vips"], family) if overheads else []:
            yield f"-{_VERSION[family]} rule add from {vip} lookup {TABLE} priority {TABLE + 1}"
        if overheads:
            yield f"-{_VERSION[family]} rule add lookup main suppress_prefixlength 0 priority {TABLE}"
            yield f"defaults -{_VERSION[family]} {TABLE} {max(overheads)}"


_FALLBACK = {"ipip": "tunl0", "sit": "sit0", "ip6tnl": "ip6tnl0", "gre": "gre0", "ip6gre": "ip6gre0"}


def _devices(kind: str, outer: str, inner: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """Types of devices that take the packets, each with the families of what is in them."""
    if kind == "gre":
        yield ("gre" if outer == IPV4 else "ip6gre"), list(inner)
    elif outer == IPV6:
        yield "ip6tnl mode any", list(inner)
    else:
        yield from (({IPV4: "ipip", IPV6: "sit"}[family], [family]) for family in inner)


def _nat(gateways: Sequence[str], looked: Mapping[str, Any], problems: list[str]) -> Iterator[str]:
    """Answers go through the director, unless a route more special than the default one leads to the client."""
    for number, gateway in enumerate(gateways):
        where = f"real_server_gateway[{number}]"
        way = looked["ways"].get(gateway)
        if not way or not way["device"] or not way["neighbour"]:
            problems.append(f"{where}: {gateway} is on none of this host's networks, so packets can't be handed to it")
            continue
        if not way["answers"]:
            problems.append(
                f"{where}: {gateway} does not answer on {way['device']}; answers of this server would be lost"
            )
        family = family_of(gateway)
        flag = f"-{_VERSION[family]}"
        # where the router to clients is on the same network, the director tells this server to send to that, past itself
        # (ip_forward() does so before IPVS sees the packet)
        for name in ("all", way["device"]) if family == IPV4 else ():
            yield f"sysctl {_REDIRECTS.format(name)} 0"
        # whoever set this up comes the other way; he must not be cut off when the director does not forward
        yield f"{flag} rule add ipproto 6 sport {looked['ssh']} lookup main priority {TABLE - 1}"
        yield f"{flag} route add default via {gateway} dev {way['device']} table {TABLE}"
        yield f"{flag} rule add lookup main suppress_prefixlength 0 priority {TABLE}"
        answering = _answering(gateway, looked["addresses"].get(way["device"], ()))
        if not answering:
            problems.append(
                f"{where}: {way['device']}, which leads to {gateway}, has no address that directors could send to"
            )
        for own in answering:
            yield f"{flag} rule add from {own} lookup {TABLE} priority {TABLE + 1}"


def _answering(gateway: str, addresses: Sequence[str]) -> list[str]:
    """Own addresses on the gateway's network; where it is reached without one (a gateway that is link-local, a host route), all
    of its family.
    """
    family = [ipaddress.ip_interface(address) for address in _of(addresses, family_of(gateway))]
    # IPv6 has link-local addresses everywhere, of which no director knows
    beside = [
        each
        for each in family
        if ipaddress.ip_address(gateway) in each.network and not (each.version == 6 and each.is_link_local)
    ]
    return [str(each.ip) for each in beside or (each for each in family if not each.is_link_local)]
