# Copyright (c) 2026, the linux.lvs contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection's playbooks, on directors and real servers that are network namespaces of this machine.

Tables are judged by ipvsadm.
"""

from __future__ import annotations

import json
import re
import shlex
import sys
import textwrap
import time
from pathlib import Path

import pytest
import yaml
from ansible_collections.linux.lvs.tests.lab.fixtures import TRAFFIC

PLUGINS = Path(__file__).parent / "plugins" / "connection"
GUIDE = (Path(__file__).parents[2] / "docs/docsite/rst/playbooks_guide.rst").read_text()
INVENTORY = yaml.safe_load(textwrap.dedent(re.search(r"code-block:: yaml\n\n((?:    .*\n)+)", GUIDE)[1]))
SERVICES = INVENTORY["directors"]["vars"]["lvs_services"]
RIPS = ("172.16.0.1", "172.16.0.2", "172.16.0.3")
TABLE = [
    "-A -f 7 -s wlc",
    "-A -t 192.168.0.1:80 -s wrr",
    "-a -f 7 -r 172.16.0.2:0 -g -w 1",
    "-a -f 7 -r 172.16.0.3:0 -g -w 1",
    "-a -t 192.168.0.1:80 -r 172.16.0.1:80 -m -w 3",
    "-a -t 192.168.0.1:80 -r 172.16.0.2:80 -m -w 2",
]
BOTH = {"lvs1": TABLE, "lvs2": TABLE}
NONE = {"lvs1": [], "lvs2": []}
WORK = """\
- name: Note which weights the directors have now
  ansible.builtin.shell: echo {{{{ inventory_hostname }}}} {{{{ item }}}} $(ipvsadm -Sn | grep -c -- '-w 0') >> {log}
  delegate_to: "{{{{ item }}}}"
  loop: [lvs1, lvs2]
"""


def commands(name):
    """The options of the guide's command lines that play a playbook, after its name."""
    lines = re.findall(rf"^    ansible-playbook -i inventory.yml linux\.lvs\.{name}(.*)$", GUIDE, re.MULTILINE)
    assert lines
    return [shlex.split(line) for line in lines]


def drained(table, address):
    """The table with weight 0 for all entries of a server."""
    return [f"{line.rpartition(' -w ')[0]} -w 0" if f" -r {address}:" in line else line for line in table]


