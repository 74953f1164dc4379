# Copyright (c) 2026, the linux.lvs contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection as users get it: built, installed, played by its full name."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.linux.lvs.tests.integration.conftest import play_of_tasks

REPOSITORY = Path(__file__).parents[2]
TASKS = """
- name: A service
  linux.lvs.ipvs_service:
    address: 192.0.2.1
    port: 80
"""


def test_the_built_collection_installs_and_plays(newest_ansible, netns, tmp_path):
    newest_ansible.run("ansible-galaxy", "collection", "build", REPOSITORY, "--output-path", tmp_path)
    (tarball,) = tmp_path.glob("linux-lvs-*.tar.gz")
    place = tmp_path / "collections"
    alone = {"ANSIBLE_COLLECTIONS_PATH": str(place), "PYTHONPATH": ""}
    newest_ansible.run(
        "ansible-galaxy", "collection", "install", "--offline", "--no-deps", "-p", place, tarball, **alone
    )
    shipped = {path.name for path in (place / "ansible_collections" / "linux" / "lvs").iterdir()}
    assert {"plugins", "playbooks", "meta", "README.md", "LICENSES"} <= shipped
    assert not {"tests", "Makefile", ".git", ".ci", "pyproject.toml"} & shipped
    played = newest_ansible.play(play_of_tasks("Installed", netns.name, TASKS), **alone)
    assert played.recap["changed"] == 1
    assert netns.save() == ["-A -t 192.0.2.1:80 -s wlc"]
