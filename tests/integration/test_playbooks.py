# Copyright (c) 2026, the linux.lvs contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection's playbooks, on directors and real servers that are network namespaces of this machine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

PLUGINS = Path(__file__).parent / "plugins" / "connection"
UNREACHABLE = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1}
WEB = {"address": "192.0.2.1", "port": 80, "scheduler": "wrr"}
SERVICES = [
    {
        **WEB,
        "servers": [
            {"address": "198.51.100.1", "forwarding": "nat", "weight": 3},
            {"address": "198.51.100.2", "forwarding": "nat", "weight": 2},
        ],
    },
    {"fwmark": 7, "servers": [{"address": "198.51.100.2"}, {"address": "198.51.100.3"}]},
]
TABLE = [
    "-A -f 7 -s wlc",
    "-A -t 192.0.2.1:80 -s wrr",
    "-a -f 7 -r 198.51.100.2:0 -g -w 1",
    "-a -f 7 -r 198.51.100.3:0 -g -w 1",
    "-a -t 192.0.2.1:80 -r 198.51.100.1:80 -m -w 3",
    "-a -t 192.0.2.1:80 -r 198.51.100.2:80 -m -w 2",
]


class Site:
    """Directors d1, d2 … as namespaces, in an inventory."""

    def __init__(self, ansible, make_netns, directory):
        self._ansible = ansible
        self._make = make_netns
        self._inventory = directory / "inventory.json"
        self.groups = {"directors": {}}
        self.namespaces = {}

    def add(self, group, name, variables=None):
        """One more host: a namespace, or what the variables say."""
        if variables is None:
            self.namespaces[name] = self._make()
            variables = {"ansible_connection": "netns", "ansible_host": self.namespaces[name].name}
        self.groups.setdefault(group, {})[name] = variables

    def play(self, name, *options, check=True, **variables):
        """Play a playbook by its full name, with extra variables."""
        groups = {group: {"hosts": hosts} for group, hosts in self.groups.items()}
        everywhere = {"ansible_python_interpreter": "{{ ansible_playbook_python }}"}
        self._inventory.write_text(json.dumps({"all": {"vars": everywhere, "children": groups}}))
        words = ["-i", self._inventory, "-e", json.dumps(variables), *options]
        return self._ansible.play_by_name(name, *words, check=check, ANSIBLE_CONNECTION_PLUGINS=str(PLUGINS))

    def tables(self):
        """What the kernel has, by director."""
        return {name: self.namespaces[name].save() for name in self.groups["directors"] if name in self.namespaces}


@pytest.fixture
def site(newest_ansible, make_netns, tmp_path):
    """Two directors."""
    made = Site(newest_ansible, make_netns, tmp_path)
    made.add("directors", "d1")
    made.add("directors", "d2")
    return made


def test_table_is_applied_to_every_director(site):
    played = site.play("apply_table", lvs_directors="directors", lvs_services=SERVICES)
    print(played.text)
    assert site.tables() == {"d1": TABLE, "d2": TABLE}
    assert site.play("apply_table", lvs_services=json.dumps(SERVICES)).changed == {}


def test_drain_and_enable(site):
    site.play("apply_table", lvs_services=SERVICES)
    drained = site.play("drain_server", lvs_services=SERVICES, drain_server_addresses="198.51.100.2", drain_server_timeout=5)
    print(drained.text)
    assert site.tables()["d1"] != TABLE
    print(site.tables())
    enabled = site.play("enable_server", lvs_services=SERVICES, enable_server_addresses="198.51.100.2")
    print(enabled.text)
    assert site.tables() == {"d1": TABLE, "d2": TABLE}


def test_rolling(site, tmp_path):
    site.play("apply_table", lvs_services=SERVICES)
    file = tmp_path / "work.yml"
    file.write_text("- name: Work\n  ansible.builtin.command: ipvsadm -Sn\n  delegate_to: d1\n  become: false\n")
    site.add("web", "w1")
    site.groups["web"]["w1"]["rolling_update_addresses"] = "198.51.100.1"
    played = site.play("rolling_update", lvs_services=SERVICES, rolling_update_hosts="web", rolling_update_tasks_file=str(file), check=False)
    print(played.text)
    report = site.play("drift_report", lvs_services=SERVICES, drift_report_fail="true", check=False)
    print(report.text)
    assert 0