class Site:
    """The inventory of the guide, its hosts as namespaces."""

    def __init__(self, ansible, make_netns, directory):
        self.ansible = ansible
        self._directory = directory
        self._cut = directory / "cut"
        self._cut.mkdir()
        (directory / "inventory.yml").write_text(yaml.safe_dump(INVENTORY))
        addresses = {
            name: host["ansible_host"] for group in INVENTORY.values() for name, host in group["hosts"].items()
        }
        self.namespaces = {name: make_netns() for name in addresses}
        here = {
            name: {
                "ansible_host": self.namespaces[name].name,
                **({"rolling_update_addresses": address} if name.startswith("web") else {}),
            }
            for name, address in addresses.items()
        }
        everywhere = {"ansible_connection": "netns", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
        (directory / "here.json").write_text(json.dumps({"all": {"hosts": here, "vars": everywhere}}))

    def marker(self, name):
        """The file that cuts a host off while it exists."""
        return self._cut / self.namespaces[name].name

    def play(self, name, *options, check=True, **variables):
        """Play a playbook by its full name, with extra variables."""
        inventories = [word for file in ("inventory.yml", "here.json") for word in ("-i", self._directory / file)]
        return self.ansible.play_by_name(
            name,
            *(*inventories, *options, *(("-e", json.dumps(variables)) if variables else ())),
            check=check,
            ANSIBLE_CONNECTION_PLUGINS=str(PLUGINS),
            ANSIBLE_ROLES_PATH=str(self._directory),
            LVS_UNREACHABLE=str(self._cut),
        )

    def fails(self, name, **variables):
        """Play it, and return what it says when it fails."""
        played = self.play(name, check=False, **variables)
        assert played.status != 0, played.text
        assert "Traceback" not in played.text
        return played.text

    def fill(self):
        """The declared table on both directors."""
        for name in BOTH:
            self.namespaces[name].restore("\n".join([*TABLE, ""]))

    def tables(self):
        """What the kernel has, by director."""
        return {name: self.namespaces[name].save() for name in BOTH}


@pytest.fixture
def site(newest_ansible, make_netns, tmp_path):
    return Site(newest_ansible, make_netns, tmp_path)


class TestApplyTable:
    def test_text_of_a_survey_that_is_no_yaml_is_told_by_every_ansible(self, site, oldest_ansible):
        site.ansible = oldest_ansible
        text = site.fails("apply_table", lvs_services="[{address: 192.0.2.1")
        assert "lvs_services: is not YAML: line 1, column " in text
        assert "To see the full traceback" not in text

    def test_every_director_has_the_table_and_text_of_a_survey_is_the_same_table(self, site, oldest_ansible):
        check, apply = commands("apply_table")
        assert site.play("apply_table", *check).changed == {"lvs1": 1, "lvs2": 1}
        assert site.tables() == NONE
        assert site.play("apply_table", *apply).changed == {"lvs1": 1, "lvs2": 1}
        assert site.tables() == BOTH
        survey = {"lvs_directors": "lvs*", "lvs_services": json.dumps(SERVICES), "apply_table_minimum_active": "1"}
        site.ansible = oldest_ansible
        assert site.play("apply_table", apply_table_exclude="", **survey).changed == {}

    def test_kernel_that_refuses_stops_at_the_first_director(self, site):
        text = site.fails("apply_table", lvs_services=[*SERVICES, {"fwmark": 9, "scheduler": "nosuch"}])
        assert "scheduler: the kernel has no scheduler nosuch" in text
        assert "fatal: [lvs2]" not in text
        assert site.tables() == NONE

    def test_director_that_is_unreachable_stops_before_the_first_is_changed(self, site):
        site.marker("lvs2").touch()
        site.fails("apply_table")
        assert site.tables() == NONE


class TestDrainAndEnable:
    def test_server_is_drained_on_every_director_and_comes_back(self, site, oldest_ansible):
        site.fill()
        (drain,), (enable,) = commands("drain_server"), commands("enable_server")
        site.ansible = oldest_ansible
        assert site.play("drain_server", *drain).changed == {"lvs1": 1, "lvs2": 1}
        assert site.tables() == dict.fromkeys(BOTH, drained(TABLE, RIPS[0]))
        assert site.play("enable_server", *enable).changed == {"lvs1": 1, "lvs2": 1}
        assert site.tables() == BOTH

    def test_last_server_of_a_service_is_left_on_every_director(self, site):
        site.fill()
        site.namespaces["lvs2"].ipvsadm("-e", "-f", "7", "-r", RIPS[1], "-w", "0")
        text = site.fails("drain_server", drain_server_addresses=RIPS[2])
        assert "minimum_active" in text
        assert site.tables()["lvs1"] == TABLE

    def test_other_entries_of_the_same_server_are_not_left(self, site):
        servers = [{"address": RIPS[0], "port": port, "forwarding": "nat"} for port in (80, 8080)]
        services = [{"address": "192.168.0.1", "port": 80, "servers": servers}]
        site.play("apply_table", lvs_services=services)
        before = site.tables()
        text = site.fails("drain_server", lvs_services=services, drain_server_addresses=RIPS[0])
        assert "tcp 192.168.0.1:80 has 2 servers with a weight above 0, and would be left with 0 instead of 1" in text
        assert site.tables() == before

    def test_table_that_is_not_as_declared_is_refused(self, site):
        site.fill()
        site.namespaces["lvs1"].ipvsadm("-A", "-f", "9")
        site.namespaces["lvs1"].ipvsadm("-a", "-f", "9", "-r", RIPS[2])
        site.namespaces["lvs2"].ipvsadm("-d", "-f", "7", "-r", RIPS[2])
        before = site.tables()
        text = site.fails("drain_server", drain_server_addresses=RIPS[2])
        assert "the kernel also has lvs1: fwmark 9 (ipv4) -> 172.16.0.3:0, which lvs_services does not declare" in text
        assert "not in the kernel of lvs2: fwmark 7 (ipv4) -> 172.16.0.3:0; linux.lvs.apply_table adds it" in text
        assert site.tables() == before


class TestRollingUpdate:
    @pytest.fixture
    def log(self, tmp_path):
        return tmp_path / "log"

    @pytest.fixture
    def update(self, site, tmp_path, log):
        """update(what): the variables of an update of web1 and web2, whose tasks are WORK and then those."""
        site.fill()
        log.write_text("")

        def variables(what=""):
            (tmp_path / "work.yml").write_text(WORK.format(log=log) + what)
            return {"rolling_update_hosts": "web", "rolling_update_tasks_file": str(tmp_path / "work.yml")}

        return variables

    def test_one_server_after_the_other_is_drained_everywhere_worked_on_and_put_back(self, site, update, log, tmp_path):
        for director in BOTH:
            site.namespaces[director].ip(*(f"addr add {address}/32 dev lo" for address in RIPS))
            site.namespaces[director].serve("http", 80)
        update()
        for folder, text in (
            ("tasks", f"{WORK.format(log=log)}  notify: Restart\n"),
            ("handlers", WORK.format(log=log).replace("Note which weights the directors have now", "Restart")),
        ):
            (tmp_path / "work" / folder).mkdir(parents=True)
            (tmp_path / "work" / folder / "main.yml").write_text(text)
        (command,) = commands("rolling_update")
        site.play("rolling_update", *command)
        assert log.read_text().split("\n")[:-1] == [
            *("web1 lvs1 1", "web1 lvs2 1") * 2,
            *("web2 lvs1 2", "web2 lvs2 2") * 2,
        ]
        assert site.tables() == BOTH

    def test_check_mode_changes_nothing(self, site, update, log):
        site.play("rolling_update", "--check", **{**update(), "rolling_update_hosts": "web1"})
        assert log.read_text() == ""
        assert site.tables() == BOTH

    def test_tasks_that_fail_end_the_run_and_the_weights_are_back(self, site, update, log):
        text = site.fails("rolling_update", **update("- name: Break\n  ansible.builtin.fail:\n    msg: no disk\n"))
        assert "web1: Break: no disk (it is back at its declared weights on every director)" in text
        assert log.read_text() == "web1 lvs1 1\nweb1 lvs2 1\n"
        assert site.tables() == BOTH

    def test_server_that_does_not_answer_stays_drained(self, site, update):
        text = site.fails("rolling_update", **update(), rolling_update_port=8080, rolling_update_port_timeout="1")
        assert "it stays drained, as it does not answer to lvs1, lvs2; linux.lvs.enable_server puts it back" in text
        assert site.tables() == dict.fromkeys(BOTH, drained(TABLE, RIPS[0]))

    def test_director_that_is_unreachable_stops_before_anything_is_changed(self, site, update, log):
        site.marker("lvs2").touch()
        text = site.fails("rolling_update", **update())
        assert "web1: Refuse tables that are not as declared: lvs2: unreachable (nothing was changed)" in text
        assert log.read_text() == ""
        assert site.tables() == BOTH

    def test_director_that_becomes_unreachable_is_named_and_the_others_are_put_back(self, site, update):
        cut = f"- name: Cut\n  ansible.builtin.file:\n    path: {site.marker('lvs2')}\n    state: touch\n"
        text = site.fails("rolling_update", **update(cut))
        assert "lvs2: unreachable (it is back at its declared weights, but not on lvs2)" in text
        assert site.tables() == {"lvs1": TABLE, "lvs2": drained(TABLE, RIPS[0])}

    def test_work_begins_only_after_the_last_connection_to_the_server(self, site, update, log):
        """One that does not end in time: nothing is worked on, and the weights are back."""
        director = site.namespaces["lvs2"]
        director.ip(*(f"addr add {address}/32 dev lo" for address in ("192.168.0.1", *RIPS)))
        director.serve("http", 80)
        for _connection in range(3):  # weights 3 and 2: one of them goes to web1
            director.start(sys.executable, TRAFFIC, "ask-http", "192.168.0.1", 80, "/slow/200", 300)
        end = time.monotonic() + 20
        while not re.search(r" AC100001 0050 ESTABLISHED ", director.proc("ip_vs_conn")):
            assert time.monotonic() < end, director.proc("ip_vs_conn")
        text = site.fails("rolling_update", **update(), rolling_update_drain_timeout="3")
        assert re.search(r"web1: Wait for connections to end: .* active", text)
        assert "(it is back at its declared weights on every director)" in text
        assert log.read_text() == ""
        assert site.tables() == BOTH

    def test_director_that_does_not_keep_the_weight_0_stops_before_anything_is_upgraded(self, site, update, log):
        """As where a health checker owns the weights."""
        raised = "ipvsadm -e -t 192.168.0.1:80 -r 172.16.0.1:80 -m -w 3"
        site.namespaces["lvs2"].start("sh", "-c", f"while {raised}; do sleep 0.2; done")
        text = site.fails("rolling_update", **update())
        assert "(it is back at its declared weights on every director)" in text
        assert log.read_text() == ""
        assert site.tables() == BOTH

    def test_server_that_does_not_come_back_from_the_work_stays_drained_and_the_next_is_not_begun(self, site, update):
        marker = site.marker("web1")
        cut = f"- name: Cut\n  ansible.builtin.file:\n    path: {marker}\n    state: touch\n  delegate_to: localhost\n"
        text = site.fails("rolling_update", **update(f"{cut}- name: More\n  ansible.builtin.ping:\n"))
        assert re.search(r"^fatal: \[web1\]: UNREACHABLE!", text, re.MULTILINE)
        assert "web2" not in text.partition("PLAY RECAP")[0]
        assert site.tables() == dict.fromkeys(BOTH, drained(TABLE, RIPS[0]))

    def test_what_others_did_meanwhile_stays_and_is_told(self, site, update):
        """An entry that vanished is not made again, one that became another is not changed back."""
        entry = "-t", "192.168.0.1:80", "-r", f"{RIPS[0]}:80"
        commands = {"lvs1": ("-d", *entry), "lvs2": ("-e", *entry, "-i", "-w", "0")}
        work = "".join(
            f"- name: Change it\n  ansible.builtin.command: ipvsadm {' '.join(words)}\n  delegate_to: {director}\n"
            for director, words in commands.items()
        )
        text = site.fails("rolling_update", **update(work))
        name = f"tcp 192.168.0.1:80 -> {RIPS[0]}:80"
        assert f"allowed_actions: update is allowed, and add would be needed for: add {name}" in text
        assert (
            f"but not on lvs1; gone meanwhile, and not made again: lvs1: {name}; changed meanwhile, and left so: lvs2: {name})"
        ) in text
        others = [line for line in TABLE if f" -r {RIPS[0]}:" not in line]
        changed = [line.replace("-m -w 3", "-i -w 3 --tun-type ipip") for line in TABLE]
        assert site.tables() == {"lvs1": others, "lvs2": changed}

    def test_server_that_is_unreachable_is_not_drained(self, site, update, log):
        site.marker("web1").touch()
        text = site.fails("rolling_update", **update())
        assert "web1: Go on only if it was reached: unreachable: " in text
        assert log.read_text() == ""
        assert site.tables() == BOTH


class TestDriftReport:
    @pytest.fixture
    def boot(self, site, tmp_path):
        """boot(lvs1=lines, ...): the option that names these rules files."""
        site.fill()

        def files(**rules):
            for name, lines in rules.items():
                (tmp_path / f"{name}.rules").write_text("\n".join([*lines, ""]))
            return {"drift_report_boot_file": f"{tmp_path}/{{{{ inventory_hostname }}}}.rules"}

        return files

    def test_equal_tables_differ_in_nothing_and_a_wrong_boot_file_is_told(self, site, boot):
        (command,) = commands("drift_report")
        played = site.play("drift_report", *command, **boot(lvs1=["# saved", *TABLE], lvs2=["-A -t www:80"]))
        assert played.text.count("Nothing differs") == 1
        assert "lvs2.rules: line 1: --tcp-service: 'www' is not an IPv4 or IPv6 address" in played.text
        assert played.changed == {}

    def test_what_is_excluded_is_no_difference_wherever_it_is(self, site, boot):
        site.namespaces["lvs1"].ipvsadm("-A", "-f", "8")
        rules = boot(lvs1=[*TABLE, "-A -f 8 -s wlc"], lvs2=[*TABLE, "-A -f 8 -s rr"])
        options = {"drift_report_exclude": "[{fwmark: 8}]", "drift_report_fail": "true"}
        assert site.play("drift_report", **rules, **options).text.count("Nothing differs") == 2

    def test_everything_that_differs_is_told_and_nothing_is_changed(self, site, oldest_ansible, boot):
        site.ansible = oldest_ansible
        site.namespaces["lvs2"].ipvsadm("-e", "-t", "192.168.0.1:80", "-r", f"{RIPS[0]}:80", "-m", "-w", "0")
        site.namespaces["lvs2"].ipvsadm("-A", "-f", "8")
        before = site.tables()
        text = site.fails("drift_report", **boot(lvs2=[*TABLE, "-A -f 9 -s rr"]), drift_report_fail="true")
        assert site.tables() == before
        first, second = re.findall(r'^fatal: .*"msg": "(lvs. has drifted: .*)"', text, re.MULTILINE)
        assert "lvs1.rules can not be read, nothing would be loaded when the host starts: " in first
        weight = "ipvsadm -e -t 192.168.0.1:80 -r 172.16.0.1:80 -m -w 3"
        assert second.partition("drifted: ")[2].split("; ") == [
            *(f"to be as declared: {command}" for command in (weight, "ipvsadm -D -f 8")),
            *(
                f"to be as after a restart of the host: {command}"
                for command in ("ipvsadm -A -f 9 -s rr", weight, "ipvsadm -D -f 8")
            ),
            *(f"to be as lvs1: {command}" for command in (weight, "ipvsadm -D -f 8")),
        ]
