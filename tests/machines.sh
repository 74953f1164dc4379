#!/usr/bin/env bash
# Copyright (c) 2026, the linux.lvs contributors
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Runs molecule's scenarios, two at a time, and says of each whether it passed; the output is shown of those that failed.
# Usage: tests/machines.sh [SCENARIO...]; without one that of `make test`
# molecule keeps its things in the home directory, so each gets one that goes afterwards. The machines end when this program does.
# Nearly all of a module's time on a machine is Python that starts and compiles Ansible's own code. Mitogen leaves it out, after which
# a scenario takes half as long. Those of PLAIN, in `make test-all`, are played as users play them, without it.
set -euo pipefail

PLAIN=" direct nat "

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
homes=$(mktemp -d)
failed=()
declare -A scenarios=() begins=() # by process

stop() {
    local process
    for process in "${!scenarios[@]}"; do kill -TERM -- "-$process" 2>/dev/null || true; done
    rm -rf "$homes"
}
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# how SCENARIO: what Ansible plays it with
how() {
    [[ $PLAIN != *" $1 "* ]] || return 0
    echo ANSIBLE_STRATEGY=mitogen_linear ANSIBLE_STRATEGY_PLUGINS="$mitogen/plugins/strategy" ANSIBLE_DEPRECATION_WARNINGS=false
    echo ANSIBLE_TIMEOUT=120 # all machines at once begin slowly
}

start() {
    mkdir "$homes/$1"
    # its steps are shown as they begin, all else only if it fails
    # shellcheck disable=SC2016,SC2046  # words without white space
    HOME=$homes/$1 setsid env $(how "$1") timeout 3000 bash -c 'set -o pipefail
        molecule test --scenario-name "$1" 2>&1 | tee "$2" | sed -un "s/^INFO *\[\(.* > .*\)\] Executing.*/    \1/p"' \
        molecule "$1" "$homes/$1.log" </dev/null &
    scenarios[$!]=$1 begins[$!]=$SECONDS
}

tell() {
    local process=$1 verdict=$2 scenario=${scenarios[$1]}
    unset "scenarios[$process]"
    # molecule passes what it left out
    ! grep -q "Missing playbook" "$homes/$scenario.log" || verdict=failed
    printf '%-20s %-6s %3d s\n' "$scenario" "$verdict" $((SECONDS - begins[$process]))
    if [ "$verdict" = failed ]; then
        failed+=("$scenario")
        sed 's/^/    /' "$homes/$scenario.log"
    fi
}

export LAB_OWNER=$$ NO_COLOR=1
mitogen=$(python -c 'import ansible_mitogen, os; print(os.path.dirname(ansible_mitogen.__file__))')
cd "$root"
[ $# -gt 0 ] || set -- methods
while [ $# -gt 0 ] || [ ${#scenarios[@]} -gt 0 ]; do
    if [ $# -gt 0 ] && [ ${#scenarios[@]} -lt 2 ]; then
        start "$1"
        shift
        continue
    fi
    verdict=ok
    wait -n -p process || verdict=failed
    tell "$process" "$verdict"
done

[ ${#failed[@]} -eq 0 ] || {
    echo "failed: ${failed[*]}"
    exit 1
}
