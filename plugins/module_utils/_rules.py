# Copyright (c) 2026, the linux.lvs contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading a rules file of ipvsadm(8): the table that its lines lead to, every bad line by number.

Private to linux.lvs: may change in any release.

Lines mean what they mean to ``ipvsadm -R`` of version 1.31, and what it refuses is refused. But what it writes of a
table that other tools have filled is read, even where it would not take it back: port 0 without persistence,
one-packet scheduling of TCP, a direct server on another port (it would write the service's port), remcsum of a GRE
tunnel. On the other side nothing is guessed that a rules file of numbers has no need for: names are not resolved, and
addresses are not read as octal, hexadecimal or abbreviated numbers.
"""

from __future__ import annotations

import re
from typing import Any, Mapping, Sequence

from ._address import IPV4, IPV6, family_of, host_netmask, is_host, parse_address
from ._errors import InvalidInput
from ._model import (
    ALL_FLAG_NAMES,
    DEFAULT_FORWARDING,
    DEFAULT_SCHEDULER,
    DEFAULT_WEIGHT,
    MAX_INT,
    MAX_MARK,
    MAX_PERSISTENCE,
    TUNNEL_TYPES,
    Entry,
    Server,
    ServerKey,
    Service,
    ServiceKey,
    Table,
    flag_bits,
)
from ._options import Reader, parse_choice, parse_integer, parse_name
from ._popt import ALWAYS, NEVER, OPTIONAL, read_words

FORWARDING_WORDS = {"masquerading": "nat", "gatewaying": "direct", "ipip": "tunnel"}
CHECKSUM_WORDS = {"tun-nocsum": "none", "tun-csum": "csum", "tun-remcsum": "remcsum"}

_BY_NAME = ("tcp-service", "udp-service", "sctp-service", "fwmark-service")
_SERVICE = (*_BY_NAME, "ipv6")
_SERVICE_ATTRIBUTES = ("scheduler", "persistent", "netmask", "sched-flags", "pe", "ops")
_TUNNEL = ("tun-type", "tun-port", *CHECKSUM_WORDS)
_SERVER_ATTRIBUTES = (*FORWARDING_WORDS, "weight", "u-threshold", "l-threshold", *_TUNNEL)
# which options go with a command; those of ipvsadm that go with none of these are left out
_COMMANDS: Mapping[str, Sequence[str]] = {
    "add-service": (*_SERVICE, *_SERVICE_ATTRIBUTES),
    "edit-service": (*_SERVICE, *_SERVICE_ATTRIBUTES),
    "delete-service": _SERVICE,
    "add-server": (*_SERVICE, "real-server", *_SERVER_ATTRIBUTES),
    "edit-server": (*_SERVICE, "real-server", *_SERVER_ATTRIBUTES),
    "delete-server": (*_SERVICE, "real-server"),
    "clear": (),
    "zero": _SERVICE,
}
_IGNORED = "sort"  # kept by ipvsadm for old scripts, with any command and without a meaning
_VALUES = {
    **dict.fromkeys((*_COMMANDS, *FORWARDING_WORDS, *CHECKSUM_WORDS, "ipv6", "ops", _IGNORED), NEVER),
    **dict.fromkeys((*_BY_NAME, "scheduler", "netmask", "sched-flags", "pe", "real-server"), ALWAYS),
    **dict.fromkeys(("weight", "u-threshold", "l-threshold", "tun-type", "tun-port"), ALWAYS),
    "persistent": OPTIONAL,
}
_DEFAULT_PERSISTENCE = 360  # s, of a -p without a number (IPVS_SVC_PERSISTENT_TIMEOUT in ipvsadm.c)
_BLANKS = re.compile(r"[ \t\r]+")
_NEGATIVE = re.compile(r"-[0-9]{1,10}")
_NUMERIC = "ipvsadm -S -n writes addresses and ports as numbers"
_LOST_FLAG = (
    "; ipvsadm -S writes none for flag-3 alone, which has no name under sh and mh, and refuses that itself:"
    " write flag-3"
)


def read_rules(text: str, letters: Mapping[str, str]) -> Table:
    """The table that a rules file leads to, from an empty one; ``letters`` are the short names of options.

    Blank lines and those that begin with # are passed over, as ipvsadm-restore does. Raises InvalidInput with every
    problem of every line.
    """
    rules = _Rules()
    problems: list[str] = []
    for number, line in enumerate(text.split("\n"), 1):
        words = [word for word in _BLANKS.split(line) if word not in ("", "ipvsadm")]
        if not words or words[0].startswith("#"):
            continue
        try:
            found = rules.obey(*_options_of(words, letters))
        except ValueError as error:
            found = [str(error)]
        problems.extend(f"line {number}: {problem}: {line.strip()}" for problem in found)
    if problems:
        raise InvalidInput(problems)
    return {key: Entry(service, rules.servers[key]) for key, service in rules.services.items()}


def _options_of(words: Sequence[str], letters: Mapping[str, str]) -> tuple[str, dict[str, Any]]:
    """The command of a line and its options in their order, True for those without a value. Raises ValueError."""
    for word in words:
        if word.split() != [word]:
            raise ValueError(f"{word!r} has a character that looks blank and does not part words")
    found = read_words(words, letters, _VALUES)
    command, _value, word = next(found, ("", None, words[0]))
    if command not in _COMMANDS:
        commands = ", ".join(f"-{letter}" for letter, name in letters.items() if name in _COMMANDS)
        raise ValueError(f"a line can't begin with {word}, only with one of {commands}")
    takes = _COMMANDS[command]
    options: dict[str, Any] = {}
    for name, value, word in found:
        if word.startswith("#"):
            raise ValueError("a comment needs a line of its own")
        if name == _IGNORED:
            continue
        if name not in takes:
            there_are = ", ".join(f"--{name}" for name in takes) or "none"
            raise ValueError(f"{word} is not an option of --{command}; there are {there_are}")
        if name in options and name != "ipv6":
            raise ValueError(f"--{name} is there twice")
        if value is None and _VALUES[name] == ALWAYS:
            raise ValueError(f"--{name} needs a value{_LOST_FLAG if name == 'sched-flags' else ''}")
        options.pop(name, None)  # of several --ipv6 the last one counts
        options[name] = True if value is None else value
    return command, options


class _Rules:
    """The table as far as the lines have led."""

    def __init__(self) -> None:
        self.services: dict[ServiceKey, Service] = {}
        self.servers: dict[ServiceKey, dict[ServerKey, Server]] = {}
        # services whose own line is wrong: that they are missing is no further problem
        self._unsure: set[ServiceKey] = set()

    def obey(self, command: str, options: Mapping[str, Any]) -> Sequence[str]:
        """Carries out a line; returns what is wrong with it."""
        line = _Line(options)
        if command == "clear":
            self.services.clear()
            self.servers.clear()
        elif command != "zero" or options:  # counters are no part of a table
            key = line.service_key()
            if command.endswith("-server"):
                self._change_server(command, key, line)
            else:
                self._change_service(command, key, line)
        return line.problems

    def _change_service(self, command: str, key: ServiceKey | None, line: _Line) -> None:
        described = command in ("add-service", "edit-service")
        service = line.service(key) if described else None
        if key is None:
            return
        if command == "add-service":
            if key in self.services:
                line.problems.append(f"service {key} is there already")
            elif service:
                self.services[key] = service
                self.servers[key] = {}
        elif self._is_there(key, line):
            if command == "delete-service":
                del self.services[key], self.servers[key]
            elif service:
                self.services[key] = service
        if described and line.problems:
            self._unsure.add(key)

    def _change_server(self, command: str, service: ServiceKey | None, line: _Line) -> None:
        key = line.server_key(service, copies_port=command != "delete-server")
        server = line.server(service, key) if command != "delete-server" else None
        if service is None or key is None or not self._is_there(service, line):
            return
        servers = self.servers[service]
        if command == "add-server" and key in servers:
            line.problems.append(f"server {key} of {service} is there already")
        elif command != "add-server" and key not in servers:
            line.problems.append(f"server {key} of {service} is not on a line above")
        elif server:
            servers[key] = server
        elif command == "delete-server":
            del servers[key]

    def _is_there(self, key: ServiceKey, line: _Line) -> bool:
        if key not in self.services and key not in self._unsure:
            line.problems.append(f"service {key} is not on a line above")
        return key in self.services


class _Line(Reader):
    """The options of a line as nouns; what is wrong is noted."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        super().__init__(options, "--", [])
        self._order = list(options)
        self._service = self._one_of(_BY_NAME) or ""
        self._has_port = True

    def _one_of(self, names: Sequence[str]) -> str | None:
        given = [name for name in self._order if name in names]
        for name in given[1:]:
            self.problem(name, f"does not go with --{given[0]}")
        return given[0] if given else None

    def _is_before(self, name: str, other: str) -> bool:
        return {name, other} <= set(self._order) and self._order.index(name) < self._order.index(other)

    def service_key(self) -> ServiceKey | None:
        """Which service the line is about."""
        if self.given("ipv6") and not self._is_before("fwmark-service", "ipv6"):
            self.problem("ipv6", "belongs behind --fwmark-service, whose family it says")
        if not self._service:
            self.problems.append(f"names no service, by one of --{', --'.join(_BY_NAME)}")
            return None
        if self._service == "fwmark-service":
            mark = self.read(self._service, _parse_mark)
            return ServiceKey(IPV6 if self.given("ipv6") else IPV4, fwmark=mark) if mark else None
        found = self.read(self._service, _parse_endpoint)
        if found is None:
            return None
        address, port = found
        self._has_port = port is not None
        return ServiceKey(family_of(address), self._service.partition("-")[0], address, port or 0)

    def service(self, key: ServiceKey | None) -> Service | None:
        """The service that the line describes."""
        persistent = self.given("persistent")
        scheduler: Any = DEFAULT_SCHEDULER
        if self.given("scheduler"):
            scheduler = self.read("scheduler", lambda text: parse_name(text) if text else DEFAULT_SCHEDULER)
        timeout = self.read("persistent", _parse_persistence)
        netmask = self.read("netmask", lambda text: self._parse_netmask(key, text))
        flags = self.read("sched-flags", lambda text: _parse_flags(scheduler, text))
        engine = self.read("pe", lambda text: parse_name(text) if text else "")
        if key and not self._has_port and not persistent:
            self.problem(self._service, f"{key.address} has no port; only with --persistent this is 0, all ports")
        if key is None or self.problems:
            return None
        return Service(
            key=key,
            scheduler=scheduler,
            scheduler_flags=flags or frozenset(),
            persistence_timeout=timeout,
            persistence_netmask=(netmask or host_netmask(key.family)) if persistent else None,
            persistence_engine=engine or "",
            one_packet=self.given("ops"),
        )

    def _parse_netmask(self, key: ServiceKey | None, text: str) -> str | None:
        if key is None:
            return None  # whose problem is noted already; without it there is no family to read the mask by
        if key.family == IPV4:
            return _parse_mask(text)
        says_family = "ipv6" if key.fwmark else self._service
        if self._is_before("netmask", says_family):
            raise ValueError(f"{text} is before --{says_family}, so that ipvsadm passes over it; put it behind")
        return str(parse_integer(text, 1, 128))

    def server_key(self, service: ServiceKey | None, copies_port: bool) -> ServerKey | None:
        """Which server the line is about; ``copies_port`` where ipvsadm writes the service's port."""
        if not self.given("real-server"):
            self.problems.append("names no server, by --real-server")
        found = self.read("real-server", _parse_endpoint)
        if found is None or service is None:
            return None
        address, port = found
        if port is None:
            # ipvsadm goes from left to right, and has no port of the service yet when the server comes first
            early = self._is_before("real-server", self._service)
            port = 0 if early and (not copies_port or self.given("masquerading")) else service.port
        return ServerKey(address, port)

    def server(self, service: ServiceKey | None, key: ServerKey | None) -> Server | None:
        """The server that the line describes."""
        method = self._one_of(tuple(FORWARDING_WORDS))
        forwarding = FORWARDING_WORDS[method] if method else DEFAULT_FORWARDING
        weight = self.integer("weight", 0, MAX_INT)
        upper = self.integer("u-threshold", 0, MAX_INT) if self.given("u-threshold") else 0
        lower = self.integer("l-threshold", 0, MAX_INT) or 0
        tunnel = self._tunnel(forwarding)
        if upper is not None and lower > upper:
            self.problem("l-threshold", f"{lower} is above --u-threshold {upper}")
        if key and not is_host(key.address):
            self.problem("real-server", f"{key.address} is not a unicast address, so it can't be a real server")
        if service and key and forwarding != "tunnel" and family_of(key.address) != service.family:
            self.problem(
                "real-server", f"{key.address} is not {service.family} as the service is; only --ipip takes it"
            )
        if key is None or self.problems:
            return None
        return Server(key, forwarding, DEFAULT_WEIGHT if weight is None else weight, upper, lower, *tunnel)

    def _tunnel(self, forwarding: str) -> tuple[str | None, int | None, str | None]:
        """Type, port and checksum."""
        kind = self.choice("tun-type", TUNNEL_TYPES) if self.given("tun-type") else "ipip"
        port = self.integer("tun-port", 1, 65535)
        checksum = self._one_of(tuple(CHECKSUM_WORDS))
        if forwarding != "tunnel":
            for name in _TUNNEL:
                if self.given(name):
                    self.problem(name, "needs --ipip")
            return None, None, None
        if kind == "gue" and not self.given("tun-port"):
            self.problem("tun-type", "gue needs --tun-port")
        if kind in ("ipip", "gre") and self.given("tun-port"):
            self.problem("tun-port", f"needs --tun-type gue, not {kind}")
        if kind == "ipip" and checksum:
            self.problem(checksum, "needs --tun-type gue or gre, not ipip")
        return kind, port, None if kind == "ipip" else CHECKSUM_WORDS[checksum or "tun-nocsum"]


def _parse_mark(text: str) -> int:
    if _NEGATIVE.fullmatch(text) and -(2**31) <= int(text) < 0:
        mark = int(text) + 2**32
        raise ValueError(f"{text} is how ipvsadm -S writes the mark {mark}, and refuses it itself; write {mark}")
    return parse_integer(text, 1, MAX_MARK)


def _parse_endpoint(text: str) -> tuple[str, int | None]:
    """Address and port of 192.0.2.1:80, 192.0.2.1, [2001:db8::1]:80 or 2001:db8::1. Raises ValueError."""
    if text.startswith("["):
        host, _bracket, rest = text[1:].partition("]")
        if ":" not in host or not rest.startswith(":"):
            raise ValueError(f"{text!r} is not an IPv6 address in brackets with a port behind")
        return _parse_host(host), _parse_port(rest[1:])
    if text.count(":") > 1:
        return _parse_host(text), None
    host, colon, port = text.partition(":")
    return _parse_host(host), _parse_port(port) if colon else None


def _parse_host(text: str) -> str:
    try:
        return parse_address(text)
    except ValueError as error:
        raise ValueError(f"{error}" if ":" in text else f"{error}; {_NUMERIC}") from None


def _parse_port(text: str) -> int:
    try:
        return parse_integer(text, 0, 65535)
    except ValueError as error:
        raise ValueError(f"{error}; {_NUMERIC}" if text[:1].isalpha() else f"{error}") from None


def _parse_mask(text: str) -> str:
    try:
        mask = parse_address(text)
    except ValueError:
        mask = ""
    if family_of(mask or ":") != IPV4:
        raise ValueError(f"{text!r} is not an IPv4 netmask such as 255.255.255.0 (prefix lengths are for IPv6)")
    return mask


def _parse_persistence(value: Any) -> int:
    return _DEFAULT_PERSISTENCE if value is True else parse_integer(value, 1, MAX_PERSISTENCE)


def _parse_flags(scheduler: str | None, text: str) -> frozenset[int]:
    if text and not text.strip(","):
        raise ValueError(f"{text!r} names no flag; there are {', '.join(ALL_FLAG_NAMES)}")
    names = frozenset(parse_choice(name, ALL_FLAG_NAMES) for name in text.split(",") if name)
    return flag_bits(scheduler, names) if scheduler else frozenset()  # a wrong one is noted already
