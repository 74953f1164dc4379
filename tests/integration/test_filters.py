# Copyright (c) 2026, the linux.lvs contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters in plays, on a controller that has Ansible and nothing else; their examples and documentation."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import yaml
from ansible_collections.linux.lvs.tests.integration.conftest import play_of_tasks

ROOT = Path(__file__).parents[2]
ROLES = ROOT / "roles"
FILTERS = sorted((ROOT / "plugins" / "filter").glob("*.yml"))
RULES = """\
-A -t 192.0.2.1:80 -s mh -b flag-3
-a -t 192.0.2.1:80 -r 198.51.100.1 -x 100 -y 50
-a -t 192.0.2.1:80 -m -w5 -r 198.51.100.2:8080
--add-service --udp-service=[2001:db8::1]:53 -s rr -p -M 64
-a -u [2001:db8::1]:53 -r 198.51.100.3 -i --tun-type gue --tun-port 6080 --tun-csum
-A -f 7
"""
MESSAGES = {
    "Bad lines": (
        "line 2: --real-server: 'web1' is not an IPv4 or IPv6 address (names are not resolved); ipvsadm -S -n writes"
        " addresses and ports as numbers: -a -f 7 -r web1:80; "
        "line 3: a line can't begin with -L, only with one of -A, -E, -D, -a, -e, -d, -C, -Z: -L"
    ),
    "Wrong services": (
        "services[0].fwmark: 0 is not between 1 and 4294967295; "
        "services[1].servers[0].weight: -1 is not between 0 and 2147483647"
    ),
    "No text": "input: ['-A -f 7'] is not text in the format of ipvsadm -S -n",
    "Undefined text": "'nosuch' is undefined",
    "An undefined port": "'nosuch' is undefined",
}


@pytest.fixture
def no_pyroute2(tmp_path):
    """The environment of a controller without it."""
    directory = tmp_path / "blocked"
    directory.mkdir()
    (directory / "pyroute2.py").write_text("raise ImportError('blocked')\n")
    return {"PYTHONPATH": os.pathsep.join([str(directory), os.environ["PYTHONPATH"]])}


def looked_at(netns):
    """What the kernel holds, as ipvsadm shows it."""
    return netns.save(), netns.thresholds()


def test_round_trip_and_errors(ansible, netns, make_netns, tmp_path, no_pyroute2):
    source, destination = tmp_path / "source", tmp_path / "destination"
    source.write_text(f"# by hand\n\n{RULES}")
    played = ansible.play("filters.yml", "-e", f"source={source}", "-e", f"destination={destination}", **no_pyroute2)
    assert played.recap["ignored"] == len(MESSAGES)
    assert "Traceback" not in played.text
    for task, message in MESSAGES.items():
        assert message in played.of_task(task)
    netns.restore(RULES)
    twin = make_netns()
    twin.restore(destination.read_text())
    assert looked_at(twin) == looked_at(netns)
    assert destination.read_text().endswith("\n")


@pytest.mark.parametrize("path", FILTERS, ids=lambda path: path.stem)
def test_ansible_doc_shows_the_filter(ansible, path):
    text = ansible.run("ansible-doc", "-t", "filter", f"linux.lvs.{path.stem}").stdout
    assert "_input" in text
    assert "EXAMPLES:" in text


def examples(name, netns):
    (path,) = (path for path in FILTERS if path.stem == name)
    return play_of_tasks(f"Examples of {name}", netns.name, yaml.safe_load(path.read_text())["EXAMPLES"])


def test_examples_of_from_ipvsadm_play(oldest_ansible, newest_ansible, netns, make_netns, tmp_path):
    (tmp_path / "ipvsadm.rules").write_text(RULES)
    for ansible in (oldest_ansible, newest_ansible):
        assert ansible.play(examples("from_ipvsadm", netns)).recap["failed"] == 0
    twin = make_netns()
    twin.restore(RULES)
    assert looked_at(netns) == looked_at(twin)


def test_examples_of_to_ipvsadm_play(oldest_ansible, newest_ansible, netns, make_netns, tmp_path):
    rules = tmp_path / "ipvsadm.rules"
    play = examples("to_ipvsadm", netns).replace("/etc/ipvsadm.rules", str(rules))
    assert str(rules) in play
    assert oldest_ansible.play(play).recap["failed"] == 0
    assert rules.read_text() == ""
    netns.restore(RULES)
    assert "-A -t 192.168.0.1:80 -s wlc" in newest_ansible.play(play).text
    twin = make_netns()
    twin.restore(rules.read_text())
    assert looked_at(twin) == looked_at(netns)


def test_examples_of_select_servers_play(oldest_ansible, newest_ansible, netns):
    rules = ["-a -t 192.168.0.1:80 -r 172.16.0.1:80 -m -w 3", "-a -t 192.168.0.1:80 -r 172.16.0.2:80 -m -w 1"]
    netns.restore("\n".join(["-A -t 192.168.0.1:80 -s rr", *rules, ""]))
    assert oldest_ansible.play(examples("select_servers", netns)).recap["changed"] == 1
    assert newest_ansible.play(examples("select_servers", netns)).recap["changed"] == 0
    assert netns.save()[1:] == [rules[0].replace("-w 3", "-w 0"), rules[1]]


@pytest.mark.parametrize(
    "name", ["director_needs", "director_refusals", "director_sysctls", "real_server_needs", "real_server_lines"]
)
def test_examples_of_filters_of_the_roles_play(oldest_ansible, newest_ansible, netns, name):
    sample = yaml.safe_load(next(path for path in FILTERS if path.stem == name).read_text())["RETURN"]["_value"][
        "sample"
    ]
    for ansible in (oldest_ansible, newest_ansible):
        played = ansible.play(examples(name, netns))
        assert played.recap["failed"] == 0
        expected = (
            sample if isinstance(sample, list) else next(filter(None, map(sample.get, ("modules", "lines", "found"))))
        )
        assert all(str(line) in played.text for line in expected)


def test_examples_of_reject_excluded_play(oldest_ansible, newest_ansible, netns):
    for ansible in (oldest_ansible, newest_ansible):
        text = ansible.play(examples("reject_excluded", netns)).text
        assert "192.168.0.1" in text
        assert "192.168.0.2" not in text


SERVICE = {"address": "192.0.2.1", "port": 80, "servers": [{"address": "198.51.100.1", "forwarding": "nat"}]}


@pytest.mark.parametrize(
    "role, given",
    [("director", {"director_services": [SERVICE]}), ("real_server", {"real_server_vips": ["192.0.2.1"]})],
)
def test_what_a_role_was_not_told_it_derives(ansible, role, given):
    """A template that gives none is an empty text before ansible-core 2.19."""
    play = f"""\
- hosts: localhost
  gather_facts: false
  vars_files:
    - {ROLES / role / "defaults" / "main.yml"}
    - {ROLES / role / "vars" / "main.yml"}
  tasks:
    - name: Needs
      ansible.builtin.debug:
        msg: "{{{{ __{role}_variables | linux.lvs.{role}_needs }}}}"
"""
    played = ansible.play(play, "--extra-vars", json.dumps(given))
    assert "192.0.2.1" in played.of_task("Needs")
