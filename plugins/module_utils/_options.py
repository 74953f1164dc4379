# Copyright (c) 2026, the linux.lvs contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user wrote, validated: options in, specs out, every problem with its path.

Private to linux.lvs: may change in any release.

A spec says what was given and nothing else, so that "not given" can't be confused with a value. Numbers and
booleans are taken as text too, as Ansible's templates make them. Values are checked here, one by one; whether
they go together is asked on the merged entry (``_desired``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Callable, Sequence

from ._address import FAMILIES, IPV4, IPV6, family_of, is_host, parse_address, parse_netmask
from ._model import (
    ALL_FLAG_NAMES,
    CONNECTION_KINDS,
    FORWARDINGS,
    MAX_INT,
    MAX_MARK,
    MAX_NAME,
    MAX_PERSISTENCE,
    MAX_U32,
    PROTOCOLS,
    SERVER_ATTRIBUTES,
    SERVER_IDENTITY,
    SERVICE_ATTRIBUTES,
    SERVICE_IDENTITY,
    TUNNEL_CHECKSUMS,
    TUNNEL_TYPES,
    ServerKey,
    ServiceKey,
)

_WHOLE_NUMBER = re.compile(r"[+-]?[0-9]{1,28}")
_ODD = re.compile(r"(?:protocol|forwarding|type|flags)-[0-9]{1,10}|local|bypass")
_TRUE = ("yes", "on", "1", "true", "y", "t")
_FALSE = ("no", "off", "0", "false", "n", "f")
_NAME_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789_-")


@dataclass(frozen=True)
class ServiceSpec:
    """A virtual service as far as it was described."""

    key: ServiceKey
    given: Mapping[str, Any]  # by names of SERVICE_ATTRIBUTES; persistence_timeout None turns it off


@dataclass(frozen=True)
class ServerSpec:
    """A real server as far as it was described."""

    address: str
    port: int | None
    given: Mapping[str, Any]  # by names of SERVER_ATTRIBUTES

    def key(self, service: ServiceKey) -> ServerKey:
        """Which server of this service is meant: the port is the service's where none was given."""
        return ServerKey(self.address, service.port if self.port is None else self.port)


@dataclass(frozen=True)
class DrainSpec:
    """How long to wait for which connections, and what must be left to serve."""

    timeout: int = 0  # s
    wait_for: tuple[str, ...] | None = None  # None: what suits the service
    minimum_active: int = 0


class Reader:
    """Reads options of one dictionary, noting problems instead of stopping at the first."""

    def __init__(self, options: Mapping[str, Any], path: str, problems: list[str]) -> None:
        self._options = options
        self._path = path
        self.problems = problems

    def path(self, name: str) -> str:
        """Where an option stands, as problems name it."""
        return f"{self._path}{name}"

    def problem(self, name: str, message: str) -> None:
        """Notes what is wrong with an option."""
        self.problems.append(f"{self.path(name)}: {message}")

    def value(self, name: str) -> Any:
        """What was given, as it is."""
        return self._options.get(name)

    def given(self, name: str) -> bool:
        """Whether the option was given; null counts as left out, as everywhere in Ansible."""
        return self._options.get(name) is not None

    def names(self) -> list[str]:
        """The options that were given, where their names are the user's own."""
        return [str(name) for name in self._options if self.given(name)]

    def refuse_unknown(self, allowed: Sequence[str]) -> None:
        """Notes options that do not exist."""
        for name in sorted(str(name) for name in self._options if name not in allowed):
            self.problem(name, f"is not an option here; there are {', '.join(allowed)}")

    def read(self, name: str, parse: Callable[[Any], Any]) -> Any:
        """The parsed value; None when it was not given or is wrong."""
        if not self.given(name):
            return None
        try:
            return parse(self._options[name])
        except ValueError as error:
            self.problem(name, str(error))
            return None

    def sub(self, name: str) -> Reader | None:
        """A reader of the dictionary that is the value of an option; None, noted, when it is not one."""
        value = self._options[name]
        if isinstance(value, Mapping):
            return Reader(value, f"{self._path}{name}.", self.problems)
        self.problem(name, f"{value!r} is not a dictionary")
        return None

    def integer(self, name: str, low: int, high: int, beyond: int | None = None) -> Any:
        """A whole number within the range; up to ``beyond`` only the kernel can hold it (see _model)."""
        value = self._options.get(name)
        if value is None or (
            isinstance(value, int) and not isinstance(value, bool) and low <= value <= (beyond or high)
        ):  # most values, of ten thousand servers
            return value
        return self.read(name, lambda value: parse_integer(value, low, high, beyond))

    def choice(self, name: str, choices: Sequence[str], odd: bool = False) -> Any:
        """One of the choices; with ``odd`` also a name of what only the kernel can hold (see _model)."""
        value = self._options.get(name)
        if value is None or (isinstance(value, str) and (value in choices or (odd and _ODD.fullmatch(value)))):
            return value and str(value)
        return self.read(name, lambda value: parse_choice(value, choices))

    def choices(self, name: str, choices: Sequence[str]) -> Any:
        """Any of the choices, as a list or as text with commas."""
        return self.read(name, lambda value: tuple(parse_choice(item, choices) for item in as_list(value)))


def parse_integer(value: Any, low: int, high: int, beyond: int | None = None) -> int:
    """A whole number, also as text, up to ``high``, or ``beyond`` without saying so. Raises ValueError."""
    number: int | None = None
    if isinstance(value, int) and not isinstance(value, bool):
        number = value
    elif isinstance(value, float) and value.is_integer():
        number = int(value)
    elif isinstance(value, str):
        text = value.strip()
        number = int(text) if _WHOLE_NUMBER.fullmatch(text) else None
    if number is None:
        raise ValueError(f"{value!r} is not a whole number between {low} and {high}")
    if not low <= number <= (beyond or high):
        raise ValueError(f"{value} is not between {low} and {high}")
    return number


def parse_boolean(value: Any) -> bool:
    """True or false, also as Ansible's words for them. Raises ValueError."""
    text = str(value).strip().lower()
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise ValueError(f"{value!r} is neither true nor false")


def parse_choice(value: Any, choices: Sequence[str]) -> str:
    """One of the choices. Raises ValueError."""
    if value not in choices:
        raise ValueError(f"{value!r} is not one of {', '.join(choices)}")
    return str(value)


def parse_name(value: Any) -> str:
    """A name by which the kernel finds a scheduler or a persistence engine. Raises ValueError."""
    if not isinstance(value, str) or not 1 <= len(value) <= MAX_NAME or not _NAME_CHARACTERS.issuperset(value):
        raise ValueError(f"{value!r} is not a name of 1 to {MAX_NAME} characters out of a-z, 0-9, - and _")
    return value


def as_list(value: Any) -> Sequence[Any]:
    """A list, also from text with commas as Ansible allows it. Raises ValueError."""
    if isinstance(value, str):
        return [item.strip() for item in value.split(",") if item.strip()]
    if isinstance(value, (list, tuple)):
        return value
    raise ValueError(f"{value!r} is not a list")


def read_service_key(options: Reader, odd: bool = False) -> ServiceKey | None:
    """Which service is meant; None when it can't be told, with the reasons noted. ``odd`` as in read_service."""
    noted = len(options.problems)
    if options.given("fwmark"):
        for name in ("address", "port", "protocol"):
            if options.given(name):
                options.problem(name, "does not go with fwmark, which is another way to say which service it is")
        mark = options.integer("fwmark", 1, MAX_MARK)
        family = options.choice("family", FAMILIES) or IPV4
        return ServiceKey(family=family, fwmark=mark) if len(options.problems) == noted else None
    address = options.read("address", parse_address)
    port = options.integer("port", 0, 65535)
    protocol = options.choice("protocol", PROTOCOLS, odd) or PROTOCOLS[0]
    family = options.choice("family", FAMILIES)
    if family and address and family != family_of(address):
        options.problem("family", f"{family} is not the family of {address}; it is for fwmark only, leave it out")
    if not options.given("address"):
        options.problem("address", "is required, with port; or fwmark instead of both")
    elif not options.given("port"):
        options.problem("port", "is required with address; 0 is all ports of a persistent service")
    if len(options.problems) != noted:
        return None
    return ServiceKey(family=family_of(address), protocol=protocol, address=address, port=port)


def read_service(options: Reader, odd: bool = False) -> ServiceSpec | None:
    """A virtual service; None when it is wrong, with the reasons noted.

    ``odd`` takes what the kernel can hold though we would not create it, so that whatever was read can be declared
    again; whether it makes sense is asked of the merged entry.
    """
    noted = len(options.problems)
    key = read_service_key(options, odd)
    given: dict[str, Any] = {}
    for name, value in (
        ("scheduler", options.read("scheduler", parse_name)),
        ("scheduler_flags", _flags(options)),
        ("persistence_netmask", _netmask(options, key)),
        ("persistence_engine", options.read("persistence_engine", lambda value: parse_name(value) if value else "")),
        ("one_packet", options.read("one_packet", parse_boolean)),
    ):
        if value is not None:
            given[name] = value
    timeout = options.integer("persistence_timeout", 0, MAX_PERSISTENCE, MAX_U32 if odd else None)
    if timeout is not None:
        given["persistence_timeout"] = timeout or None
    return ServiceSpec(key, given) if key and len(options.problems) == noted else None


def _flags(options: Reader) -> Any:
    names = options.choices("scheduler_flags", ALL_FLAG_NAMES)
    return None if names is None else frozenset(names)


def _netmask(options: Reader, key: ServiceKey | None) -> Any:
    return options.read("persistence_netmask", partial(_parse_netmask, key))


def _parse_netmask(key: ServiceKey | None, value: Any) -> Any:
    if key:
        return parse_netmask(key.family, value)
    # without a service there is no family to read the mask by, but one that fits neither is wrong all the same
    try:
        return parse_netmask(IPV6, value)
    except ValueError:
        return parse_netmask(IPV4, value)


def read_server(options: Reader, odd: bool = False) -> ServerSpec | None:
    """A real server; None when it is wrong, with the reasons noted. ``odd`` as in read_service."""
    beyond = MAX_U32 if odd else None
    noted = len(options.problems)
    address = options.read("address", _parse_server_address)
    if not options.given("address"):
        options.problem("address", "is required")
    port = options.integer("port", 0, 65535)
    given: dict[str, Any] = {}
    for name, value in (
        ("forwarding", options.choice("forwarding", FORWARDINGS, odd)),
        ("weight", options.integer("weight", 0, MAX_INT)),
        ("upper_threshold", options.integer("upper_threshold", 0, MAX_INT, beyond)),
        ("lower_threshold", options.integer("lower_threshold", 0, MAX_INT, beyond)),
        ("tunnel_type", options.choice("tunnel_type", TUNNEL_TYPES, odd)),
        ("tunnel_port", options.integer("tunnel_port", 1, 65535)),
        ("tunnel_checksum", options.choice("tunnel_checksum", TUNNEL_CHECKSUMS, odd)),
    ):
        if value is not None:
            given[name] = value
    return ServerSpec(address, port, given) if len(options.problems) == noted else None


def _parse_server_address(value: Any) -> str:
    address = parse_address(value)
    if not is_host(address):
        raise ValueError(f"{address} is not a unicast address, so it can't be a real server")
    return address


def read_drain(options: Reader) -> DrainSpec:
    """How to drain."""
    wait_for = options.choices("drain_wait_for", CONNECTION_KINDS)
    if wait_for == ():
        options.problem("drain_wait_for", f"is empty; give some of {', '.join(CONNECTION_KINDS)}, or leave it out")
    return DrainSpec(
        timeout=options.integer("drain_timeout", 0, MAX_INT) or 0,
        wait_for=wait_for,
        minimum_active=options.integer("minimum_active", 0, MAX_INT) or 0,
    )


SERVICE_OPTIONS = SERVICE_IDENTITY + SERVICE_ATTRIBUTES
SERVER_OPTIONS = SERVER_IDENTITY + SERVER_ATTRIBUTES
