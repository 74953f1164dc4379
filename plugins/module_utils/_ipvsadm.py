# Copyright (c) 2026, the linux.lvs contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The language of ipvsadm(8): save text to tables and back, and an operation as a command line.

Private to linux.lvs: may change in any release.

What is written is what ``ipvsadm -S -n`` of version 1.31 writes, with what that loses: thresholds and the third
scheduler flag (``ipvsadm -R`` takes both). What is read is what ``ipvsadm -R`` takes, and means what it means there.
"""

from __future__ import annotations

import shlex
from functools import lru_cache
from typing import Sequence

from ._address import IPV6, endpoint, host_netmask
from ._model import (
    MAX_PERSISTENCE,
    TIMEOUTS,
    TUNNEL_CHECKSUMS,
    TUNNEL_TYPES,
    Server,
    Service,
    ServiceKey,
    Table,
    Timeouts,
    flag_names,
    sorted_keys,
)
from ._plan import ADD, REMOVE, UPDATE, Operation
from ._rules import CHECKSUM_WORDS, read_rules
from ._settings import STOP, DaemonStep

_SERVICE_LETTERS = {"tcp": "-t", "udp": "-u", "sctp": "--sctp-service"}
_FORWARDING_LETTERS = {"nat": "-m", "direct": "-g", "tunnel": "-i"}
_CHECKSUM_WORDS = {checksum: f"--{word}" for word, checksum in CHECKSUM_WORDS.items()}
_SERVICE_COMMANDS = {ADD: "-A", UPDATE: "-E", REMOVE: "-D"}
_SERVER_COMMANDS = {ADD: "-a", UPDATE: "-e", REMOVE: "-d"}
# The short names of the options that stand in a rules file
_LETTERS = {
    "A": "add-service",
    "E": "edit-service",
    "D": "delete-service",
    "a": "add-server",
    "e": "edit-server",
    "d": "delete-server",
    "C": "clear",
    "Z": "zero",
    "t": "tcp-service",
    "u": "udp-service",
    "f": "fwmark-service",
    "6": "ipv6",
    "s": "scheduler",
    "p": "persistent",
    "M": "netmask",
    "b": "sched-flags",
    "o": "ops",
    "r": "real-server",
    "g": "gatewaying",
    "i": "ipip",
    "m": "masquerading",
    "w": "weight",
    "x": "u-threshold",
    "y": "l-threshold",
}


def render(table: Table) -> str:
    """A table as text that ``ipvsadm -R`` takes; every line, the last too, ends with a newline."""
    lines: list[str] = []
    for key in sorted_keys(table):
        entry = table[key]
        lines.append(" ".join(["-A", *_service_words(key), *_attribute_words(entry.service)]))
        for name in sorted_keys(entry.servers):
            lines.append(" ".join(["-a", *_service_words(key), *_server_words(entry.servers[name])]))
    return "".join(f"{line}\n" for line in lines)


def parse(text: str) -> Table:
    """The table that a rules file leads to. Raises InvalidInput with every bad line, by number."""
    return read_rules(text, _LETTERS)


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
    key, after = operation.service, operation.after
    reasons = []
    if not key.fwmark and key.protocol not in _SERVICE_LETTERS:
        reasons.append(f"has no word for {key.protocol}")
    if isinstance(after, Service):
        reasons += _unsayable_of_service(after)
    elif after is not None:
        reasons += _unsayable_of_server(key, after)
    return tuple(f"commands: ipvsadm {reason} ({operation})" for reason in reasons)


def _unsayable_of_service(service: Service) -> list[str]:
    key, timeout, reasons = service.key, service.persistence_timeout, []
    if timeout is not None and not 1 <= timeout <= MAX_PERSISTENCE:
        reasons.append(f"refuses a persistence of {timeout} s")
    if not key.fwmark and key.port == 0 and timeout is None:
        reasons.append("refuses port 0 without persistence")
    if not key.fwmark and key.protocol != "udp" and service.one_packet:
        reasons.append("refuses one-packet scheduling for anything but UDP")
    return reasons


def _unsayable_of_server(service: ServiceKey, server: Server) -> list[str]:
    reasons = []
    if server.forwarding not in _FORWARDING_LETTERS or server.tunnel_type not in (None, *TUNNEL_TYPES):
        reasons.append(f"has no word for forwarding {server.forwarding} {server.tunnel_type or ''}".rstrip())
    if server.tunnel_checksum not in (None, *TUNNEL_CHECKSUMS):
        reasons.append(f"has no word for tunnel checksum {server.tunnel_checksum}")
    if server.tunnel_type == "gre" and server.tunnel_checksum == "remcsum":
        reasons.append("refuses remcsum for gre")
    if server.forwarding != "nat" and not service.fwmark and server.key.port != service.port:
        reasons.append(f"would write the service's port {service.port} instead of {server.key.port}")
    return reasons


@lru_cache(maxsize=1024)  # the servers of a service follow each other
def _service_words(key: ServiceKey) -> tuple[str, ...]:
    if key.fwmark:
        return ("-f", str(key.fwmark), *(["-6"] if key.family == IPV6 else []))
    letter = _SERVICE_LETTERS.get(key.protocol or "", f"--{key.protocol}-service")
    return (letter, endpoint(key.address or "", key.port))


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
