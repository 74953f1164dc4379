# Copyright (c) 2026, the linux.lvs contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who else declares services on this host: the files of other programs, whether these start with the host, and run now.

Private to linux.lvs: may change in any release.

Files are read and nothing else: no program is started, no name is resolved.
"""

from __future__ import annotations

import getopt
import glob
import os
import re
import shlex
import socket
import stat
from contextlib import suppress
from typing import Any, Callable, Iterable, Iterator, NamedTuple, Sequence

from . import _keepalived, _ldirectord
from ._blocks import Found, Source, read_tree
from ._errors import InvalidInput
from ._ipvsadm import parse
from ._model import Claim, Declared, Place, Setting

MAX_BYTES = 16 * 1024 * 1024  # of a file
_SYSTEM = ("/etc/systemd/system", "/run/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system")
_STARTS = (  # links that start a program with the host: of systemd, of SysV, of OpenRC
    *(f"{directory}/*.{relation}/{{}}.service" for directory in _SYSTEM for relation in ("wants", "requires")),
    "/etc/rc[2-5].d/S[0-9][0-9]{}",
    "/etc/runlevels/*/{}",
)
_ASSIGNMENT = re.compile(r"[ \t]*(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_]*)=(.*)")
_WILDCARDS = re.compile(r"[*?\[]")
_INTERPRETER = re.compile(r"(?:perl|python|(?:ba|da|k|z|)sh)[0-9.]*")
_CODE = re.compile(r"-[A-Za-z]*[ceEm]")  # options after which no script comes, but what to run
_ADDS_SERVICE = re.compile(r"\s*(?:ipvsadm\s+)?(?:-A|--add-service)")

_KEEPALIVED = "/etc/keepalived/keepalived.conf"
_KEEPALIVED_LETTERS = "f:PCBlDS:Gu:XVIRndp:r:Tc:ab:s:xA:mM:ei:tvh"
# fmt: off
_KEEPALIVED_WORDS = [
    "use-file=", "vrrp", "check", "no_bfd", "all", "log-console", "log-detail", "log-facility=", "no-syslog", "umask=",
    "release-vips", "dont-release-vrrp", "dont-release-ipvs", "dont-respawn", "dont-fork", "dump-conf", "pid=",
    "vrrp_pid=", "genhash", "checkers_pid=", "address-monitoring", "bfd_pid=", "snmp", "snmp-agent-socket=",
    "namespace=", "core-dump", "core-dump-pattern=", "all-config", "config-id=", "signum=", "config-test", "version",
    "help",
]
# fmt: on
_LDIRECTORD = ("/etc/ha.d/ldirectord*.cf", "/etc/ha.d/conf/ldirectord*.cf", "/etc/ldirectord.cf")
_LDIRECTORD_COMMANDS = ("start", "stop", "restart", "try-restart", "reload", "force-reload", "status")


class Owner(NamedTuple):
    """A service that a program declares, or what it sets for those of others too."""

    program: str
    claim: Claim | Setting
    enabled: bool
    running: bool

    def to_options(self) -> dict[str, Any]:
        """As ipvs_owner_info returns it."""
        return {
            "program": self.program,
            "path": self.claim.place.path,
            "line": self.claim.place.line,
            "enabled": self.enabled,
            "running": self.running,
            **self.claim.to_options(),
        }


class Process(NamedTuple):
    """A process of this host; ``here`` is whether its network namespace is ours, as far as we may know."""

    words: Sequence[str]
    here: bool


class Host:
    """The files of a host, as they are below a directory; keeps which were read, and what was wrong."""

    def __init__(self, root: str = "") -> None:
        self._root = root
        self.files: dict[str, None] = {}
        self.warnings: dict[str, None] = {}

    def warn(self, *texts: str) -> None:
        """Notes what a user should know, once."""
        self.warnings.update(dict.fromkeys(texts))

    def names(self, pattern: str) -> list[str]:
        """What is there of a name that may have wildcards."""
        return sorted(name[len(self._root) :] for name in glob.glob(self._root + pattern))

    def read(self, path: str) -> str:
        """What a file says. Raises OSError, also for what is not a file."""
        # no device and no pipe keeps us waiting
        descriptor = os.open(self._root + path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise OSError(0, "it is not a regular file")
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise OSError(0, f"it has more than {MAX_BYTES} bytes")
        self.files[path] = None
        return data.decode("utf-8", "replace")

    def read_if_there(self, path: str) -> str | None:
        """What a file says; None when there is none, or, with a warning, when it can't be read."""
        try:
            return self.read(path)
        except (FileNotFoundError, NotADirectoryError):
            pass
        except (OSError, ValueError) as error:
            self.warn(f"{path}: can't be read: {_reason(error)}")
        return None

    def find(self, pattern: str) -> Found:
        """The files of an include."""
        sources, problems = [], []
        try:
            names = self.names(pattern)
        except ValueError as error:  # a zero byte
            return Found(problems=[str(error)])
        if not names and not _WILDCARDS.search(pattern):
            problems.append("there is no such file")
        for name in names:
            try:
                sources.append(Source(name, self.read(name)))
            except IsADirectoryError:
                continue
            except OSError as error:
                problems.append(f"{name} can't be read: {_reason(error)}")
        return Found(sources, problems)

    def settings(self, *paths: str) -> dict[str, str]:
        """The variables that a file for the shell sets, such as /etc/default has them."""
        found: dict[str, str] = {}
        for path in paths:
            for line in (self.read_if_there(path) or "").split("\n"):
                match = _ASSIGNMENT.match(line)
                if match:
                    with suppress(ValueError):  # a quotation that has no end
                        found[match[1]] = " ".join(shlex.split(match[2], comments=True)[:1])
        return found

    def starts(self, program: str) -> bool:
        """Whether a program starts with the host."""
        return any(self.names(pattern.format(program)) for pattern in _STARTS) and not self._masked(program)

    def _masked(self, program: str) -> bool:
        unit = f"{self._root}{_SYSTEM[0]}/{program}.service"
        return os.path.islink(unit) and os.readlink(unit) == os.devnull

    def processes(self, program: str) -> Iterator[Process]:
        """The processes that run a program, as far as they are not those of a container."""
        for directory in self.names("/proc/[0-9]*"):
            with suppress(OSError):  # it ended
                words = self._words(f"{directory}/cmdline")
                if _program(words) == program and self._ours(directory, "pid"):
                    yield Process(words, self._ours(directory, "net"))

    def _words(self, path: str) -> list[str]:
        with open(self._root + path, "rb") as file:
            return file.read(MAX_BYTES).decode("utf-8", "replace").split("\0")[:-1]

    def _ours(self, directory: str, kind: str) -> bool:
        """Whether a process is in our namespace of a kind; yes, where we may not know."""
        try:
            theirs, ours = (os.stat(f"{self._root}{each}/ns/{kind}") for each in (directory, "/proc/thread-self"))
        except OSError:
            return True
        return (theirs.st_dev, theirs.st_ino) == (ours.st_dev, ours.st_ino)


