# Copyright (c) 2026, the linux.lvs contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Wrong variables of the playbooks: refused in sentences before any director is spoken to, which here nobody could."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

SERVICES = [{"address": "192.0.2.1", "port": 80, "servers": [{"address": "198.51.100.1"}]}]
DIRECTORS = {
    "hosts": {"lvs1": {"ansible_host": "director1.example.com"}, "lvs2": {}},
    "vars": {"lvs_services": SERVICES, "ansible_connection": "a connection that does not exist"},
}
WRONG = (
    (
        "apply_table",
        {"lvs_directors": "nobody"},
        "lvs_directors: no host matches nobody; give a group, a host or a pattern",
    ),
    (
        "apply_table",
        {
            "apply_table_state": "deleted",
            "apply_table_drain_timeout": "-1",
            "apply_table_minimum_active": "all",
            "apply_table_at_once": "all",
            "apply_table_keep_weights": "some",
        },
        "apply_table_state: deleted is not one of merged, replaced, overridden; "
        "apply_table_drain_timeout: -1 is not a whole number of seconds; "
        "apply_table_minimum_active: all is not a whole number; "
        "apply_table_at_once: all is neither a whole number above 0 nor a percentage; "
        "apply_table_keep_weights: some is not one of none, zero, all",
    ),
    (
        "drain_server",
        {
            "lvs_services": [{"address": "192.0.2.1", "port": 99999}, {"fwmark": 0}],
            "drain_server_addresses": "172.16.0.1",
        },
        "services[0].port: 99999 is not between 0 and 65535; services[1].fwmark: 0 is not between 1 and 4294967295",
    ),
    (
        "drain_server",
        {},
        "drain_server_addresses: is required, the addresses of the real server as lvs_services has them",
    ),
    (
        "drain_server",
        {"drain_server_addresses": "web1,172.16.0.1"},
        "drain_server_addresses: not addresses: web1; names are not resolved",
    ),
    (
        "drain_server",
        {"drain_server_addresses": ["1.2.3.4.5", "172.16.0.256", "172.16.0.1", "2001:db8::1", "1.2.3"]},
        "drain_server_addresses: not addresses: 1.2.3.4.5, 172.16.0.256, 1.2.3; names are not resolved",
    ),
    (
        "drain_server",
        {"drain_server_addresses": 5},
        "drain_server_addresses: not addresses: 5; names are not resolved",
    ),
    ("apply_table", {"lvs_directors": 5}, "lvs_directors: no host matches 5; give a group, a host or a pattern"),
    (
        "enable_server",
        {},
        "enable_server_addresses: is required, the addresses of the real server as lvs_services has them",
    ),
    (
        "rolling_update",
        {},
        "rolling_update_hosts: is required, the real servers as a group or a pattern; "
        "rolling_update_role: is required, what is done to each real server; or rolling_update_tasks_file instead",
    ),
    (
        "rolling_update",
        {
            "rolling_update_hosts": "nobody",
            "rolling_update_role": "work",
            "rolling_update_tasks_file": "work.yml",
            "rolling_update_port": "http",
            "rolling_update_drain_timeout": "5m",
        },
        "rolling_update_hosts: no host matches nobody; "
        "rolling_update_role: does not go with rolling_update_tasks_file, take one of them out; "
        "rolling_update_tasks_file: work.yml is not the absolute name of a file on the controller; "
        "rolling_update_port: http is not a whole number between 1 and 65535; "
        "rolling_update_drain_timeout: 5m is not a whole number of seconds",
    ),
    (
        "rolling_update",
        {"rolling_update_hosts": "lvs1", "rolling_update_role": "work"},
        "rolling_update_addresses: is required for director1.example.com, whose addresses can not be told from ansible_host",
    ),
    (  # an extra variable, as a survey's are, is that of every host
        "rolling_update",
        {
            "rolling_update_hosts": "directors",
            "rolling_update_role": "work",
            "rolling_update_addresses": "172.16.0.1, 172.16.0.2",
        },
        "rolling_update_addresses: 172.16.0.1, 172.16.0.2 can not be those of several hosts; "
        "say of each its own, as a variable of that host",
    ),
    (  # nothing wrong with the addresses
        "rolling_update",
        {"rolling_update_hosts": "lvs1", "rolling_update_addresses": ["172.16.0.1", "172.16.0.1"]},
        "rolling_update_role: is required, what is done to each real server; or rolling_update_tasks_file instead",
    ),
    (
        "rolling_update",
        {"rolling_update_hosts": 5, "rolling_update_tasks_file": 6},
        "rolling_update_hosts: no host matches 5; "
        "rolling_update_tasks_file: 6 is not the absolute name of a file on the controller",
    ),
    ("drift_report", {"drift_report_fail": "perhaps"}, "drift_report_fail: perhaps is neither true nor false"),
)


@pytest.fixture
def fails(tmp_path):
    """fails("apply_table", variable=...): what the playbook says."""
    inventory = tmp_path / "inventory.yml"
    inventory.write_text(yaml.safe_dump({"directors": DIRECTORS}))

    def play(name, **variables):
        program = Path(sys.executable).with_name("ansible-playbook")
        words = [program, "-i", inventory, f"linux.lvs.{name}", "-e", json.dumps(variables)]
        done = subprocess.run(
            words,
            env={**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_HOME": str(tmp_path)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 2, done.stdout
        assert "Traceback" not in done.stdout
        assert "fatal: [lvs" not in done.stdout, done.stdout
        return done.stdout

    return play


@pytest.mark.parametrize(("name", "variables", "message"), WRONG, ids=range(len(WRONG)))
def test_wrong_variables_are_refused_in_sentences(fails, name, variables, message):
    assert f'"msg": "{message}"' in fails(name, **variables)


@pytest.mark.parametrize(
    ("name", "variable"),
    [
        ("apply_table", "lvs_services"),
        ("apply_table", "apply_table_exclude"),
        ("drain_server", "lvs_services"),
        ("drift_report", "drift_report_exclude"),
    ],
)
def test_text_of_a_survey_that_is_no_yaml_is_told_with_its_place(fails, name, variable):
    text = fails(name, **{"drain_server_addresses": "198.51.100.1", variable: "[{address: 192.0.2.1"})
    assert f"{variable}: is not YAML: line 1, column " in text
    assert "To see the full traceback" not in text


def test_exclusions_that_are_no_list_are_refused(fails):
    message = "apply_table_exclude: {'fwmark': 8} is not a list"
    assert message in fails("apply_table", apply_table_exclude="{fwmark: 8}")


def test_table_that_nobody_gave_is_refused(fails):
    message = "lvs_services: is required, the list of services as linux.lvs.ipvs_table takes it; lvs1, lvs2 has none"
    assert message in fails("apply_table", lvs_services="")
