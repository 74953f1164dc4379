# Copyright (c) 2026, the linux.lvs contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules about the files themselves: who imports whom, what stands where, what goes together."""

from __future__ import annotations

import ast
import re
import subprocess

import pytest
from ansible_collections.linux.lvs.tests.unit.controller.repository import (
    CONTROLLER_ROOMS,
    FILTERS,
    MODULES,
    ROOMS,
    ROOT,
    documentation,
    folders,
    fragment,
    read_yaml,
    text_constants,
    tree_of,
)

# Each imports only from those before it
ORDER = (
    "_errors",
    "_address",
    "_model",
    "_options",
    "_sysctls",
    "_plan",
    "_desired",
    "_table",
    "_popt",
    "_rules",
    "_settings",
    "_connections",
    "_ipvsadm",
    "_director_sysctls",
    "_director",
    "_real_server",
    "_blocks",
    "_keepalived",
    "_ldirectord",
    "_wire",
    "_host",
    "_owners",
    "_links",
    "_pyroute2",
    "_genetlink",
    "_netlink",
    "_apply",
    "_apply_settings",
    "_module",
    "_run_info",
    "_run_owners",
    "_run_sysctls",
    "_run_table",
    "_run_settings",
)
PURE = ORDER[: ORDER.index("_host")]
PURE_IMPORTS = {
    "__future__",
    "collections.abc",
    "dataclasses",
    "fnmatch",
    "functools",
    "ipaddress",
    "itertools",
    "re",
    "shlex",
    "struct",
    "typing",
}
OUTSIDE = ("open", "print", "input", "exec", "eval", "compile", "__import__", "breakpoint")
LETTER = re.compile(r"-[A-Za-z0-9]|--[a-z][a-z-]*")
HOME = "ansible_collections.linux.lvs.plugins.module_utils."
EXECUTABLE_LINES = 40
ACTION_GROUP = "ipvs"
ALWAYS_CHANGED = ("ipvs_counters",)
FILES = [*ROOMS, *MODULES]