def _program(words: Sequence[str]) -> str:
    """What a process runs; of an interpreter the script, as it names it first. What has the name as an argument does not."""
    name = os.path.basename(words[0]) if words else ""
    if not _INTERPRETER.fullmatch(name):
        return name
    script = next((word for word in words[1:] if not word.startswith("-") or _CODE.fullmatch(word)), "")
    return os.path.basename(script)


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)


def find_owners(host: Host, is_here: Callable[[str], bool]) -> list[Owner]:
    """All that other programs declare and set; ``is_here`` says of the name of a namespace whether it is ours."""
    return [*_keepalived_owners(host, is_here), *_ldirectord_owners(host), *_ipvsadm_owners(host)]


class _Start(NamedTuple):
    """How keepalived is started."""

    path: str
    name: str
    netns: str
    vrrp_only: bool


def _keepalived_owners(host: Host, is_here: Callable[[str], bool]) -> Iterator[Owner]:
    options = host.settings("/etc/default/keepalived", "/etc/sysconfig/keepalived")
    at_boot = _keepalived_start(
        [word for name in ("DAEMON_ARGS", "KEEPALIVED_OPTIONS") for word in options.get(name, "").split()], host
    )
    now: dict[_Start, bool] = {}
    for process in host.processes("keepalived"):
        start = _keepalived_start(process.words[1:], host)
        now[start] = now.get(start, False) or process.here
    for start in dict.fromkeys([at_boot, *now]):
        declared = _keepalived_declared(start, host)
        netns = start.netns or declared.netns
        if netns and not is_here(netns):
            continue
        enabled = start == at_boot and host.starts("keepalived")
        running = start in now and (bool(netns) or now[start])
        if start == at_boot or running:
            claims: Sequence[Claim | Setting] = [*declared.claims, *declared.settings]
            yield from (Owner("keepalived", claim, enabled, running) for claim in claims)


