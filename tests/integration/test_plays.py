# Copyright (c) 2026, the linux.lvs contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plays as users write them: defaults by action group, loops, check and diff mode, messages of failed tasks."""

from __future__ import annotations

import pytest

TABLE = """\
-A -t 192.0.2.1:80 -s wrr
-a -t 192.0.2.1:80 -r 198.51.100.1:80 -m -w 3
-a -t 192.0.2.1:80 -r 198.51.100.2:80 -m -w 1 -x 100
"""

DIFFS = {
    "Another scheduler": """\
--A -t 192.0.2.1:80 -s wrr
+-A -t 192.0.2.1:80 -s rr
 -a -t 192.0.2.1:80 -r 198.51.100.1:80 -m -w 3
 -a -t 192.0.2.1:80 -r 198.51.100.2:80 -m -w 1 -x 100
""",
    "A server less": """\
--a -t 192.0.2.1:80 -r 198.51.100.1:80 -m -w 3
""",
    "More weight": """\
--a -t 192.0.2.1:80 -r 198.51.100.2:80 -m -w 1 -x 100
+-a -t 192.0.2.1:80 -r 198.51.100.2:80 -m -w 9 -x 100
""",
}

MESSAGES = {
    "Several wrong values at once": (
        "service.port: 123456 is not between 0 and 65535; "
        "address: 'web1.example.com' is not an IPv4 or IPv6 address (names are not resolved); "
        "weight: 3000000000 is not between 0 and 2147483647"
    ),
    "An unknown option": "schedular: is not an option here; there are address, drain_timeout, ",
    "No such service": "service: tcp 192.0.2.1:81 does not exist",
    "No such scheduler": "update tcp 192.0.2.1:80: scheduler: the kernel has no scheduler nosuch",
    "No such namespace": "netns: namespace nosuch does not exist; there are: ",
}


def test_defaults_by_group_reach_loops_and_results_are_as_documented(ansible, netns):
    assert ansible.play("set_up.yml", "-e", f"netns={netns.name}").recap["changed"] == 2
    assert netns.save() == [line.partition(" -x")[0] for line in TABLE.splitlines()]
    assert netns.thresholds()["TCP 192.0.2.1:80"]["198.51.100.2:80"] == (100, 0)
    assert ansible.play("set_up.yml", "-e", f"netns={netns.name}").recap["changed"] == 0


@pytest.mark.fast
def test_check_and_diff_show_what_the_run_then_does(ansible, netns):
    netns.restore(TABLE)
    before = netns.save()
    predicted = ansible.play("change.yml", "-e", f"netns={netns.name}", "--check", "--diff")
    assert netns.save() == before
    done = ansible.play("change.yml", "-e", f"netns={netns.name}", "--diff")
    assert netns.save() == ["-A -t 192.0.2.1:80 -s rr", "-a -t 192.0.2.1:80 -r 198.51.100.2:80 -m -w 9"]
    for played in (predicted, done):
        assert played.recap["changed"] == 3
        assert played.recap["failed"] == 0
        for task, diff in DIFFS.items():
            assert diff in played.of_task(task) + "\n"
        assert played.of_task("Nothing") == "ok: [localhost]"


def test_failed_tasks_say_why_in_one_sentence_and_change_nothing(ansible, netns):
    netns.restore(TABLE)
    before = netns.save()
    played = ansible.play("wrong.yml", "-e", f"netns={netns.name}")
    assert played.recap["ignored"] == len(MESSAGES)
    assert played.recap["changed"] == 0
    assert "Traceback" not in played.text
    for task, message in MESSAGES.items():
        assert f'"msg": "{message}' in played.of_task(task)
    assert netns.save() == before


def test_table_out_of_variables_whose_numbers_are_text(ansible, netns):
    """As inventories and -e make them; newer Ansible tags each value with where it came from."""
    words = [f"netns={netns.name}", "web_port=80", "weight=3", "servers=198.51.100.1,198.51.100.2"]
    played = ansible.play("table.yml", *(word for given in words for word in ("-e", given)))
    assert (played.recap["failed"], played.recap["ignored"]) == (0, 1)
    assert netns.save() == [
        "-A -t 192.0.2.1:80 -s wrr",
        "-A -u 192.0.2.2:53 -s wlc -o",
        "-a -t 192.0.2.1:80 -r 198.51.100.1:80 -g -w 3",
        "-a -t 192.0.2.1:80 -r 198.51.100.2:80 -g -w 6",
        "-a -u 192.0.2.2:53 -r 198.51.100.1:53 -g -w 3",
        "-a -u 192.0.2.2:53 -r 198.51.100.2:53 -g -w 6",
    ]
    assert (
        '"msg": "services[2]: tcp 192.0.2.1:80 is the same service as services[0];'
        " services[3].address: 'web1.example.com' is not an IPv4 or IPv6 address (names are not resolved)\""
    ) in played.of_task("Wrong values")
