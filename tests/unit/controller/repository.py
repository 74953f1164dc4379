# Copyright (c) 2026, the linux.lvs contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The repository's files as data, for tests that hold them together."""

from __future__ import annotations

import ast
import subprocess
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[3]
MODULES = sorted((ROOT / "plugins" / "modules").glob("*.py"))
ROOMS = sorted((ROOT / "plugins" / "module_utils").glob("*.py"))
FILTERS = sorted((ROOT / "plugins" / "filter").glob("*.py"))
CONTROLLER_ROOMS = sorted((ROOT / "plugins" / "plugin_utils").glob("*.py"))


def folders():
    """Folders of the repository: those at the top, and within plugins and tests one deeper."""
    git = ["git", "-C", ROOT, "ls-files", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(git, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
    files = done.stdout.splitlines()
    if done.returncode:  # a copy
        files = [str(path.relative_to(ROOT)) for path in ROOT.rglob("*") if path.is_file()]
    names = set()
    for parents in (file.split("/")[:-1] for file in files):
        depth = 2 if parents[:1] in (["plugins"], ["tests"]) else 1
        if len(parents) >= depth and "__pycache__" not in parents:
            names.add("/".join(parents[:depth]))
    return names


def read_yaml(path):
    return yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))


def tree_of(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def text_constants(tree):
    """What is assigned to names as text, in a file or in its classes."""
    return {
        node.targets[0].id: node.value.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    }


def documentation(module):
    """DOCUMENTATION of a module, with that of its fragments."""
    merged = yaml.safe_load(text_constants(tree_of(_module_path(module)))["DOCUMENTATION"])
    for name in merged["extends_documentation_fragment"]:
        _merge(merged, fragment(name))
    return merged


def fragment(name):
    """A part of a documentation fragment, by the name that modules use."""
    _collection, _dot, rest = name.partition("linux.lvs.")
    file, _dot, part = rest.partition(".")
    constants = text_constants(tree_of(ROOT / "plugins" / "doc_fragments" / f"{file}.py"))
    return yaml.safe_load(constants[(part or "documentation").upper()])


def returned(module):
    """RETURN of a module."""
    return yaml.safe_load(text_constants(tree_of(_module_path(module)))["RETURN"])


def _module_path(module):
    return ROOT / "plugins" / "modules" / f"{module}.py"


def _merge(into, other):
    for key, value in other.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        elif isinstance(value, list) and isinstance(into.get(key), list):
            into[key] = into[key] + value
        else:
            into.setdefault(key, value)
