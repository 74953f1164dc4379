# Copyright (c) 2026, the linux.lvs contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module ipvs_owner_info: what it takes and returns.

Private to linux.lvs: may change in any release.
"""

from __future__ import annotations

from . import _host
from ._model import Claim, Setting
from ._module import COMMON, LvsModule, Spec, errors_told
from ._owners import Host, find_owners

OWNERS_SPEC: Spec = {**COMMON}


def run_owners() -> None:
    """The module ipvs_owner_info."""
    module = LvsModule(OWNERS_SPEC, lambda options, check_mode: None)
    with errors_told(module), _host.network_namespace(module.params["netns"]):
        host = Host()
        owners = find_owners(host, _host.is_this_namespace)
        services, settings = (
            [owner.to_options() for owner in owners if isinstance(owner.claim, kind)] for kind in (Claim, Setting)
        )
        for warning in host.warnings:
            module.warn(warning)
        module.exit_json(changed=False, owners=services, settings=settings, files=list(host.files))
