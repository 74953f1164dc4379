#!/usr/bin/env bash
# Copyright (c) 2026, the linux.lvs contributors
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Runs the linters, all or those named, and says of each whether it passed; the output is shown of those that failed.
# Usage: tests/lint.sh [NAME...]
# The tools are those of PATH, where `make lint` puts their virtual environment. They work on a copy of the tree, because
# several write into it, and because ansible-test asks for a directory named ansible_collections/linux/lvs.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=${LVS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/linux-lvs}/lint
mkdir -p "$cache"
cache=$(cd "$cache" && pwd)
# one at a time: ansible-test's virtual environments are shared
exec 9>"$cache/lock"
flock -n 9 || { echo "waiting for another run of the linters" && flock 9; }
work=$(mktemp -d "$cache/run.XXXXXX")
tree=$work/ansible_collections/linux/lvs
log=$work/log
failed=()
tool=

stop() {
    # each tool has a process group of its own: what it started ends with it
    [ -z "$tool" ] || kill -TERM -- "-$tool" 2>/dev/null || true
    rm -rf "$work"
}
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

copy_tree() {
    mkdir -p "$tree"
    cd "$root"
    git ls-files -z --cached --others --exclude-standard |
        while IFS= read -r -d '' file; do
            # a file that was deleted but is not committed so is still listed
            if [ -e "$file" ] || [ -L "$file" ]; then printf '%s\0' "$file"; fi
        done | xargs -0 cp -P --parents -t "$tree"
}

# ansible-test and ansible-lint keep their things in the home directory, which is ours to fill as little as the tree.
prepare_home() {
    local home=$cache/home bootstrap directory version
    mkdir -p "$home/.ansible/test/cache" "$home/.config"
    # ansible-test clears the environment, so that pip finds its settings in the home directory only
    for directory in .config/pip .pip; do
        [ ! -d "$HOME/$directory" ] || ln -sfn "$HOME/$directory" "$home/$directory"
    done
    # ansible-test downloads get-pip.py for its virtual environments; Python has a pip that gets the version asked for
    cat >"$work/get_pip.py" <<'PYTHON'
import subprocess
import sys

args = [arg for arg in sys.argv[1:] if arg not in ("--no-setuptools", "--no-wheel")]
if __name__ == "__main__":
    subprocess.check_call([sys.executable, "-m", "ensurepip", "--default-pip"], stdout=subprocess.DEVNULL)
    subprocess.check_call([sys.executable, "-m", "pip", "install", "--quiet", *args])
PYTHON
    bootstrap=$(python -c 'import ansible_test; print(ansible_test.__path__[0])')/_internal/python_requirements.py
    sed -nE "s/.*\\bpip='([0-9.]+)'.*/\\1/p" "$bootstrap" | sort -u | while read -r version; do
        cp "$work/get_pip.py" "$home/.ansible/test/cache/get_pip_${version//./_}.py"
    done
    export HOME=$home ANSIBLE_COLLECTIONS_PATH=$work${LVS_COLLECTIONS:+:$LVS_COLLECTIONS} NO_COLOR=1
}

lint() {
    local name=$1 begin=$SECONDS verdict=ok
    shift
    case " $wanted " in
        "  " | *" $name "*) ;;
        *) return 0 ;;
    esac
    (cd "$tree" && exec setsid "$@") >"$log" 2>&1 </dev/null 9>&- &
    tool=$!
    wait "$tool" || verdict=failed
    tool=
    printf '%-20s %-6s %3d s\n' "$name" "$verdict" $((SECONDS - begin))
    if [ "$verdict" = failed ]; then
        failed+=("$name")
        sed 's/^/    /' "$log"
    fi
}

wanted=$*
copy_tree
prepare_home
mapfile -t shell_scripts < <(cd "$tree" && find . -type f -exec awk 'FNR == 1 && /^#!.*sh$/ { print FILENAME }' {} +)
python_version=$(python -c 'import sys; print("%d.%d" % sys.version_info[:2])')

lint ruff-check ruff check --cache-dir "$cache/ruff" .
lint ruff-format ruff format --cache-dir "$cache/ruff" --check --quiet .
lint mypy env --chdir="$work" mypy --strict --ignore-missing-imports --explicit-package-bases --namespace-packages \
    --cache-dir "$cache/mypy" ansible_collections/linux/lvs/plugins/{module_utils,plugin_utils,filter}
lint vermin vermin --target=3.8- --no-tips --violations plugins
lint yamllint yamllint --strict .
lint shellcheck shellcheck --external-sources --source-path=SCRIPTDIR "${shell_scripts[@]}"
lint reuse reuse lint --lines
lint changelog antsibull-changelog lint
lint docs antsibull-docs lint-collection-docs --plugin-docs --validate-collection-refs=self .
lint ansible-lint ansible-lint --offline --profile production
lint sanity ansible-test sanity --venv --requirements --python "$python_version" --color no

[ ${#failed[@]} -eq 0 ] || {
    echo "failed: ${failed[*]}"
    exit 1
}
