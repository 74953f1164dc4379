# Copyright (c) 2026, the linux.lvs contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the statements of keepalived.conf(5) mean: which virtual services keepalived declares, and what concerns others' too.

Private to linux.lvs: may change in any release.

As keepalived 2.2 means them, seen on a kernel: without ``protocol`` a service is one of UDP, the family of a firewall
mark follows from the servers, and a service none of whose servers can be used is not declared at all. What concerns the
whole table is done by the process that checks servers, which without any ``virtual_server`` is not started.
"""

from __future__ import annotations

import re
from itertools import islice
from typing import Iterator, Mapping, NamedTuple, Sequence

from ._address import IPV4, IPV6, family_of, pack, parse_address, parse_network, unpack
from ._blocks import Statement
from ._model import MAX_MARK, PROTOCOLS, Claim, Declared, Place, ServiceKey, Setting
from ._options import parse_integer

MAX_ADDRESSES = 65536  # of a range, the last group of an IPv6 address; and no more services of a configuration
_FAMILIES = {"inet": IPV4, "inet6": IPV6}
_METHODS = ("lvs_method", "lb_kind")
_TUNNEL = "TUN"
_DEFAULT_PROTOCOL = "udp"  # what the kernel makes of none
_NO_NAME = re.compile(r"[0-9.]*|.*[:\[\]/].*")  # what can't be the name of a host
_FLUSH_ON_STOP = "lvs_flush_on_stop"
_SYNC_DAEMON = "lvs_sync_daemon"
_SETTINGS = {  # words by the block in which they count, with their names of today
    "global_defs": {
        **{name: name for name in ("lvs_flush", _FLUSH_ON_STOP, _SYNC_DAEMON, "lvs_timeouts")},
        "lvs_flush_onstop": _FLUSH_ON_STOP,
    },
    "vrrp_instance": {"lvs_sync_daemon_interface": _SYNC_DAEMON},
}
_SYNC_OPTIONS = ("id", "maxlen", "port", "ttl", "group")


class _Entry(NamedTuple):
    """A service as it is named: by address and port, or by a mark, whose family may be left to the servers."""

    place: Place
    address: str = ""
    port: int = 0
    mark: int = 0
    family: str | None = None


def declared_services(statements: Sequence[Statement], checks: bool = True) -> Declared:
    """The virtual services of a configuration, as far as they can be told; none when servers are not checked."""
    claims: list[Claim] = []
    warnings: list[str] = []
    groups = {_word(each, 1): each for each in statements if _word(each, 0) == "virtual_server_group"}
    virtual_servers = [each for each in statements if checks and _word(each, 0) == "virtual_server"]
    for statement in virtual_servers:
        try:
            entries = list(islice(_entries(statement, groups, warnings), MAX_ADDRESSES + 1))
            claims.extend(_claims(entries, statement.block or ()))
        except ValueError as error:
            warnings.append(_warning(statement, error))
        if len(claims) > MAX_ADDRESSES:
            warnings.append(
                _warning(statement, f"nothing is read from here on, there are more than {MAX_ADDRESSES} services")
            )
            break
    return Declared(claims, warnings, _namespace(statements), list(_settings(statements, bool(virtual_servers))))


def _word(statement: Statement, number: int) -> str:
    """A word of a statement, empty when it has less."""
    return statement.words[number] if len(statement.words) > number else ""


def _warning(statement: Statement, problem: object) -> str:
    return f"{statement.place}: {' '.join(statement.words)}: {problem}"


def _namespace(statements: Sequence[Statement]) -> str | None:
    """The network namespace whose table is meant; None when it is that which keepalived is started in."""
    names = {_word(each, 0): _word(each, 1) for each in statements}
    return names.get("net_namespace_ipvs", names.get("net_namespace", "")) or None


def _settings(statements: Sequence[Statement], checks: bool) -> Iterator[Setting]:
    """What concerns the whole table, as far as keepalived does it: without checks only a sync daemon that follows VRRP."""
    for block in statements:
        names = _SETTINGS.get(_word(block, 0), {})
        for each in block.block or ():
            name = names.get(_word(each, 0))
            if name == _FLUSH_ON_STOP and len(each.words) > 1:
                continue  # VS: only what it declares itself
            if name and (checks or (name == _SYNC_DAEMON and _follows_vrrp(each))):
                yield Setting(name, " ".join(each.words[1:]), each.place)


def _follows_vrrp(daemon: Statement) -> bool:
    """Whether a sync daemon belongs to a VRRP instance, whose name once stood behind the interface without ``inst``."""
    options = daemon.words[2:]
    return _word(daemon, 0) != _SYNC_DAEMON or "inst" in options or bool(options and options[0] not in _SYNC_OPTIONS)


def _entries(statement: Statement, groups: Mapping[str, Statement], warnings: list[str]) -> Iterator[_Entry]:
    """The services that a virtual_server names. Raises ValueError."""
    kind, name = _word(statement, 1), _word(statement, 2)
    if kind == "fwmark":
        yield _marked(statement.place, statement.words[1:])
    elif kind != "group":
        yield _Entry(statement.place, _address(kind), _port(name))
    elif name not in groups:
        raise ValueError("there is no virtual_server_group of this name")
    else:
        for line in groups[name].block or ():
            try:
                if _word(line, 0) == "fwmark":
                    yield _marked(line.place, line.words)
                    continue
                port = _port(_word(line, 1))
                yield from (_Entry(line.place, address, port) for address in _range(_word(line, 0)))
            except ValueError as error:
                warnings.append(_warning(line, error))


def _marked(place: Place, words: Sequence[str]) -> _Entry:
    mark = parse_integer(words[1] if len(words) > 1 else "", 1, MAX_MARK)
    return _Entry(place, mark=mark, family=_FAMILIES.get(words[2]) if len(words) > 2 else None)


def _port(text: str) -> int:
    return parse_integer(text, 1, 65535) if text else 0


def _address(text: str) -> str:
    if "[" in text:
        raise ValueError(f"{text!r} is not an address without brackets, as keepalived takes it")
    return parse_address(text)


def _range(text: str) -> Iterator[str]:
    """The addresses of ``192.0.2.1``, ``192.0.2.1-9``, ``192.0.2.1-192.0.2.9``, ``192.0.2.8/29`` and their like."""
    if "/" in text:
        family, network, mask = parse_network(text)
        first = int.from_bytes(network, "big")
        last = first + (1 << 8 * len(mask)) - 1 - int.from_bytes(mask, "big")
    else:
        begin, _dash, end = text.partition("-")
        low = pack(_address(begin))
        family, first = family_of(begin), int.from_bytes(low, "big")
        last = int.from_bytes(_end_of_range(low, end), "big") if end else first
    if not first <= last < first + MAX_ADDRESSES:
        raise ValueError(f"{text!r} is not a range of 1 to {MAX_ADDRESSES} addresses")
    size = 16 if family == IPV6 else 4
    return (unpack(family, number.to_bytes(size, "big")) for number in range(first, last + 1))


def _end_of_range(low: bytes, text: str) -> bytes:
    if any(sign in text for sign in ".:"):
        end = pack(_address(text))
        if len(end) != len(low):
            raise ValueError(f"{text!r} is of another family than the begin of the range")
        return end
    try:
        return low[:-1] + bytes([int(text)]) if len(low) == 4 else low[:-2] + int(text, 16).to_bytes(2, "big")
    except (ValueError, OverflowError):
        raise ValueError(f"{text!r} is not the end of a range") from None


def _claims(entries: Sequence[_Entry], block: Sequence[Statement]) -> Sequence[Claim]:
    """What a virtual_server declares. Raises ValueError when that is nothing."""
    families = {family_of(entry.address) for entry in entries if entry.address}
    family, usable = _servers(block, families.pop() if len(families) == 1 else None)
    if not usable:
        raise ValueError("no real server of it can be used, so that keepalived ignores it")
    protocol = _protocol(block)
    return [
        Claim(
            ServiceKey(entry.family or family, fwmark=entry.mark)
            if entry.mark
            else ServiceKey(family_of(entry.address), protocol, entry.address, entry.port),
            entry.place,
        )
        for entry in entries
    ]


def _protocol(block: Sequence[Statement]) -> str:
    named = [_word(each, 1).lower() for each in block if _word(each, 0) == "protocol"]
    known = [name for name in named if name in PROTOCOLS]
    return known[-1] if known else _DEFAULT_PROTOCOL


def _servers(block: Sequence[Statement], family: str | None) -> tuple[str, bool]:
    """The family that a service takes on from its servers, and whether it has one.

    Tunnelled servers may be of either family, and count when all are of the same only.
    """
    tunnel = False
    tunnelled: set[str | None] = set()
    sorry: tuple[str | None, bool] | None = None
    usable = False
    family = family or _stated_family(block)
    for each in block:
        word, value = _word(each, 0), _word(each, 1)
        if word in _METHODS:
            tunnel = value == _TUNNEL
        elif word == "sorry_server":
            sorry = (_family(value), tunnel)
        elif word == "sorry_server_lvs_method" and sorry:
            sorry = (sorry[0], value == _TUNNEL)
        elif word == "real_server" and _is_server(each):
            own = _family(value)
            if _forwards_by_tunnel(each, tunnel):
                tunnelled.add(own)
            elif own and family and own != family:
                continue
            else:
                family = family or own
            usable = True
    if sorry:
        family = family or (None if sorry[1] else sorry[0])
        tunnelled.add(sorry[0])
    common = tunnelled.pop() if len(tunnelled) == 1 else None
    return family or common or IPV4, usable


def _stated_family(block: Sequence[Statement]) -> str | None:
    values = {_word(each, 0): _word(each, 1) for each in block}
    mask = values.get("persistence_granularity")
    return _FAMILIES.get(values.get("ip_family", "")) or (mask and (IPV4 if "." in mask else IPV6)) or None


def _is_server(statement: Statement) -> bool:
    """Whether keepalived would take a real_server. The name of a host is one: whether it has an address is not asked."""
    try:
        _port(_word(statement, 2))
    except ValueError:
        return False
    host = _word(statement, 1)
    return _family(host) is not None or (host != "" and not _NO_NAME.fullmatch(host))


def _family(host: str) -> str | None:
    """The family of a server; None when it is not an address."""
    try:
        return family_of(_address(host))
    except ValueError:
        return None


def _forwards_by_tunnel(server: Statement, by_default: bool) -> bool:
    methods = [_word(each, 1) for each in server.block or () if _word(each, 0) in _METHODS]
    return methods[-1] == _TUNNEL if methods else by_default
