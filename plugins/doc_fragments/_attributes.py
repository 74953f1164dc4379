# Copyright (c) 2026, the linux.lvs contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every module of the collection says about how it behaves.

Private to linux.lvs: may change in any release.
"""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
attributes:
  action_group:
    description: Use C(group/linux.lvs.ipvs) in C(module_defaults) to set defaults for this module.
    support: full
    membership:
      - linux.lvs.ipvs
  check_mode:
    description: Can run in C(check_mode) and return changed status prediction without modifying target.
  diff_mode:
    description: Returns details on what has changed (or would change in C(check_mode)), when in diff mode.
  idempotent:
    description:
      - When run twice in a row outside check mode, with the same arguments, the second invocation indicates no
        change.
      - This assumes that nobody else changed the table in between.
  platform:
    description: Target OS/families that can be operated against.
    support: full
    platforms: linux, posix
"""

    # Used together with the standard part
    CHANGES = r"""
attributes:
  check_mode:
    support: full
    details:
      - Nothing is waited for, written or loaded into the kernel. RV(commands) are those of the real run.
      - A host whose kernel has no IPVS loaded has an empty table. That is known without pyroute2, so the first play
        against a bare host can be checked.
      - A warning names a scheduler or persistence engine that the host's kernel has neither loaded nor as a module. On a
        host without a list of modules, such as a container, that can't be told, nor whether IPVS could be loaded.
  diff_mode:
    support: full
    details:
      - Shows the table before and after in the format of C(ipvsadm-save), with the thresholds that C(ipvsadm-save)
        itself leaves out.
  idempotent:
    support: full
"""

    # Used together with the standard part, by modules for what is not the table; idempotence is theirs to tell
    SETTINGS = r"""
attributes:
  check_mode:
    support: full
    details:
      - Nothing is written or loaded into the kernel. RV(commands) are those of the real run.
      - A host whose kernel has no IPVS loaded has no daemons, nothing counted, and the time-outs that the kernel begins
        with. That is known without pyroute2, so the first play against a bare host can be checked.
  diff_mode:
    support: full
    details:
      - Shows RV(before) and RV(after).
"""

    # Used together with the standard part
    INFO = r"""
attributes:
  check_mode:
    support: full
    details:
      - This action does not modify state.
  diff_mode:
    support: N/A
    details:
      - This action does not modify state.
  idempotent:
    support: full
    details:
      - This action does not modify state.
"""