def _keepalived_start(words: Sequence[str], host: Host) -> _Start:
    values: dict[str, str] = {}
    try:
        options, _others = getopt.gnu_getopt(list(words), _KEEPALIVED_LETTERS, _KEEPALIVED_WORDS)
        values = {name.lstrip("-"): value for name, value in options}
    except getopt.GetoptError as error:
        host.warn(f"keepalived {' '.join(words)}: {error}")
    return _Start(
        path=os.path.join("/", values.get("f", values.get("use-file", _KEEPALIVED))),
        name=values.get("i", values.get("config-id", os.uname().nodename.partition(".")[0])),
        netns=values.get("s", values.get("namespace", "")),
        vrrp_only="P" in values or "vrrp" in values,
    )


def _keepalived_declared(start: _Start, host: Host) -> Declared:
    text = host.read_if_there(start.path)
    if text is None:
        return Declared((), ())
    tree = read_tree(Source(start.path, text), host.find, start.name)
    declared = _keepalived.declared_services(tree.statements, checks=not start.vrrp_only)
    host.warn(*tree.warnings, *declared.warnings)
    return declared


def _ldirectord_owners(host: Host) -> Iterator[Owner]:
    enabled = host.starts("ldirectord")
    named = host.settings("/etc/default/ldirectord", "/etc/sysconfig/ldirectord").get("CONFIG_FILE")
    running = {path for process in host.processes("ldirectord") for path in _ldirectord_files(process.words, host)}
    there = [path for pattern in _LDIRECTORD for path in host.names(pattern)]
    for path in dict.fromkeys([*([named] if named else []), *there, *sorted(running)]):
        text = host.read_if_there(path)
        if text is not None:
            declared = _ldirectord.declared_services(path, text, _port_of)
            host.warn(*declared.warnings)
            yield from (Owner("ldirectord", claim, enabled, path in running) for claim in declared.claims)


def _ldirectord_files(words: Sequence[str], host: Host) -> Iterable[str]:
    """Where ldirectord looks for the file that its command line names, or for its own."""
    at = next((at for at, word in enumerate(words) if word in _LDIRECTORD_COMMANDS), 0)
    named = words[at - 1] if at else ""
    name = named if named and os.path.basename(named) != "ldirectord" else "ldirectord.cf"
    places = [f"/etc/ha.d/{name}", f"/etc/ha.d/conf/{name}", name]
    return [path for path in places if path.startswith("/") and host.names(glob.escape(path))][:1]


def _port_of(name: str, protocol: str) -> int:
    try:
        return socket.getservbyname(name, protocol)
    except OSError:
        raise ValueError(f"{name!r} is not a port, nor a service of {protocol} that /etc/services names") from None


def _ipvsadm_owners(host: Host) -> Iterator[Owner]:
    starts = host.starts("ipvsadm")
    automatic = host.settings("/etc/default/ipvsadm").get("AUTO") == "true"
    for path, enabled in (("/etc/ipvsadm.rules", starts and automatic), ("/etc/sysconfig/ipvsadm", starts)):
        for number, line in enumerate((host.read_if_there(path) or "").split("\n"), 1):
            if not _ADDS_SERVICE.match(line):
                continue
            place = Place(path, number)
            try:
                yield from (Owner("ipvsadm", Claim(key, place), enabled, False) for key in parse(line))
            except InvalidInput as error:
                host.warn(*(f"{place}: {problem.partition(': ')[2]}" for problem in error.problems))
