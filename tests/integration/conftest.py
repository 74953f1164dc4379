# Copyright (c) 2026, the linux.lvs contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real runs of Ansible's programs, on each ansible-core that was made ready."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from ansible_collections.linux.lvs.tests.lab.fixtures import CORES

PLAYS = Path(__file__).parent / "plays"
HEADER = """
- name: {name}
  hosts: localhost
  connection: local
  gather_facts: false
  module_defaults:
    group/linux.lvs.ipvs:
      netns: {netns}
  tasks:
"""


def play_of_tasks(name, netns, tasks):
    """A playbook around a list of tasks, all in that namespace."""
    lines = [f"    {line}".rstrip() for line in tasks.strip().splitlines()]
    return HEADER.format(name=name, netns=netns) + "\n".join(lines) + "\n"


class Ansible:
    """An installed ansible-core."""

    def __init__(self, venv, directory):
        self._bin = Path(venv) / "bin"
        self._directory = directory
        self._environment = {
            **os.environ,
            "PATH": f"{self._bin}:{os.environ['PATH']}",
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_NOCOWS": "1",
            # half of Ansible takes the home directory from HOME and half from the user's entry, which differ in the lab
            "ANSIBLE_ASYNC_DIR": str(directory / "async"),
        }

    def run(self, program, *words, check=True, prefix=(), **environment):
        """One of Ansible's programs. check: its exit status has to be 0."""
        done = subprocess.run(
            [*prefix, self._bin / program, *map(str, words)],
            env={**self._environment, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )
        assert not check or done.returncode == 0, done.stdout
        return done

    def play(self, playbook, *options, check=True, prefix=(), **environment):
        """Play a file of plays/, or a text; returns Played."""
        path = PLAYS / playbook
        if "\n" in playbook:
            path = self._directory / "play.yml"
            path.write_text(playbook)
        done = self.run("ansible-playbook", path, *options, check=check, prefix=prefix, **environment)
        return Played(done)

    def play_by_name(self, name, *options, check=True, **environment):
        """Play a playbook of the collection; returns Played."""
        return Played(self.run("ansible-playbook", f"linux.lvs.{name}", *options, check=check, **environment))


class Played:
    """What a run of ansible-playbook said."""

    def __init__(self, done):
        self.status = done.returncode
        self.text = done.stdout

    @property
    def recaps(self):
        """ok, changed, failed and so on, by host."""
        lines = re.findall(r"^(\S+) +: (ok=.*)$", self.text, re.MULTILINE)
        return {host: {word: int(number) for word, number in re.findall(r"(\w+)=(\d+)", line)} for host, line in lines}

    @property
    def recap(self):
        """The same of the only host."""
        (recap,) = self.recaps.values()
        return recap

    @property
    def changed(self):
        """How many tasks changed something, by host; hosts without one are left out."""
        return {host: recap["changed"] for host, recap in self.recaps.items() if recap["changed"]}

    def of_task(self, name):
        """The lines of one task."""
        begin = rf"^TASK \[{re.escape(name)}\] \**\n"
        return re.search(rf"{begin}(.*?)\n+(TASK \[|PLAY )", self.text, re.MULTILINE | re.DOTALL).group(1)


def installed(version, directory):
    return Ansible(CORES[version], directory)


def versions():
    """Oldest first."""
    return sorted(CORES, key=lambda version: [int(part) for part in version.split(".")])


@pytest.fixture(params=versions(), ids=lambda version: f"core-{version}")
def ansible(request, tmp_path):
    """Each ansible-core."""
    return installed(request.param, tmp_path)


@pytest.fixture(params=versions() if "LVS_CORES_WANTED" in os.environ else versions()[-1:], ids="core-{}".format)
def patient_ansible(request, tmp_path):
    """Each ansible-core where others than the usual ones were asked for, else the newest: for what takes minutes."""
    return installed(request.param, tmp_path)


@pytest.fixture
def oldest_ansible(tmp_path):
    return installed(versions()[0], tmp_path)


@pytest.fixture
def newest_ansible(tmp_path):
    return installed(versions()[-1], tmp_path)