def _imports(tree):
    """The modules that a file imports; rooms by the names of their files."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            yield node.module[len(HOME) :] if node.module.startswith(HOME) else node.module
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            yield from (alias.name for alias in node.names)


def _imported_from(tree, package):
    return [name for name in _imports(tree) if name.split(".")[0] == package]


def test_every_room_has_its_place():
    assert [path.stem for path in ROOMS] == sorted(ORDER)


@pytest.mark.parametrize("path", ROOMS, ids=lambda path: path.stem)
def test_rooms_import_downwards_only(path):
    rooms = set(_imports(tree_of(path))) & set(ORDER)
    assert rooms <= set(ORDER[: ORDER.index(path.stem)])


@pytest.mark.parametrize("path", [path for path in ROOMS if path.stem in PURE], ids=lambda path: path.stem)
def test_pure_rooms_reach_nothing_outside(path):
    tree = tree_of(path)
    allowed = PURE_IMPORTS | ({"socket"} if path.stem == "_address" else set())
    assert set(_imports(tree)) - set(ORDER) <= allowed
    assert not [node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id in OUTSIDE]


def test_addresses_take_no_socket_but_its_text_functions():
    path = ROOT / "plugins" / "module_utils" / "_address.py"
    used = {node.attr for node in ast.walk(tree_of(path)) if isinstance(node, ast.Attribute) and _is_socket(node.value)}
    assert used == {"AF_INET", "AF_INET6", "inet_ntop", "inet_pton"}


def _is_socket(node):
    return isinstance(node, ast.Name) and node.id == "socket"


@pytest.mark.parametrize(("package", "room"), [("pyroute2", "_pyroute2"), ("ansible", "_module")])
def test_package_is_imported_in_one_room(package, room):
    assert [path.stem for path in FILES if _imported_from(tree_of(path), package)] == [room]


def test_flag_letters_stand_in_one_room():
    with_letters = []
    for path in [*FILES, *FILTERS, *CONTROLLER_ROOMS]:
        constants = (node.value for node in ast.walk(tree_of(path)) if isinstance(node, ast.Constant))
        if any(isinstance(value, str) and LETTER.fullmatch(value) for value in constants):
            with_letters.append(path.stem)
    assert with_letters == ["_ipvsadm"]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_module_is_documentation_and_little_else(path):
    tree = tree_of(path)
    text = path.read_text(encoding="utf-8").splitlines()
    texts = ("DOCUMENTATION", "EXAMPLES", "RETURN")
    assert set(texts) <= set(text_constants(tree))
    for node in tree.body:
        if isinstance(node, ast.Assign) and node.targets[0].id in texts:
            text[node.lineno - 1 : node.end_lineno] = [""] * (node.end_lineno - node.lineno + 1)
    assert len([line for line in text if line.strip()]) <= EXECUTABLE_LINES
    assert [node.name for node in tree.body if isinstance(node, (ast.FunctionDef, ast.ClassDef))] == ["main"]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_module_file_documents_itself(path):
    assert documentation(path.stem)["module"] == path.stem


def test_action_group_holds_every_module():
    assert read_yaml("meta/runtime.yml")["action_groups"] == {ACTION_GROUP: [path.stem for path in MODULES]}


def test_fragment_names_the_action_group():
    group = fragment("linux.lvs._attributes")["attributes"]["action_group"]
    assert group["membership"] == [f"linux.lvs.{ACTION_GROUP}"]
    assert f"group/linux.lvs.{ACTION_GROUP}" in group["description"]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_module_declares_check_mode_diff_mode_and_group(path):
    attributes = documentation(path.stem)["attributes"]
    changes = not path.stem.endswith("_info")
    support = {name: attribute["support"] for name, attribute in attributes.items()}
    expected = dict.fromkeys(("action_group", "check_mode", "platform"), "full")
    idempotent = "none" if path.stem in ALWAYS_CHANGED else "full"
    assert support == {**expected, "diff_mode": "full" if changes else "N/A", "idempotent": idempotent}


@pytest.mark.parametrize("path", [*FILTERS, *CONTROLLER_ROOMS], ids=lambda path: path.stem)
def test_what_runs_on_the_controller_takes_pure_rooms_only(path):
    assert {name for name in _imports(tree_of(path)) if name in ORDER} <= set(PURE)


@pytest.mark.parametrize("path", FILTERS, ids=lambda path: path.stem)
def test_filter_has_its_documentation_beside_it(path):
    sidecar = read_yaml(path.with_suffix(".yml"))
    documented = sidecar["DOCUMENTATION"]
    assert documented["name"] == path.stem
    assert {"author", "version_added", "short_description", "description", "seealso"} <= set(documented)
    assert documented["options"]["_input"].keys() >= {"description", "type", "required"}
    assert f"linux.lvs.{path.stem}" in sidecar["EXAMPLES"]
    assert sidecar["RETURN"]["_value"].keys() >= {"description", "type", "sample"}


def test_every_documented_filter_is_there():
    assert [path.stem for path in sorted((ROOT / "plugins" / "filter").glob("*.yml"))] == [
        path.stem for path in FILTERS
    ]


def test_map_of_contributing_names_every_folder_and_no_other():
    rows = re.findall(r"^\| `(.*?)/` \| .", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(rows) == sorted(folders())


def test_version_has_its_changelog():
    version = str(read_yaml("galaxy.yml")["version"])
    released = read_yaml("changelogs/changelog.yaml")["releases"]
    assert version in released or list((ROOT / "changelogs" / "fragments").glob("*.yml"))


@pytest.mark.parametrize("path", [*MODULES, *FILTERS], ids=lambda path: path.stem)
def test_plugin_was_added_in_a_release_or_in_the_coming_one(path):
    coming = str(read_yaml("galaxy.yml")["version"])
    released = read_yaml("changelogs/changelog.yaml")["releases"]
    is_filter = path in FILTERS
    documented = read_yaml(path.with_suffix(".yml"))["DOCUMENTATION"] if is_filter else documentation(path.stem)
    assert documented["version_added"] in {coming, *released}


PLAYBOOKS = sorted((ROOT / "playbooks").glob("*.yml"))
SHARED = {"lvs_directors", "lvs_services"}


@pytest.mark.parametrize("path", PLAYBOOKS, ids=lambda path: path.stem)
def test_variables_of_a_playbook_are_those_of_its_guide(path):
    guide = (ROOT / "docs/docsite/rst/playbooks_guide.rst").read_text(encoding="utf-8")
    documented = set(re.findall(rf"^``({path.stem}_\w+)`` ", guide, re.MULTILINE))
    files = [path, ROOT / "playbooks" / "vars" / path.name, ROOT / "playbooks" / "vars" / "given.yml"]
    text = "".join(file.read_text(encoding="utf-8") for file in files)
    assert set(re.findall(rf"\b{path.stem}_\w+", text)) == documented
    assert set(re.findall(r"(?<!_)\blvs_(?:directors|services)\b", text)) == SHARED
    assert f"linux.lvs.{path.stem}" in guide


def test_readme_names_every_playbook():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"`linux\.lvs\.(\w+)`", readme.partition("## Playbooks")[2].partition("## ")[0])) == {
        path.stem for path in PLAYBOOKS
    }


@pytest.mark.parametrize("scenario", ["direct", "nat", "tunnel"])
def test_scenario_has_the_steps_that_all_have_in_their_order(scenario):
    common, own = (
        read_yaml(f"extensions/molecule/{path}")["scenario"]["test_sequence"]
        for path in ("config.yml", f"{scenario}/molecule.yml")
    )
    if scenario == "direct":  # its first run finds the packages of runs that failed half-way
        common.remove("verify ../shared/promised.yml")
    left = iter(own)
    assert all(step in left for step in common)


def test_a_suite_that_there_is_not_is_refused_with_those_that_there_are():
    done = subprocess.run([ROOT / "tests" / "run", "unit-3.7"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("unit-3.7 is no suite; there are:\n")
    (pythons,) = re.findall(r"^PYTHONS = \[(.*)\]$", (ROOT / "tests" / "all.py").read_text(), re.MULTILINE)
    assert pythons.replace('"', "") in done.stderr
