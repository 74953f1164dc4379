# Copyright (c) 2026, the linux.lvs contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a task costs, as rows of a table. Runs in the lab.

Two plays are compared by the medians of several runs. Parts of them are the least of several runs, which is what they
take when nothing comes in between.
"""

import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ansible.release import __version__ as ansible_version
from ansible_collections.linux.lvs.tests.benchmark.options import row
from ansible_collections.linux.lvs.tests.lab.fixtures import Namespace, command

TIMES = 7
ITEMS = 5
SERVERS = 100
HEADER = "- hosts: localhost\n  connection: local\n  gather_facts: false\n  tasks:\n"
PING = "    - ansible.builtin.ping:\n"
SERVICE = "    - linux.lvs.ipvs_service: {netns: NETNS, address: 192.0.2.1, port: 80, scheduler: rr}\n"
SERVER = """\
    - linux.lvs.ipvs_server:
        netns: NETNS
        service: {address: 192.0.2.1, port: 80}
        address: 198.51.100.{{ item }}
        forwarding: nat
"""
COMMAND = "    - ansible.builtin.command: ip netns exec NETNS ipvsadm -a -t 192.0.2.1:80 -r 198.51.100.{{ item }} -m\n"
# What the module does before and beside its work, in the order in which it does it: milliseconds as JSON
INSIDE = """
import time
marks = [time.perf_counter()]
import ansible.module_utils.basic
marks.append(time.perf_counter())
from ansible_collections.linux.lvs.plugins.module_utils import _pyroute2
marks.append(time.perf_counter())
from ansible_collections.linux.lvs.plugins.module_utils import _host, _module, _netlink
marks.append(time.perf_counter())
with _host.network_namespace("NETNS"):
    _netlink.Kernel().table()
marks.append(time.perf_counter())
print([1000 * (after - before) for before, after in zip(marks, marks[1:])])
"""


class Plays:
    """Plays with one task, perhaps in a loop."""

    def __init__(self, netns, directory):
        self._netns = netns
        self._path = Path(directory, "play.yml")

    def _write(self, task, items):
        loop = f"      loop: {list(range(1, items + 1))}\n" if items else ""
        self._path.write_text(HEADER + task.replace("NETNS", self._netns) + loop)

    def time(self, task, items=0):
        self._write(task, items)
        begin = time.perf_counter()
        command("ansible-playbook", self._path, timeout=1800)
        return time.perf_counter() - begin

    def parts(self, task):
        """Seconds until the task begins, and of each item of its loop."""
        self._write(task, ITEMS)
        marks = [time.perf_counter()]
        words = ["ansible-playbook", self._path]
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment) as process:
            marks += [time.perf_counter() for line in process.stdout if line.startswith(("TASK", "ok:", "changed:"))]
        return [after - before for before, after in zip(marks, marks[1:])]


def least(lists):
    return [min(values) for values in zip(*lists)]


def versions():
    (pyroute2,) = [
        path.name.split("-")[1] for path in Path(os.environ["VIRTUAL_ENV"]).glob("lib/*/*/pyroute2-*.dist-info")
    ]
    row("date", datetime.date.today())
    row(
        "ansible-core, Python, pyroute2", f"{ansible_version}, {platform.python_version()}, {pyroute2[: -len('.dist')]}"
    )
    row("kernel", os.uname().release)


def one_task(plays):
    taken = [(plays.time(PING), plays.time(SERVICE)) for _time in range(TIMES)]
    ping, service = (statistics.median(values) for values in zip(*taken))
    row("a play with one `ping`", f"{ping:.2f} s")
    row("a play with one `ipvs_service` that changes nothing", f"{service:.2f} s")
    row("the second by the first", f"{service / ping:.2f}")


def parts_of_a_play(plays):
    taken = [(plays.parts(PING), plays.parts(SERVICE)) for _time in range(TIMES)]
    for name, parts in zip(("ping", "ipvs_service"), zip(*taken)):
        start, first, *further = least(parts)
        row(f"`{name}`: Ansible's start", f"{start:.2f} s")
        row(f"`{name}`: packing the module, once a play", f"{first - min(further):.2f} s")
        row(f"`{name}`: each run of the module", f"{min(further):.2f} s")


def parts_of_the_module(netns):
    program = INSIDE.replace("NETNS", netns)
    parts = least(json.loads(command(sys.executable, "-c", program).stdout) for _time in range(TIMES))
    for what, milliseconds in zip(("Ansible's `basic`", "pyroute2", "our own code"), parts):
        row(f"within a run of the module: importing {what}", f"{milliseconds:.0f} ms")
    row("within a run of the module: reading the table from the kernel", f"{parts[-1]:.0f} ms")


def hundred_servers(plays, netns):
    def add(task):
        netns.ipvsadm("-C")
        netns.ipvsadm("-A", "-t", "192.0.2.1:80", "-s", "rr")
        taken = plays.time(task, SERVERS)
        assert len(netns.save()) == SERVERS + 1
        return taken

    ours, theirs = add(SERVER), add(COMMAND)
    row(f"{SERVERS} `ipvs_server` tasks in a loop, each adds a server", f"{ours:.1f} s")
    row(f"{SERVERS} `command: ipvsadm -a …` tasks in a loop", f"{theirs:.1f} s")
    row("the first by the second", f"{ours / theirs:.2f}")


def main():
    netns = Namespace("benchmark")
    try:
        netns.ipvsadm("-A", "-t", "192.0.2.1:80", "-s", "rr")
        versions()
        with tempfile.TemporaryDirectory() as directory:
            plays = Plays(netns.name, directory)
            one_task(plays)
            parts_of_a_play(plays)
            parts_of_the_module(netns.name)
            hundred_servers(plays, netns)
    finally:
        netns.close()


if __name__ == "__main__":
    main()
