"""Everything the page does, in the shell: `python -m lora_hub --help`.

With --json the last line of standard output is one JSON object, even if the command line is refused. Nothing else is
printed there; progress and messages go to standard error. The exit status says how much of the command succeeded:

| status | meaning |
|---|---|
| 0 | all of it |
| 1 | none of it; the error says why |
| 2 | the command is wrong: an unknown command, option, task or setting, a value out of range, also in a variable |
| 3 | a part of it: trained but not published, some tasks of a pipeline, or a Space that does not run |
| 4 | all of it, but a score is below --min, a number does not agree (`tests check`; `matrix`, `promote`, `compose`
with --check), nothing is better (promote, compose), or another adapter came out (reproduce) |
| 124 | `runs wait` gave up waiting: the run goes on |
| 130, 143, 129 | interrupted, told to end, its terminal was closed |
| 141 | the reader of the output has closed it |

Messages are in the reader's language (language.py); JSON, logs and names stay English. Heavy packages are imported only
when a command needs them.
"""

import argparse
import contextlib
import errno
import json
import os
import sys
import time
import traceback
from typing import Any

from lora_hub.cli.language import choose_language
from lora_hub.cli.options import BelowMinimum
from lora_hub.cli.parser import make_parser
from lora_hub.cli.screen import Screen
from lora_hub.cli.serve import serve
from lora_hub.cli.show_runs import show_scored
from lora_hub.cli.signals import INTERRUPTED, Signals
from lora_hub.cli.upkeep import open_page
from lora_hub.core import processes, settings, store
from lora_hub.core.errors import LoraHubError, SpecError
from lora_hub.core.languages import lost_folder
from lora_hub.core.messages import Message, _, _n
from lora_hub.local_hub import server


def main(arguments: list[str] | None = None) -> int:
    """Parses the arguments, runs the command and returns the exit status (see above)."""
    arguments = sys.argv[1:] if arguments is None else arguments
    as_json = "--json" in arguments
    if sys.stderr is None:  # closed: its messages must not go to standard output instead
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    screen = Screen()
    if sys.stdout is None:  # closed by the parent process; the next opened file would take its descriptor
        closed = _("Standard output is closed, so nobody would get the result.")
        screen.say_error(closed, _("Send it to a file; or to /dev/null, if it is not wanted."))
        return 1
    settings.hide_progress()
    processes.bound_caches()
    try:
        status = _main(arguments, as_json, screen)
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        _drop_output()
        return 141
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EIO, errno.EBADF):
            raise
        _drop_output()
        said = _("Standard output cannot be written: {reason}.", reason=error.strerror or error)
        screen.say_error(said, _("Send it to a place with room."))
        return 1


def _drop_output() -> None:
    """Discards unwritten output, which would raise again when the interpreter exits."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _main(arguments: list[str], as_json: bool, screen: Screen) -> int:
    try:
        if (lost := lost_folder()) is not None:
            screen.say(_("note: {said}", said=_("LORA_HUB_LOCALE names {folder}, which is no folder.", folder=lost)))
        screen.language = choose_language(arguments, os.environ)
        options = make_parser(screen).parse_args(arguments, argparse.Namespace(screen=screen))
        settings.check()
        if closed := store.keep_private():
            screen.say(_("note: {said}", said=_closed(closed)))
        # Libraries that print to standard output would spoil the JSON.
        with contextlib.redirect_stdout(sys.stderr) if as_json else contextlib.nullcontext():
            # The embedded Hub, the page and the endpoint handle signals themselves.
            is_server = options.command in (server.start, open_page, serve)
            with contextlib.nullcontext() if is_server else Signals() as options.signals:
                result = options.command(options)
    except LoraHubError as error:
        # Completed training and scores are printed even if something failed afterwards.
        scored = [] if as_json else show_scored(getattr(error, "also", {}), is_good=not isinstance(error, BelowMinimum))
        if scored:
            print(screen.tell_all(scored), flush=True)
        return _tell_error(error, as_json, getattr(error, "status", 2 if isinstance(error, SpecError) else 1), screen)
    except KeyboardInterrupt as ended:
        said, status = getattr(ended, "said", INTERRUPTED), getattr(ended, "status", 130)
        return _tell_error(LoraHubError(said), as_json, status, screen, getattr(ended, "also", {}))
    except BrokenPipeError:
        raise
    except Exception as error:
        return _tell_error(_explain(error), as_json, 1, screen)
    if as_json:
        print(_as_json(result))
    elif result is not None and (parts := options.show(result)):
        print(screen.tell_all(parts))
    return 0


def _closed(count: int) -> Message:
    return _n(
        "{count:,} file or folder in {home} could be read by others on this machine. Now only you can.",
        "{count:,} files and folders in {home} could be read by others on this machine. Now only you can.",
        count=count,
        home=settings.home(),
    )


def _as_json(result: Any) -> str:
    """One line; sentences in English."""
    return json.dumps(result, ensure_ascii=False, default=str)


def _tell_error(
    error: LoraHubError, as_json: bool, status: int, screen: Screen, also: dict[str, Any] | None = None
) -> int:
    screen.say_error(error.said, error.advice)
    if as_json:
        print(_as_json({**error.to_json(), **getattr(error, "also", {}), **(also or {})}))
    return status


def _explain(error: Exception) -> LoraHubError:
    """An unusable folder of ours, explained in words. Anything else is a bug and is logged in full."""
    from lora_hub.core import disk

    told = disk.explain_home(error) if isinstance(error, OSError) else None
    if told is not None:
        return told
    details = "".join(traceback.format_exception(error))
    file = settings.home() / "errors.log"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("a", encoding="utf-8") as log:
            log.write(time.strftime("%Y-%m-%d %H:%M:%S\n") + details + "\n")
        where = _("The details are in {file}.", file=file)
    except OSError as unwritable:
        print(details, file=sys.stderr)
        where = _("The details are above: {file} cannot be written ({reason}).", file=file, reason=unwritable.strerror)
    first = str(error).splitlines()[0] if str(error) else ""
    return LoraHubError(
        _("This is a bug in LoRA Hub: {kind}: {reason}"), where, kind=type(error).__name__, reason=first
    )
