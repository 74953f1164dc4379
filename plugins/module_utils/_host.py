# Copyright (c) 2026, the linux.lvs contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of this host matters beside netlink: namespaces, the lock between our own runs, sysctls, kernel modules.

Private to linux.lvs: may change in any release.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import stat
import time
from contextlib import contextmanager, suppress
from typing import Any, Iterator

from ._errors import Busy, Refused, Unsupported

_CLONE_NEWNET = 0x40000000  # include/uapi/linux/sched.h
_NAMESPACES = ("/run/netns", "/var/run/netns")  # ip-netns(8)
_SYSCTLS = "/proc/sys/net/ipv4/vs"  # of the network namespace of the thread that looks
_CPUS = "/sys/devices/system/cpu/possible"
_LOCKS = "/run/linux-lvs"
LOCK_WAIT = 30.0  # s; a run holds the lock while it applies, never while it waits for a drain
_LOCK_POLL = 0.1  # s


def ipvs_loaded() -> bool:
    """Whether the kernel has IPVS now; without it the table of this namespace is empty."""
    return os.path.exists("/proc/net/ip_vs")


def parse_netns_name(value: Any) -> str:
    """The name of a network namespace. Raises ValueError."""
    name = str(value)
    if not name or "/" in name or name in (".", "..") or "\0" in name:
        raise ValueError(f"{value!r} is not the name of a network namespace (see ip netns list)")
    return name


@contextmanager
def network_namespace(name: str | None) -> Iterator[None]:
    """Works in the network namespace of this name. Raises Unsupported when it does not exist."""
    if name is None:
        yield
        return
    target = _open_namespace(name)
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _enter(target, f"netns: can't enter namespace {name}")
        try:
            yield
        finally:
            _enter(home, "netns: can't come back from the namespace")
    finally:
        os.close(target)
        os.close(home)


def is_this_namespace(name: str) -> bool:
    """Whether the network namespace of this name is the one that we work in."""
    here = os.stat("/proc/thread-self/ns/net")
    for directory in _NAMESPACES:
        with suppress(OSError, ValueError):
            there = os.stat(os.path.join(directory, name))
            return (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino)
    return False


