# Copyright (c) 2026, the linux.lvs contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of pyroute2 that we use, imported without the rest of it.

Private to linux.lvs: may change in any release.

``import pyroute2.netlink`` first runs ``pyroute2/__init__.py``, which imports all of the package: of what a task with one
small change takes on a director, that was the larger part. So the package's place is held by an empty module while the
part is imported. Who imports pyroute2 afterwards in the same process gets all of it, except that parts which are here
already are no attributes of the package; ``from pyroute2.netlink import …`` finds them.
"""

from __future__ import annotations

import importlib.util
import sys
import traceback
from types import ModuleType
from typing import Any

PACKAGE = "pyroute2"

ERROR: str | None = None  # the traceback of why there is none
ctrlmsg: Any = object
genlmsg: Any = object
nla: Any = object


def _import() -> None:
    global ctrlmsg, genlmsg, nla
    from pyroute2.netlink import ctrlmsg, genlmsg, nla


def _import_alone() -> bool:
    """Imports the part without the package; False, with nothing left of the attempt, when that does not go."""
    spec = None if PACKAGE in sys.modules else importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        return False
    place = ModuleType(PACKAGE)
    place.__path__ = spec.submodule_search_locations
    place.__spec__ = spec
    sys.modules[PACKAGE] = place
    try:
        _import()
    except Exception:  # a line of pyroute2 that needs its package, or a broken one: importing it whole tells which
        for name in [name for name in sys.modules if name.startswith(f"{PACKAGE}.")]:
            del sys.modules[name]
        return False
    finally:
        del sys.modules[PACKAGE]
    return True


try:
    if not _import_alone():
        _import()
except Exception:  # a broken pyroute2 (0.9.2 on Python 3.8: TypeError) is to be told like a missing one
    ERROR = traceback.format_exc()
