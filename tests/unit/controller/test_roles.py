# Copyright (c) 2026, the linux.lvs contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Variables of the roles: defaults, argument specs, readers and the program that both roles deploy belong together."""

from __future__ import annotations

import re

import jinja2
import pytest
import yaml
from ansible_collections.linux.lvs.plugins.module_utils import _director, _real_server
from ansible_collections.linux.lvs.tests.unit.controller.repository import ROOT, read_yaml

ROLES = {"director": _director.OPTIONS, "real_server": _real_server.OPTIONS}
READERS = {"director": _director.director_needs, "real_server": _real_server.real_server_needs}


def spec(role):
    return read_yaml(f"roles/{role}/meta/argument_specs.yml")["argument_specs"]["main"]["options"]


@pytest.mark.parametrize("role", ROLES)
def test_defaults_are_those_that_are_documented(role):
    defaults = read_yaml(f"roles/{role}/defaults/main.yml")
    assert defaults == {name: option["default"] for name, option in spec(role).items() if "default" in option}


@pytest.mark.parametrize("role", ROLES)
def test_every_variable_has_the_role_s_prefix(role):
    assert all(name.startswith(f"{role}_") for name in spec(role))


@pytest.mark.parametrize("role", ROLES)
def test_what_is_read_is_documented(role):
    variables = read_yaml(f"roles/{role}/vars/main.yml")[f"__{role}_variables"]
    assert set(variables) == set(ROLES[role])
    assert {f"{role}_{name}" for name in variables} <= set(spec(role))


@pytest.mark.parametrize("path", ["README.md", "roles/director/README.md", "roles/real_server/README.md"])
def test_variables_in_readmes_are_taken(path):
    """Roles are played on whole machines, by molecule, with variables of these forms."""
    blocks = re.findall(r"^```yaml\n(.*?)^```", (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    plays = [play for text in blocks if "roles:" in text for play in yaml.safe_load(text)]
    assert plays
    for play in plays:
        names = [role["role"].rpartition(".")[2] for role in play["roles"]]
        given = {
            **play.get("vars", {}),
            **{name: each for role in play["roles"] for name, each in role.get("vars", {}).items()},
        }
        assert set(given) <= {variable for name in names for variable in spec(name)}
        for name in names:
            variables = {key[len(name) + 1 :]: value for key, value in given.items() if key.startswith(f"{name}_")}
            assert READERS[name]({key: value for key, value in variables.items() if key in ROLES[name]})


@pytest.mark.parametrize("role", ROLES)
def test_every_variable_is_used(role):
    files = [
        path
        for path in (ROOT / "roles" / role).rglob("*.yml")
        if "defaults" not in path.parts and "meta" not in path.parts
    ]
    text = "".join(path.read_text() for path in files)
    assert [name for name in spec(role) if name not in text] == []


@pytest.mark.parametrize(
    ("template", "line"),
    [
        ("00-linux-lvs.network", "Name=lvs0 lvs1"),
        ("linux-lvs.conf", "unmanaged-devices+=interface-name:lvs0;interface-name:lvs1"),
    ],
)
def test_network_managers_leave_the_role_s_own_devices_alone_and_no_other(template, line):
    path = ROOT / "roles" / "real_server" / "templates" / f"{template}.j2"
    text = jinja2.Template(path.read_text()).render(__real_server_wanted={"devices": ["lvs0", "lvs1"]})
    assert line in text.splitlines()
    assert "*" not in text
