# Copyright (c) 2026, the linux.lvs contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a command as root on a kernel that has IPVS; its output and exit status become those of this program.

LAB=uml (default): a throw-away kernel in user mode over this machine's own files. What is written is written to
memory, except below $LAB_OUT. LAB=native: this machine's kernel, with network, mounts and processes of its own.
Exit status: the command's; 124 when its time is up; 125 when the lab itself fails; 128+n after signal n.
"""

import argparse
import contextlib
import os
import re
import select
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from balance import Balance

LAB = Path(__file__).resolve().parent
REPOSITORY = LAB.parent.parent
TIME_UP, LAB_FAILED = 124, 125
CONSOLE_LINES = 25
MAPPINGS = Path("/proc/sys/vm/max_map_count")
LOOK_EVERY = 10  # seconds


class LabError(Exception):
    """The lab, not the command, failed. status: what to exit with."""

    def __init__(self, text, status=LAB_FAILED):
        super().__init__(text)
        self.status = status


def main():
    options = parse(sys.argv[1:])
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupted)
    job = Path(tempfile.mkdtemp(prefix="lvs-lab."))
    try:
        return lane()(job, options)
    except LabError as error:
        tail = console_tail(job)
        print(f"lab: {error}", *tail, sep="\n", file=sys.stderr, flush=True)
        return error.status
    finally:
        shutil.rmtree(job, ignore_errors=True)


def lane():
    name = os.environ.get("LAB", "uml")
    if name not in ("uml", "native"):
        raise LabError(f"LAB is uml or native, not {name}")
    return native if name == "native" else uml


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--time", type=float, default=300, metavar="SECONDS", help="limit, default %(default)s")
    parser.add_argument("--mem", default="2G", help="memory of the throw-away kernel, default %(default)s")
    parser.add_argument("--unbound", action="store_true", help="on all processors, where system calls are dearer")
    parser.add_argument("command", nargs="+", metavar="COMMAND")
    return parser.parse_args(arguments)


def interrupted(number, frame):
    raise LabError(f"interrupted by {signal.Signals(number).name}", 128 + number)


def uml(job, options):
    found = subprocess.run([LAB / "env", "kernel"], stdout=subprocess.PIPE, text=True, check=False)
    if found.returncode:
        raise LabError("no user-mode kernel (see above)")
    kernel = Path(found.stdout.strip())
    write_script(job, options.command, "uml", home="/run/lvs-lab")
    receive, send = os.pipe()
    processors = os.sched_getaffinity(0) if options.unbound else {own_processor()}
    words = [
        *("seccomp=on", f"mem={options.mem}", "rootfstype=hostfs", "rootflags=/", "ro", "noreboot", "quiet"),
        *("con=null", "con0=null,fd:1", "ssl=null", f"ssl0=null,fd:{send}"),
        *(f'init="{LAB / "init"}"', f'job="{job}"', f'kernel="{kernel}"', f'out="{out_directory(job)}"'),
    ]
    with (job / "console").open("wb") as console:
        child = subprocess.Popen(
            [kernel / "bin" / "linux.uml", *words],
            env={"HOME": str(job), "TMPDIR": memory_directory(job, options.mem)},
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=console,
            pass_fds=[send],
            start_new_session=True,
            preexec_fn=lambda: os.sched_setaffinity(0, processors),
        )
    os.close(send)
    follow(child, receive, options.time, refuse_to_hang)
    try:
        return int((job / "status").read_text())
    except (OSError, ValueError):
        raise LabError(f"the kernel ended before the command did (its own exit status: {child.returncode})") from None


def refuse_to_hang(session):
    """A process has a mapping for each page whose neighbours lie elsewhere. When this machine gives it no more of them, the
    kernel in user mode asks for ever.
    """
    limit = int(MAPPINGS.read_text())
    for process in processes_of(session):
        with contextlib.suppress(OSError):
            pages = int(Path("/proc", str(process), "statm").read_text().split()[0])
            if pages > limit and Path("/proc", str(process), "maps").read_bytes().count(b"\n") >= limit:
                raise LabError(
                    f"a process would hang: it has {limit} mappings, as many as this machine allows ({MAPPINGS}), which is"
                    f" {pages * os.sysconf('SC_PAGE_SIZE') >> 20} MB in pieces. Let it use less memory"
                )


def own_processor():
    """The one for a new kernel: that and its one running process take turns. On two processors each turn wakes the other
    one up, and in a virtual machine that takes longer than the turn itself. Several kernels spread out.
    """
    taken = [allowed.pop() for allowed in map(processors_of, os.listdir("/proc")) if len(allowed) == 1]
    return min(sorted(os.sched_getaffinity(0)), key=taken.count)


def processors_of(entry):
    """Those that a kernel of ours may run on; none for everything else."""
    try:
        if Path("/proc", entry, "comm").read_text() == "linux.uml\n":
            return os.sched_getaffinity(int(entry))
    except (OSError, ValueError):  # gone meanwhile, or no process
        pass
    return set()


def native(job, options):
    if os.geteuid() != 0:
        raise LabError("LAB=native needs root")
    if not kernel_has_ipvs():
        raise LabError(f"LAB=native: this machine's kernel ({os.uname().release}) has no ip_vs; use LAB=uml")
    write_script(job, options.command, "native", home=str(job))
    receive, send = os.pipe()
    child = subprocess.Popen(
        ["unshare", "--mount", "--net", "--pid", "--ipc", "--uts", "--fork", "--kill-child", "--mount-proc"]
        + ["bash", LAB / "init-native", job],
        stdin=subprocess.DEVNULL,
        stdout=send,
        stderr=send,
        start_new_session=True,
    )
    os.close(send)
    status = follow(child, receive, options.time)
    return status if status >= 0 else 128 - status


def kernel_has_ipvs():
    loaded = Path("/proc/net/ip_vs").exists()
    return loaded or subprocess.run(["modprobe", "-n", "-q", "ip_vs"], check=False).returncode == 0


def out_directory(job):
    """Where the command may write for the host to read: $LAB_OUT, or a directory that nobody will look at."""
    out = Path(os.environ.get("LAB_OUT") or job / "out").absolute()
    out.mkdir(parents=True, exist_ok=True)
    return out


def memory_directory(job, size):
    """The kernel's memory is a file. In containers /dev/shm may be too small for it."""
    shm = Path("/dev/shm")
    number, unit = re.fullmatch(r"(\d+)([MG])", size).groups()
    needed = int(number) << {"M": 20, "G": 30}[unit]
    return str(shm if shm.is_dir() and shutil.disk_usage(shm).free > needed else job)


