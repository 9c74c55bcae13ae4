"""Who starts the process of a run: each runner is one module here, called by its file's name, with

    trains_here                                           whether its runs take memory and their turn on this machine
    start(run_ids, log, environment, locks, ticket) -> handle   of one run, or of several on one base; raises OSError
    is_working(handle, folder) -> bool                    whether its process works on the run in that folder
    is_alive(handle) -> bool                              whether there is its process at all
    cancel(handle)                                        asks it to end
    kill(handle)                                          ends it at once

A handle is a dictionary of JSON, kept with the run; that of several runs has {"group": their ids}.
"""

from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from lora_hub.core.errors import SpecError
from lora_hub.core.messages import _, several

# The runner of this machine, and that of hired hardware.
HERE, ELSEWHERE = "local", "hf_jobs"


def get_runner(name: str) -> Any:
    """The runner's module. Raises SpecError where there is none of that name."""
    known = sorted(module.name for module in iter_modules(__path__))
    if name not in known:
        raise SpecError(
            _("There is no runner {name!r}."), _("Choose one of: {choices}."), name=name, choices=several(known)
        )
    return import_module(f"{__name__}.{name}")
