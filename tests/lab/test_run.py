# Copyright (c) 2026, the linux.lvs contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's promises to those who run commands in it. Runs on the host, one boot a test."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

LAB = Path(__file__).parent
RUN = LAB / "run"
PLUGIN = "ansible_collections.linux.lvs.tests.lab.fixtures"


def lab(*command, run=RUN, options=(), timeout=120, **environment):
    env = {**os.environ, "LAB": "uml", **environment}
    return subprocess.run(
        [run, *options, "--", *command], env=env, capture_output=True, text=True, timeout=timeout, check=False
    )


def session_of_child(parent):
    """The runner starts the kernel in a session of its own."""
    return next(pid for pid, stat in stats() if stat[1] == str(parent) and stat[3] == str(pid))


def stats():
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            yield int(entry.parent.name), entry.read_text().rpartition(")")[2].split()
        except OSError:
            continue


def alive(session):
    return [pid for pid, stat in stats() if stat[3] == str(session) and stat[0] != "Z"]


@pytest.fixture
def started():
    """Starts the lab with a command and waits for its first line: (runner, session of the kernel)."""
    runners = []

    def start(*command, options=()):
        runner = subprocess.Popen(
            [RUN, *options, "--", *command],
            env={**os.environ, "LAB": "uml"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        runners.append(runner)
        assert runner.stdout.readline() == "begun\n"
        return runner, session_of_child(runner.pid)

    yield start
    for runner in runners:
        runner.terminate()
        runner.communicate(timeout=30)


def test_status_output_order_and_words_come_through():
    script = 'echo "$0|$1"; echo to stderr >&2; printf "\\033[32mgreen\\033[0m\\n"; id -u; exit 7'
    done = lab("bash", "-c", script, "a  b", "c\"d'e$f\n g")
    assert done.stdout == "a  b|c\"d'e$f\n g\nto stderr\n\033[32mgreen\033[0m\n0\n"
    assert done.stderr == ""
    assert done.returncode == 7


def test_a_process_that_would_hang_for_want_of_mappings_is_told():
    """Pages that are touched in any order lie anywhere."""
    pages = 2 * int(Path("/proc/sys/vm/max_map_count").read_text())
    if pages > 1 << 18:
        pytest.skip("this machine allows so many mappings that the lab's memory ends first")
    touch = f"""if True:
        import mmap, random
        memory = mmap.mmap(-1, {pages} << 12)
        for page in random.sample(range({pages}), {pages}):
            memory[page << 12] = 1
        """
    done = lab("python3", "-c", touch, timeout=200)
    assert (done.returncode, done.stdout) == (125, "")
    assert re.search(r"a process would hang: it has \d+ mappings, .* Let it use less memory", done.stderr)


def test_output_is_no_terminal_and_comes_whole():
    done = lab("bash", "-c", "[ -t 1 ] && echo terminal; head -c 3000000 /dev/zero | tr '\\0' x")
    assert done.stdout == "x" * 3_000_000


def test_files_come_back_from_lab_out_only(tmp_path):
    out = tmp_path / "what comes back"
    done = lab(
        "bash", "-c", 'echo kept >"$LAB_OUT/file"; echo lost >"$0"', str(tmp_path / "elsewhere"), LAB_OUT=str(out)
    )
    assert done.returncode == 0, done.stderr
    assert (out / "file").read_text() == "kept\n"
    assert not (tmp_path / "elsewhere").exists()


def test_ipvs_is_loaded_by_its_first_user():
    done = lab("bash", "-c", "ls /proc/net/ip_vs; ipvsadm -Ln >/dev/null; head -1 /proc/net/ip_vs")
    first, second = done.stdout.splitlines()
    assert "No such file" in first
    assert second.startswith("IP Virtual Server version")


def test_background_processes_hold_nothing_up():
    begin = time.monotonic()
    assert lab("bash", "-c", "sleep 100 & echo done").stdout == "done\n"
    assert time.monotonic() - begin < 30


def test_a_hang_ends_when_the_time_is_up(started):
    runner, session = started("bash", "-c", "echo begun; sleep 100", options=["--time", "5"])
    assert runner.wait(30) == 124
    assert "lab: time is up after 5 s" in runner.stderr.read()
    assert alive(session) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupt_ends_every_process(started, number):
    runner, session = started("bash", "-c", "echo begun; sleep 100 & sleep 100")
    runner.send_signal(number)
    assert runner.wait(30) == 128 + number
    assert f"lab: interrupted by {number.name}" in runner.stderr.read()
    assert alive(session) == []


def test_a_crash_of_the_kernel_is_told_with_its_console(started):
    runner, session = started("bash", "-c", "echo begun; sleep 1; echo c >/proc/sysrq-trigger; sleep 100")
    assert runner.wait(30) == 125
    told = runner.stderr.read()
    assert "lab: the kernel ended before the command did" in told
    assert "console: " in told
    assert alive(session) == []


@pytest.mark.parametrize("parent", ["/tmp", "/run", "/var/tmp"])
def test_the_repository_may_lie_anywhere(parent):
    with tempfile.TemporaryDirectory(prefix="lab test ", dir=parent) as directory:
        repository = Path(directory, "a b")
        shutil.copytree(LAB, repository / "tests" / "lab")
        shutil.copy(LAB.parent / "requirements.txt", repository / "tests")
        done = lab("bash", "-c", "pwd; ls", run=repository / "tests" / "lab" / "run")
        assert done.stdout == f"{repository}\ntests\n", done.stderr


def test_native_says_what_is_missing():
    if Path("/proc/net/ip_vs").exists() or not subprocess.run(["modprobe", "-nq", "ip_vs"], check=False).returncode:
        done = lab("ipvsadm", "-Ln", LAB="native")
        assert done.stdout.startswith("IP Virtual Server")
    else:
        done = lab("true", LAB="native")
        assert done.returncode == 125
        assert "has no ip_vs" in done.stderr


OUTER = """
ip link add outside type dummy; ip addr add 192.0.2.9/24 dev outside; ip link set outside up
ipvsadm -A -t 192.0.2.9:80 -s rr
state() { ipvsadm -Sn; ip -br addr; sysctl net.ipv4.ip_forward net.ipv4.vs.drop_entry; ls /run/netns; cat /proc/self/mounts; }
state >/run/before
LAB=native "$0" -- bash -c 'ipvsadm -Ln | wc -l; ipvsadm -A -t 192.0.2.9:80 -s sh; ip netns add inner; ip link set lo up
    ip -br addr; sysctl -qw net.ipv4.ip_forward=1 net.ipv4.vs.drop_entry=1; sleep 100 & exit 9'
echo "status $?"; state >/run/after; cmp /run/before /run/after && echo unchanged
pgrep -x sleep >/dev/null || echo "nothing left"
"""


def test_native_leaves_the_host_alone():
    done = lab("bash", "-c", OUTER, str(RUN))
    lines = done.stdout.splitlines()
    assert lines[0] == "3", done.stdout + done.stderr
    assert lines[1].split()[:2] == ["lo", "UNKNOWN"]
    assert lines[2:] == ["status 9", "unchanged", "nothing left"]


# Modules that tests load for good bring settings of their own, so they are there before; so are table and lock files
HOST = """
modprobe -a ip_vs ip_vs_lblc ip_vs_lblcr sctp
ip link add outside type dummy; ip addr add 192.0.2.9/24 dev outside; ip link set outside up
ipvsadm -A -t 192.0.2.9:80 -s rr; ipvsadm -a -t 192.0.2.9:80 -r 192.0.2.10 -m
ip netns add mine; mkdir /run/linux-lvs; echo held >/run/linux-lvs/1.lock
state() {
    sysctl -a 2>/dev/null | grep -E "^(net|kernel.modprobe)" | grep -vE "$MOVING"
    ip -br link; ip -br addr; ip route; ip -6 route; cat /proc/self/mounts
    ls -I 'lab test*' /run; ls -lR /run/netns /run/linux-lvs
    ipvsadm -Sn; ipvsadm -Ln --thresholds; ipvsadm -L --timeout; ipvsadm -L --daemon
}
state >/run/lvs-lab/before
"$@" || exit
state >/run/lvs-lab/after; diff /run/lvs-lab/before /run/lvs-lab/after && echo unchanged
"""
# What the kernel counts or makes up anew each time it is read
MOVING = r"random|_count |uuid|fib_multipath_hash_seed|nf_conntrack_expect"


def test_the_same_tests_run_natively_and_leave_the_host_alone():
    """A selection: `run stock` has the kernel's tests natively too, and the suites themselves are for each ansible-core."""
    one_core = os.environ["LVS_CORES"].strip(":").rpartition(":")[2]
    tests = ["tests/kernel", "tests/integration", "tests/packets"]
    pytest_words = ["python", "-m", "pytest", "-p", PLUGIN, "-m", "fast", *tests]
    inner = [
        "env",
        "LAB=native",
        "HYPOTHESIS_PROFILE=quick",
        f"LVS_CORES={one_core}",
        str(RUN),
        "--time",
        "3600",
        "--",
        *pytest_words,
    ]
    done = lab("bash", "-c", HOST, "host", *inner, options=["--time", "3600"], timeout=3700, MOVING=MOVING)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"=+ \d+ passed", done.stdout), done.stdout
    assert done.stdout.endswith("\nunchanged\n"), done.stdout
