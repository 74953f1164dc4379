#!/usr/bin/env bash
# Copyright (c) 2026, the linux.lvs contributors
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Runs a command on Debian's own kernel: in an emulated machine that has this repository, Debian's Python and pyroute2, and of the
# environment that is in use the other packages.
# Usage: tests/stock.sh COMMAND...   (in the root of the repository there; tests/lab/run works on that kernel)
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
machines=$root/tests/lab/machines
directory=$(mktemp -d)

stop() {
    "$machines" down "$directory/stock"
    rm -rf "$directory"
}
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

there() { "$machines" ssh "$directory/stock" stock "$@"; }

export LAB_OWNER=$$
cd "$root"
echo '{"segments": {"lan": {"ipv4": "10.0.0.", "ipv6": "fd00::"}},
       "machines": {"stock": {"nics": {"lan": 1}, "kernel": "debian", "memory": "2G"}}}' | "$machines" up "$directory/stock"
collection=/srv/tree/ansible_collections/linux/lvs
packages=$(python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
there mkdir -p /srv/bin /srv/packages-of-tests "$collection"
tar -C "$packages" --exclude=__pycache__ --exclude=pyroute2* --exclude=ansible_test -czf - . | there tar -C /srv/packages-of-tests -xzf -
{ git ls-files -z --cached --others --exclude-standard; } | tar --null -T - -czf - | there tar -C "$collection" -xzf -
there "apt-get -qq install --yes ipvsadm python3-pyroute2 >/dev/null 2>&1 && modprobe ip_vs && ln -s /usr/bin/python3 /srv/bin/python &&
    printf '#!/bin/sh\nexec python3 -m ansible.cli.playbook \"\$@\"\n' >/srv/bin/ansible-playbook && chmod +x /srv/bin/ansible-playbook &&
    echo \"Kernel: \$(uname -r), \$(python3 --version), pyroute2 \$(dpkg-query -f '\${Version}' -W python3-pyroute2), emulated.\" >&2"
there "cd $collection && export PATH=/srv/bin:\$PATH PYTHONPATH=/srv/packages-of-tests:/srv/tree LAB=native &&
    HYPOTHESIS_PROFILE=quick ANSIBLE_COLLECTIONS_PATH=/srv/tree exec $(printf '%q ' "$@")"
