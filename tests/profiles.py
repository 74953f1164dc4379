# Copyright (c) 2026, the linux.lvs contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How thoroughly properties are tried: HYPOTHESIS_PROFILE is quick (default) or long."""

from __future__ import annotations

import os
import tempfile

from hypothesis import HealthCheck, settings
from hypothesis.configuration import set_hypothesis_home_dir

# generated tables are large, which a slow machine is not to be blamed for
_PATIENT = {"deadline": None, "database": None, "suppress_health_check": [HealthCheck.too_slow]}

_home = tempfile.TemporaryDirectory(prefix="linux-lvs-hypothesis-")


def load_profile(quick, long):
    """With so many examples of each property."""
    settings.register_profile("quick", max_examples=quick, **_PATIENT)
    settings.register_profile("long", max_examples=long, **_PATIENT)
    settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))
    # it would write into the tree otherwise, with the database off too
    set_hypothesis_home_dir(_home.name)
