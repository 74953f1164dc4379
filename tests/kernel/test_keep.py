# Copyright (c) 2026, the linux.lvs contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The roles' program while nothing happens, and when a later release of it is put in its place."""

from __future__ import annotations

import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[2] / "roles" / "director" / "files" / "keep.py"
LINES = """\
link add lvs0 type dummy
sysctl net/ipv6/conf/lvs0/addr_gen_mode 1
link set lvs0 up
-4 address add 192.0.2.1/32 dev lvs0
-6 address add 2001:db8::1/128 dev lvs0 nodad
-4 rule add from 192.0.2.1 lookup 4320 priority 4321
"""


@pytest.fixture
def keeper(netns, tmp_path):
    """It runs, with a state of its own, and has made what it is to make."""
    program, lines = tmp_path / "keep.py", tmp_path / "lines"
    program.write_text(PROGRAM.read_text().replace('"/run/linux-lvs"', repr(str(tmp_path / "state"))))
    lines.write_text(LINES)
    netns.run("ip", "link", "set", "lo", "up")
    words = ["ip", "netns", "exec", netns.name, sys.executable, program, "run", lines]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            for line in LINES.splitlines():
                if line.startswith("sysctl"):
                    assert process.stdout.readline() == f"set: {line.split()[1]} to 1\n"
                else:
                    assert process.stdout.readline() == f"added: {line}\n"
            yield process, program
        finally:
            process.terminate()


def events(netns, seconds):
    """What whoever listens to the network is told in this time."""
    watching = ["timeout", str(seconds), "ip", "-o", "monitor", "link", "address", "route", "rule"]
    return netns.run(*watching, check=False, timeout=60).stdout


def test_it_makes_no_noise_and_puts_back_what_goes(netns, keeper):
    process, _program = keeper
    end = time.monotonic() + 30
    while events(netns, 2) and time.monotonic() < end:
        pass
    assert events(netns, 3) == ""
    netns.run("ip", "link", "set", "lvs0", "down")
    assert process.stdout.readline() == "added: link set lvs0 up\n"
    assert "UP" in netns.run("ip", "link", "show", "lvs0").stdout


def test_a_later_release_of_it_takes_over_when_something_happens(netns, keeper):
    process, program = keeper
    program.write_text(program.read_text().replace("removed: ", "gone: ").replace("added: ", "later: "))
    netns.run("ip", "address", "del", "192.0.2.1/32", "dev", "lvs0")
    assert select.select([process.stdout], [], [], 30)[0]
    assert process.stdout.readline() == "later: -4 address add 192.0.2.1/32 dev lvs0\n"


def test_addresses_do_not_wait_for_an_interface_that_is_down(netns, tmp_path):
    program, lines = tmp_path / "keep.py", tmp_path / "vips"
    program.write_text(PROGRAM.read_text().replace('"/run/linux-lvs"', repr(str(tmp_path / "state"))))
    lines.write_text("vip 192.0.2.1/32 down0\nvip 192.0.2.2/32 up0\n")
    for device in ("down0", "up0"):
        netns.run("ip", "link", "add", device, "type", "dummy")
    netns.run("ip", "link", "set", "up0", "up")
    for number in (1, 2):
        netns.ipvsadm("-A", "-t", f"192.0.2.{number}:80")
    done = netns.run(sys.executable, program, "once", lines, check=False)
    assert done.returncode == 1
    assert "vip 192.0.2.1/32 down0: stays down, because nobody can be asked for it on down0: Network is down" in (
        done.stdout + done.stderr
    )
    assert "192.0.2.2/32" in netns.run("ip", "address", "show", "dev", "up0").stdout
    netns.run("ip", "link", "set", "down0", "up")
    netns.run(sys.executable, program, "once", lines)
    assert "192.0.2.1/32" in netns.run("ip", "address", "show", "dev", "down0").stdout
