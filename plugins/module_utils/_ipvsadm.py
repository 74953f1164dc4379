# Copyright (c) 2026, the linux.lvs contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The language of ipvsadm(8): save text to tables and back, and an operation as a command line.

Private to linux.lvs: may change in any release.

What is written is what ``ipvsadm -S -n`` of version 1.31 writes, with what that loses: thresholds and the third
scheduler flag (``ipvsadm -R`` takes both).
"""

from __future__ import annotations

import shlex
from typing import Any, Callable, Iterator, Sequence

from ._address import IPV4, IPV6, endpoint, family_of, host_netmask, parse_address
from ._errors import InvalidInput
from ._model import (
    ALL_FLAG_NAMES,
    DEFAULT_FORWARDING,
    DEFAULT_SCHEDULER,
    FORWARDINGS,
    MAX_INT,
    MAX_MARK,
    MAX_PERSISTENCE,
    TIMEOUTS,
    TUNNEL_CHECKSUMS,
    TUNNEL_TYPES,
    Entry,
    Server,
    ServerKey,
    Service,
    ServiceKey,
    Table,
    Timeouts,
    flag_bits,
    flag_names,
    sorted_keys,
)
from ._options import parse_choice, parse_integer, parse_name
from ._plan import ADD, REMOVE, UPDATE, Operation
from ._settings import STOP, DaemonStep

_SERVICE_LETTERS = {"tcp": "-t", "udp": "-u", "sctp": "--sctp-service"}
_FORWARDING_LETTERS = {"nat": "-m", "direct": "-g", "tunnel": "-i"}
_CHECKSUM_WORDS = {"none": "--tun-nocsum", "csum": "--tun-csum", "remcsum": "--tun-remcsum"}
_SERVICE_COMMANDS = {ADD: "-A", UPDATE: "-E", REMOVE: "-D"}
_SERVER_COMMANDS = {ADD: "-a", UPDATE: "-e", REMOVE: "-d"}
_DEFAULT_PERSISTENCE = 360  # s, of a -p without a number (IPVS_SVC_PERSISTENT_TIMEOUT in ipvsadm.c)


def render(table: Table) -> str:
    """A table as text that ``ipvsadm -R`` takes; every line, the last too, ends with a newline."""
    lines: list[str] = []
    for key in sorted_keys(table):
        entry = table[key]
        lines.append(" ".join(["-A", *_service_words(key), *_attribute_words(entry.service)]))
        for name in sorted_keys(entry.servers):
            lines.append(" ".join(["-a", *_service_words(key), *_server_words(entry.servers[name])]))
    return "".join(f"{line}\n" for line in lines)


def command(operation: Operation, netns: str | None = None) -> str:
    """The command line that does what an operation does."""
    words = []
    if operation.server is None:
        words += [_SERVICE_COMMANDS[operation.verb], *_service_words(operation.service)]
        if isinstance(operation.after, Service):
            words += _attribute_words(operation.after)
    else:
        words += [_SERVER_COMMANDS[operation.verb], *_service_words(operation.service)]
        if isinstance(operation.after, Server):
            words += _server_words(operation.after)
        else:
            words += ["-r", str(operation.server)]
    return _line(words, netns)


def daemon_command(step: DaemonStep, netns: str | None = None) -> str:
    """The command line that starts or stops a sync daemon."""
    daemon = step.daemon
    if step.verb == STOP:
        return _line(["--stop-daemon", daemon.role], netns)
    words = ["--start-daemon", daemon.role, "--mcast-interface", shlex.quote(daemon.interface)]
    words += ["--syncid", str(daemon.sync_id)]
    if daemon.sync_maxlen is not None:
        words += ["--sync-maxlen", str(daemon.sync_maxlen)]
    words += ["--mcast-group", daemon.multicast_group, "--mcast-port", str(daemon.multicast_port)]
    return _line([*words, "--mcast-ttl", str(daemon.multicast_ttl)], netns)


def timeouts_command(change: Timeouts, netns: str | None = None) -> str:
    """The command line that sets time-outs; 0 leaves one as it is."""
    return _line(["--set", *(str(getattr(change, name) or 0) for name in TIMEOUTS)], netns)


def zero_command(key: ServiceKey | None, netns: str | None = None) -> str:
    """The command line that zeroes the counters of a service, or all."""
    return _line(["-Z", *(_service_words(key) if key else [])], netns)


def _line(words: Sequence[str], netns: str | None) -> str:
    prefix = ["ip", "netns", "exec", shlex.quote(netns)] if netns else []
    return " ".join([*prefix, "ipvsadm", *words])


def unsayable(operation: Operation) -> tuple[str, ...]:
    """Why the command line of an operation would not do what the operation does, in sentences; mostly nothing."""
    reasons = []
    key, after = operation.service, operation.after
    if not key.fwmark and key.protocol not in _SERVICE_LETTERS:
        reasons.append(f"has no word for {key.protocol}")
    if isinstance(after, Service):
        if after.persistence_timeout is not None and not 1 <= after.persistence_timeout <= MAX_PERSISTENCE:
            reasons.append(f"refuses a persistence of {after.persistence_timeout} s")
        if not key.fwmark and key.port == 0 and after.persistence_timeout is None:
            reasons.append("refuses port 0 without persistence")
        if not key.fwmark and key.protocol != "udp" and after.one_packet:
            reasons.append("refuses one-packet scheduling for anything but UDP")
    if isinstance(after, Server):
        if after.forwarding not in _FORWARDING_LETTERS or after.tunnel_type not in (None, *TUNNEL_TYPES):
            reasons.append(f"has no word for forwarding {after.forwarding} {after.tunnel_type or ''}".rstrip())
        if after.tunnel_checksum not in (None, *TUNNEL_CHECKSUMS):
            reasons.append(f"has no word for tunnel checksum {after.tunnel_checksum}")
        if after.forwarding != "nat" and not key.fwmark and after.key.port != key.port:
            reasons.append(f"would write the service's port {key.port} instead of {after.key.port}")
    return tuple(f"commands: ipvsadm {reason} ({operation})" for reason in reasons)


def _service_words(key: ServiceKey) -> list[str]:
    if key.fwmark:
        return ["-f", str(key.fwmark)] + (["-6"] if key.family == IPV6 else [])
    letter = _SERVICE_LETTERS.get(key.protocol or "", f"--{key.protocol}-service")
    return [letter, endpoint(key.address or "", key.port)]


def _attribute_words(service: Service) -> list[str]:
    words = ["-s", service.scheduler]
    if service.persistence_timeout is not None:
        words += ["-p", str(service.persistence_timeout)]
        if service.persistence_netmask not in (None, host_netmask(service.key.family)):
            words += ["-M", str(service.persistence_netmask)]
    if service.scheduler_flags:
        words += ["-b", ",".join(flag_names(service.scheduler, service.scheduler_flags))]
    if service.persistence_engine:
        words += ["--pe", service.persistence_engine]
    return words + (["-o"] if service.one_packet else [])


def _server_words(server: Server) -> list[str]:
    words = ["-r", str(server.key), _FORWARDING_LETTERS.get(server.forwarding, f"--{server.forwarding}")]
    words += ["-w", str(server.weight)]
    for letter, threshold in (("-x", server.upper_threshold), ("-y", server.lower_threshold)):
        if threshold:
            words += [letter, str(threshold)]
    if server.tunnel_type is not None:
        words += ["--tun-type", server.tunnel_type]
    if server.tunnel_port is not None:
        words += ["--tun-port", str(server.tunnel_port)]
    if server.tunnel_checksum is not None:
        words.append(_CHECKSUM_WORDS.get(server.tunnel_checksum, f"--tun-{server.tunnel_checksum}"))
    return words


# Reading. Options by their long names; True for those that take a value, "?" for the one that may.
_SHORT = {
    "-A": "add-service",
    "-a": "add-server",
    "-t": "tcp-service",
    "-u": "udp-service",
    "-f": "fwmark-service",
    "-6": "ipv6",
    "-s": "scheduler",
    "-p": "persistent",
    "-M": "netmask",
    "-b": "sched-flags",
    "-o": "ops",
    "-r": "real-server",
    "-g": "gatewaying",
    "-i": "ipip",
    "-m": "masquerading",
    "-w": "weight",
    "-x": "u-threshold",
    "-y": "l-threshold",
    "-n": "numeric",
}
_TAKES_VALUE: dict[str, bool | str] = {
    **dict.fromkeys(
        ("add-service", "add-server", "ipv6", "ops", "gatewaying", "ipip", "masquerading", "numeric"), False
    ),
    **dict.fromkeys(("tun-nocsum", "tun-csum", "tun-remcsum"), False),
    **dict.fromkeys(("tcp-service", "udp-service", "sctp-service", "fwmark-service", "scheduler", "netmask"), True),
    **dict.fromkeys(("sched-flags", "pe", "real-server", "weight", "u-threshold", "l-threshold"), True),
    **dict.fromkeys(("tun-type", "tun-port"), True),
    "persistent": "?",
}
_SERVICE_ONLY = ("scheduler", "persistent", "netmask", "sched-flags", "pe", "ops")
_SERVER_ONLY = (
    *("real-server", "gatewaying", "ipip", "masquerading", "weight", "u-threshold", "l-threshold"),
    *("tun-type", "tun-port", "tun-nocsum", "tun-csum", "tun-remcsum"),
)


def parse(text: str) -> Table:
    """The table that a rules file describes: lines with -A and -a, in any spelling that ipvsadm takes.

    Blank lines and comments (#) are passed over. Raises InvalidInput with every bad line, by number.
    """
    table: Table = {}
    problems: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        try:
            _add_line(table, words[1:] if words[0] == "ipvsadm" else words)
        except ValueError as error:
            problems.append(f"line {number}: {error}: {line.strip()}")
    if problems:
        raise InvalidInput(problems)
    return table


def _add_line(table: Table, words: Sequence[str]) -> None:
    options = _options_of(words)
    if ("add-service" in options) == ("add-server" in options):
        raise ValueError("is not exactly one of -A (a service) and -a (a server)")
    key = _parse_service_key(options)
    if "add-service" in options:
        if key in table:
            raise ValueError(f"service {key} is there already")
        _refuse_options(options, _SERVER_ONLY, "-A")
        table[key] = Entry(_parse_service(key, options), {})
        return
    _refuse_options(options, _SERVICE_ONLY, "-a")
    if key not in table:
        raise ValueError(f"service {key} is not on a line above")
    server = _parse_server(key, options)
    if server.key in table[key].servers:
        raise ValueError(f"server {server.key} of {key} is there already")
    table[key] = Entry(table[key].service, {**table[key].servers, server.key: server})


def _refuse_options(options: dict[str, str], names: Sequence[str], command_word: str) -> None:
    for name in names:
        if name in options:
            raise ValueError(f"--{name} does not go with {command_word}")


def _options_of(words: Sequence[str]) -> dict[str, str]:
    options: dict[str, str] = {}
    for name, value in _pairs(list(words)):
        if name in options:
            raise ValueError(f"--{name} is there twice")
        options[name] = value
    return options


def _pairs(words: list[str]) -> Iterator[tuple[str, str]]:
    while words:
        word = words.pop(0)
        name, value = _split(word, words)
        if name not in _TAKES_VALUE:
            raise ValueError(f"{word} is not an option of a rule")
        takes = _TAKES_VALUE[name]
        if takes is False and value is not None:
            raise ValueError(f"--{name} takes no value")
        if takes is not False and value is None and words and (takes is True or not words[0].startswith("-")):
            value = words.pop(0)
        if takes is True and value is None:
            raise ValueError(f"--{name} needs a value")
        yield name, value or ""


def _split(word: str, words: list[str]) -> tuple[str, str | None]:
    if word.startswith("--"):
        name, equals, value = word[2:].partition("=")
        return name, value if equals else None
    name = _SHORT.get(word[:2], "")
    rest = word[2:]
    if rest and _TAKES_VALUE.get(name) is False:
        words.insert(0, f"-{rest}")  # letters without a value may stand together, as in -At
        rest = ""
    return name, rest or None


def _number(options: dict[str, str], name: str, default: int, low: int, high: int) -> int:
    return _checked(options, name, lambda value: parse_integer(value, low, high)) if name in options else default


def _checked(options: dict[str, str], name: str, check: Callable[[str], Any]) -> Any:
    try:
        return check(options[name])
    except ValueError as error:
        raise ValueError(f"--{name}: {error}") from None


def _parse_service_key(options: dict[str, str]) -> ServiceKey:
    names = [name for name in ("tcp", "udp", "sctp", "fwmark") if f"{name}-service" in options]
    if len(names) != 1:
        raise ValueError("names not exactly one service with -t, -u, --sctp-service or -f")
    name = f"{names[0]}-service"
    if names[0] == "fwmark":
        if options[name].startswith("-"):
            raise ValueError(
                "ipvsadm writes marks from 2147483648 on as negative numbers, which neither it nor we read;"
                " add 4294967296 to the number"
            )
        return ServiceKey(IPV6 if "ipv6" in options else IPV4, fwmark=_number(options, name, 0, 1, MAX_MARK))
    address, port = _checked(options, name, lambda value: _parse_endpoint(value, None))
    return ServiceKey(family_of(address), names[0], address, port)


def _parse_endpoint(text: str, default_port: int | None) -> tuple[str, int]:
    """address:port, [address]:port, or an address alone where there is a default port. Raises ValueError."""
    host, colon, port = text.rpartition(":")
    bare_ipv6 = text.count(":") > 1 and not text.startswith("[")
    if not colon or bare_ipv6 or text.endswith("]"):
        if default_port is None:
            raise ValueError(f"{text} has no port")
        return parse_address(text), default_port
    return parse_address(host), parse_integer(port, 0, 65535)


def _parse_service(key: ServiceKey, options: dict[str, str]) -> Service:
    scheduler = _checked(options, "scheduler", parse_name) if "scheduler" in options else DEFAULT_SCHEDULER
    persistent = "persistent" in options
    flags: frozenset[int] = frozenset()
    if "sched-flags" in options:
        flags = _checked(options, "sched-flags", lambda value: _parse_flags(scheduler, value))
    return Service(
        key=key,
        scheduler=scheduler,
        scheduler_flags=flags,
        persistence_timeout=_checked(options, "persistent", _parse_persistence) if persistent else None,
        persistence_netmask=_parse_netmask(key.family, options) if persistent else None,
        persistence_engine=_checked(options, "pe", parse_name) if "pe" in options else "",
        one_packet="ops" in options,
    )


def _parse_flags(scheduler: str, text: str) -> frozenset[int]:
    return flag_bits(scheduler, frozenset(parse_choice(name, ALL_FLAG_NAMES) for name in text.split(",")))


def _parse_persistence(text: str) -> int:
    return parse_integer(text or _DEFAULT_PERSISTENCE, 1, MAX_PERSISTENCE)


def _parse_netmask(family: str, options: dict[str, str]) -> str:
    if "netmask" not in options:
        return host_netmask(family)
    if family == IPV6:
        return str(_number(options, "netmask", 128, 1, 128))
    mask = str(_checked(options, "netmask", parse_address))
    if family_of(mask) != IPV4:
        raise ValueError(f"--netmask: {mask} is not an IPv4 netmask")
    return mask


def _parse_server(service: ServiceKey, options: dict[str, str]) -> Server:
    if "real-server" not in options:
        raise ValueError("names no server with -r")
    address, port = _checked(options, "real-server", lambda value: _parse_endpoint(value, service.port))
    letters = {"masquerading": "nat", "gatewaying": "direct", "ipip": "tunnel"}
    forwardings = [letters[name] for name in letters if name in options]
    checksums = [word for word in _CHECKSUM_WORDS if _CHECKSUM_WORDS[word][2:] in options]
    if len(forwardings) > 1 or len(checksums) > 1:
        raise ValueError("has more than one of -g, -i and -m, or of the checksum options")
    forwarding = parse_choice(forwardings[0] if forwardings else DEFAULT_FORWARDING, FORWARDINGS)
    tunnel_type = "ipip" if forwarding == "tunnel" else None
    if "tun-type" in options:
        tunnel_type = _checked(options, "tun-type", lambda value: parse_choice(value, TUNNEL_TYPES))
    return Server(
        key=ServerKey(address, port),
        forwarding=forwarding,
        weight=_number(options, "weight", 1, 0, MAX_INT),
        upper_threshold=_number(options, "u-threshold", 0, 0, MAX_INT),
        lower_threshold=_number(options, "l-threshold", 0, 0, MAX_INT),
        tunnel_type=tunnel_type,
        tunnel_port=_number(options, "tun-port", 0, 1, 65535) if "tun-port" in options else None,
        tunnel_checksum=checksums[0] if checksums else ("none" if tunnel_type in ("gue", "gre") else None),
    )