def _open_namespace(name: str) -> int:
    for directory in _NAMESPACES:
        try:
            return os.open(os.path.join(directory, name), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise Unsupported(f"netns: can't open namespace {name}: {error.strerror}") from None
    there = ", ".join(_existing_namespaces()) or "none"
    raise Unsupported(f"netns: namespace {name} does not exist; there are: {there}")


def _existing_namespaces() -> list[str]:
    for directory in _NAMESPACES:
        try:
            return sorted(os.listdir(directory))
        except OSError:
            continue
    return []


def _enter(descriptor: int, message: str) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(descriptor, _CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        reason = "it needs CAP_SYS_ADMIN (become: true)" if number == errno.EPERM else os.strerror(number)
        raise Unsupported(f"{message}: {reason}")


@contextmanager
def lock(owner: str) -> Iterator[None]:
    """Keeps other runs of this collection off the table of this network namespace.

    ``owner`` is what a run that has to wait too long is told about us. Raises Busy after LOCK_WAIT seconds.
    """
    path = _LOCKS
    try:
        path = os.path.join(_LOCKS, f"{os.stat('/proc/thread-self/ns/net').st_ino}.lock")
        os.makedirs(_LOCKS, mode=0o700, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        hint = "; is this root (become: true)?" if error.errno in (errno.EACCES, errno.EPERM) else ""
        raise Unsupported(f"can't open the lock {path}: {error.strerror}{hint}") from None
    try:
        _acquire(descriptor, path)
        with suppress(OSError):  # a full disk: then those who wait are not told by whom it is held
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{owner}, process {os.getpid()}, since {time.strftime('%F %T %z')}".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _acquire(descriptor: int, path: str) -> None:
    deadline = time.monotonic() + LOCK_WAIT
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= deadline:
                holder = os.pread(descriptor, 200, 0).decode(errors="replace") or "an unknown process"
                raise Busy(f"another run changes the table and holds the lock {path}: {holder}") from None
        time.sleep(_LOCK_POLL)


def templates_expire() -> bool:
    """Whether persistent clients leave a server with weight 0 (net.ipv4.vs.expire_quiescent_template)."""
    return bool(_sysctl("expire_quiescent_template"))


def why_counters_stand_still() -> str | None:
    """What keeps the kernel from estimating, which is when it adds up too (ip_vs_est.c); None when nothing does."""
    if _sysctl("run_estimation") == 0:
        return "net.ipv4.vs.run_estimation is 0"
    with suppress(Unsupported):  # before Linux 6.2
        if not read_sysctl("est_cpulist").strip():
            return "net.ipv4.vs.est_cpulist is empty"
    return None


def _sysctl(name: str) -> int | None:
    try:
        return int(read_sysctl(name))
    except (Unsupported, ValueError):
        return None


def proc_net(name: str) -> str:
    """A file of this network namespace in /proc/net; empty when there is none."""
    try:
        # what clients sent may be in it (persistence engines), and that is not always text
        with open(f"/proc/net/{name}", encoding="utf-8", errors="backslashreplace") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def sysctl_names() -> frozenset[str] | None:
    """The sysctls net.ipv4.vs.* that there are; None while the kernel has no IPVS loaded."""
    try:
        return frozenset(os.listdir(_SYSCTLS))
    except OSError:
        return None


def read_sysctl(name: str) -> str:
    """What the kernel shows of net.ipv4.vs.*. Raises Unsupported."""
    try:
        with open(f"{_SYSCTLS}/{name}", encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError as error:
        raise Unsupported(f"can't read net.ipv4.vs.{name}: {error.strerror}") from None


def write_sysctl(name: str, text: str) -> None:
    """Sets net.ipv4.vs.*. Raises Refused."""
    try:
        descriptor = os.open(f"{_SYSCTLS}/{name}", os.O_WRONLY | os.O_CLOEXEC)
        try:
            # with its end, as a write of nothing would do nothing
            os.write(descriptor, f"{text}\n".encode())
        finally:
            os.close(descriptor)
    except OSError as error:
        raise Refused(f"the kernel refused {text!r}: {error.strerror}") from None


def why_read_only(name: str) -> str | None:
    """Why net.ipv4.vs.* can't be set here, in words; None when it can be."""
    path = f"{_SYSCTLS}/{name}"
    if os.access(path, os.W_OK):
        return None
    try:
        mounted_read_only, mode = os.statvfs(path).f_flag & os.ST_RDONLY, os.stat(path).st_mode
    except OSError as error:
        return f"it can't be reached: {error.strerror}"
    if mounted_read_only:
        return "/proc/sys is mounted read-only, as in many containers"
    if mode & stat.S_IWUSR:
        return f"this process (user id {os.geteuid()}) may not; run as root (become: true)"
    if in_user_namespace():
        return "the kernel allows that in the initial user namespace only, not in a rootless container"
    return "it is one for the whole machine, and the kernel allows that in the initial network namespace only"


def possible_cpus() -> str:
    """The CPUs that this machine may have, as the kernel lists them: 0-3."""
    try:
        with open(_CPUS, encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return f"0-{os.sysconf('SC_NPROCESSORS_CONF') - 1}"


def allowed_cpus() -> str | None:
    """The CPUs that this process may run on, as the kernel lists them."""
    try:
        with open("/proc/thread-self/status", encoding="utf-8", errors="replace") as file:
            words = dict(line.split(":", 1) for line in file if ":" in line)
        return words["Cpus_allowed_list"].strip()
    except (OSError, KeyError):
        return None


def module_loaded(name: str) -> bool:
    """Whether a kernel module is loaded or built in."""
    return os.path.isdir(f"/sys/module/{name}") or _listed("modules.builtin", name)


def module_installed(name: str) -> bool | None:
    """Whether a kernel module is there to be loaded; None where none are listed, as in a container."""
    if not os.path.exists(_listing("modules.dep")):
        return None
    return _listed("modules.dep", name)


def _listing(name: str) -> str:
    return f"/lib/modules/{os.uname().release}/{name}"


def _listed(listing: str, name: str) -> bool:
    try:
        with open(_listing(listing), encoding="utf-8", errors="replace") as file:
            return any(f"/{name}.ko" in line.split(":")[0] for line in file)
    except OSError:
        return False


def in_user_namespace() -> bool:
    """Whether root here is not root of the machine, as in a rootless container (user_namespaces(7))."""
    try:
        with open("/proc/self/uid_map", encoding="ascii") as file:
            return file.read().split() != ["0", "0", "4294967295"]
    except OSError:
        return False