def write_script(job, command, lane, home):
    """The command with this environment, as a file: no word of it can be misread on the way."""
    own = {
        "HOME": f"{home}/home",
        "TMPDIR": f"{home}/tmp",
        "LANG": "C.UTF-8",
        "LVS_LAB": lane,
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    # what lies in the real home directory
    own["LVS_CACHE"] = subprocess.run(
        [LAB / "env", "cache"], stdout=subprocess.PIPE, text=True, check=True
    ).stdout.strip()
    own["LAB_OUT"] = str(out_directory(job))
    own["PATH"] = os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin"
    dropped = {"XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR", "TMP", "TEMP", "LAB"}
    kept = {name: value for name, value in os.environ.items() if name.isidentifier() and name not in dropped}
    exports = [f"export {name}={shlex.quote(value)}" for name, value in {**kept, **own}.items()]
    lines = [
        *exports,
        'mkdir -p "$HOME" "$TMPDIR"',
        f"cd {shlex.quote(str(REPOSITORY))}",
        f"exec {shlex.join(command)}",
    ]
    (job / "script").write_text("\n".join(lines) + "\n")


def follow(child, receive, seconds, look=lambda session: None):
    """Copy the output until the child ends; whatever happens, none of its processes is left."""
    looked = time.monotonic()
    deadline = looked + seconds
    balance = Balance()
    try:
        while True:
            ended = child.poll() is not None
            balance.look([child.pid])
            if not ended and time.monotonic() > looked + LOOK_EVERY:
                looked = time.monotonic()
                look(child.pid)
            if copy_some(receive, 0 if ended else 0.2):
                continue
            if ended:
                return child.returncode
            if time.monotonic() > deadline:
                raise LabError(f"time is up after {seconds:g} s", TIME_UP)
    finally:
        end_session(child)
        os.close(receive)


def copy_some(receive, wait):
    if not select.select([receive], [], [], wait)[0]:
        return False
    data = os.read(receive, 65536)
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
    if not data:
        time.sleep(wait)
    return bool(data)


def end_session(child):
    """SIGKILL to every process of the child's session, until there is none."""
    while left := [pid for pid in processes_of(child.pid) if pid != child.pid or child.poll() is None]:
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(0.02)


def processes_of(session):
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            words = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()
        except OSError:
            continue
        if words[3] == str(session) and words[0] != "Z":
            yield int(entry.name)


def console_tail(job):
    try:
        lines = (job / "console").read_text(errors="replace").splitlines()
    except OSError:
        return []
    return [f"  console: {line}" for line in lines[-CONSOLE_LINES:]]


if __name__ == "__main__":
    sys.exit(main())
