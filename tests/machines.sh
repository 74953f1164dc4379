#!/usr/bin/env bash
# Copyright (c) 2026, the linux.lvs contributors
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Runs molecule's scenarios, all or those named, and says of each whether it passed; the output is shown of those that failed.
# Usage: tests/machines.sh [SCENARIO...]
# molecule keeps its things in the home directory, so it gets one that goes afterwards. The machines end when this program does.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
home=$(mktemp -d)
failed=()
molecule=

stop() {
    [ -z "$molecule" ] || kill -TERM -- "-$molecule" 2>/dev/null || true
    rm -rf "$home"
}
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

export LAB_OWNER=$$ HOME=$home NO_COLOR=1
cd "$root"
[ $# -gt 0 ] || set -- nat direct tunnel pair
for scenario; do
    begin=$SECONDS verdict=ok
    setsid timeout 3000 molecule test --scenario-name "$scenario" >"$home/log" 2>&1 </dev/null &
    molecule=$!
    wait "$molecule" || verdict=failed
    # molecule passes what it left out
    ! grep -q "Missing playbook" "$home/log" || verdict=failed
    molecule=
    printf '%-20s %-6s %3d s\n' "$scenario" "$verdict" $((SECONDS - begin))
    if [ "$verdict" = failed ]; then
        failed+=("$scenario")
        sed 's/^/    /' "$home/log"
    fi
done

[ ${#failed[@]} -eq 0 ] || {
    echo "failed: ${failed[*]}"
    exit 1
}
