"""`tests`: test sets in the shell: run one, list, show, check, export, share, cancel, resume, delete them."""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lora_hub.cli.options import Unfinished, connected_hub, fetch_named, read_mapping
from lora_hub.cli.screen import Screen
from lora_hub.core.errors import LoraHubError, SpecError
from lora_hub.core.messages import Message, _, _n
from lora_hub.core.schema import RunState
from lora_hub.people import LOCAL
from lora_hub.runs import run_states

Result = dict[str, Any]
ACTIONS = ("list", "run", "show", "wait", "check", "export", "share", "unshare", "cancel", "resume", "delete")
FORMATS = ("csv", "json")


def add_arguments(command: argparse.ArgumentParser, say: Callable[[Message], str]) -> None:
    command.add_argument("action", nargs="?", default="list", choices=ACTIONS)
    command.add_argument(
        "name",
        nargs="?",
        default="",
        metavar="FILE|ID",
        help=say(
            _("of run: a file, a dataset id (owner/name), or a run whose held-out rows are asked; else a test's id")
        ),
    )
    command.add_argument(
        "--adapter",
        action="append",
        default=[],
        metavar="A",
        help=say(_("of run: repo id, repo@revision, run id or PEFT folder; may be repeated")),
    )
    command.add_argument("--base", action="store_true", help=say(_("of run: ask the base, too")))
    command.add_argument(
        "--examples", action="store_true", help=say(_("of run: ask the base with examples in its prompt, too"))
    )
    command.add_argument(
        "--base-of",
        default="",
        metavar="BASE",
        help=say(_("the adapters' base, where it lies elsewhere than they say: a folder or a Hub id")),
    )
    command.add_argument("--map", default="", metavar="ROLE=COLUMN,...", help=say(_("which column is what")))
    command.add_argument(
        "--max-rows", type=int, default=0, metavar="N", help=say(_("of run: the first rows only; 0 (the default): all"))
    )
    command.add_argument(
        "--judge",
        default="",
        metavar="MODEL|URL",
        help=say(
            _("of run: a base, an adapter or an OpenAI-compatible address that says which of two answers is better")
        ),
    )
    command.add_argument(
        "--judge-model", default="", metavar="NAME", help=say(_("of run: the judge's model at its address"))
    )
    command.add_argument(
        "--judge-http", action="store_true", help=say(_("of run: the judge's address may be http on another machine"))
    )
    command.add_argument("--no-wait", dest="wait", action="store_false", help=say(_("of run: do not wait for its end")))
    command.add_argument("--format", choices=FORMATS, default="csv", help=say(_("of export (default: csv)")))
    command.add_argument(
        "--out", type=Path, metavar="FILE", help=say(_("of export: the file to write (default: what is printed)"))
    )


def manage_tests(options: argparse.Namespace) -> Result:
    from lora_hub import use_cases
    from lora_hub.compare import test_sets

    if options.action == "list":
        return {"tests": [test_sets.test_row(one) for one in use_cases.list_tests(LOCAL)]}
    if not options.name:
        raise SpecError(
            _("`{command}` needs a name."),
            _("For example: {example}"),
            command=f"tests {options.action}",
            example="python -m lora_hub tests run more.csv --adapter spam-built-in --base"
            if options.action == "run"
            else f"python -m lora_hub tests {options.action} ID",
        )
    if options.action == "run":
        return _run(options)
    if options.action == "wait":
        return _wait(options, options.name, cancels=False)
    if options.action == "check":
        return _check(options.name)
    if options.action == "export":
        return _export(options)
    if options.action in ("share", "unshare"):
        visibility = "organization" if options.action == "share" else "private"
        return {"shared": use_cases.share_test(LOCAL, options.name, visibility).visibility, "id": options.name}
    if options.action == "delete":
        use_cases.delete_test(LOCAL, options.name)
        return {"deleted": options.name}
    if options.action == "cancel":
        return test_sets.test_details(use_cases.cancel_test(LOCAL, options.name))
    if options.action == "resume":
        use_cases.resume_test(LOCAL, options.name)
        return (
            _wait(options, options.name)
            if options.wait
            else test_sets.test_row(use_cases.refresh_test(LOCAL, options.name))
        )
    return test_sets.test_details(use_cases.refresh_test(LOCAL, options.name))


def _run(options: argparse.Namespace) -> Result:
    from lora_hub import use_cases
    from lora_hub.compare import Comparer, test_sets
    from lora_hub.core import store

    if not options.adapter:
        raise SpecError(
            _("`tests run` needs at least one --adapter."),
            _("For example: {command}"),
            command=f"python -m lora_hub tests run {options.name} --adapter spam-built-in",
        )
    with connected_hub(options.screen):
        held_out = not Path(options.name).exists() and options.name in store.list_run_ids()
        rows = {"run": options.name} if held_out else {"file": fetch_named(options.name, options.screen)}
        comparer = Comparer(options.base_of)
        judging = {"plain_http": options.judge_http}
        if options.judge:
            judge = use_cases.choose_judge(LOCAL, comparer, options.judge, model=options.judge_model, **judging)
            options.screen.say(test_sets.describe_sending(judge))
        state = use_cases.start_test(
            LOCAL,
            comparer,
            options.adapter,
            **rows,
            mapping=read_mapping(options.map),
            base=options.base,
            examples=options.examples,
            max_rows=options.max_rows,
            base_of=options.base_of,
            judge=options.judge,
            judge_model=options.judge_model,
            **judging,
        )
    options.screen.say(_("test {test_id}", test_id=state.id))
    return _wait(options, state.id) if options.wait else test_sets.test_row(state)


def _wait(options: argparse.Namespace, test_id: str, *, cancels: bool = True) -> Result:
    """cancels: whoever ends this command ends the test. Raises Unfinished where the test did not succeed."""
    from lora_hub import use_cases
    from lora_hub.compare import test_sets

    shown = _Progress(options.screen)
    try:
        while not (state := use_cases.refresh_test(LOCAL, test_id)).state.is_final:
            shown.show(state)
            time.sleep(0.3)
    except KeyboardInterrupt as stop:
        state = use_cases.refresh_test(LOCAL, test_id)
        if cancels and not state.state.is_final:
            state = use_cases.cancel_test(LOCAL, test_id)
        stop.also = test_sets.test_row(state)
        raise
    finally:
        shown.end()
    result = test_sets.test_details(state)
    if state.state is not RunState.SUCCEEDED:
        error = state.error
        said = error.said if error else _("The test {test_id} is {state}.", test_id=test_id, state=_word(state))
        advice = error.advice if error else _("`python -m lora_hub tests resume {test_id}` goes on.", test_id=test_id)
        raise Unfinished(said, advice, also=result)
    return result


def _check(test_id: str) -> Result:
    """Raises Unfinished where a number does not agree."""
    from lora_hub import use_cases

    found = use_cases.check_test(LOCAL, test_id)
    wrong = [{"what": one.what, "stored": one.stored, "computed": one.computed} for one in found if not one.agrees]
    result = {"test": test_id, "checked": len(found), "disagree": wrong}
    if wrong:
        raise Unfinished(
            _n(
                "{count:,} of {total:,} numbers does not agree with the files.",
                "{count:,} of {total:,} numbers do not agree with the files.",
                count=len(wrong),
                total=len(found),
            ),
            _("The first is {what}: {stored} is written, {computed} was computed. Run the test again.").filled(
                {key: str(value) for key, value in wrong[0].items()}
            ),
            also=result,
            status=4,
        )
    return result


def _export(options: argparse.Namespace) -> Result:
    from lora_hub import use_cases
    from lora_hub.compare import test_sets
    from lora_hub.core import store

    report = use_cases.read_test(LOCAL, options.name)
    if report.result is None:
        raise LoraHubError(
            _("The test {test_id} has no result yet."), _("Wait until it has succeeded."), test_id=options.name
        )
    if options.format == "json":
        whole = test_sets.to_json(report.state.spec, report.result, report.rows)
        if options.out is None:
            return whole
        store.write_json(options.out, whole)
    elif options.out is not None:
        store.write_text(options.out, test_sets.to_csv(report.rows))
    else:
        return {"test": options.name, "csv": test_sets.to_csv(report.rows)}
    return {"test": options.name, "file": str(options.out), "rows": len(report.rows)}


def _word(state: Any) -> Message:
    return run_states.word(state.state)


class _Progress:
    """Shows a test on standard error: one line that changes on a terminal, else a line a phase."""

    def __init__(self, screen: Screen) -> None:
        self._screen, self._last = screen, ""

    def show(self, state: Any) -> None:
        from lora_hub.compare import test_sets

        said = test_sets.PHASES.get(state.phase, _word(state))
        if sys.stderr.isatty():
            if state.total:
                said = _("{phase}: {done:,} of {total:,}", phase=said, done=state.done, total=state.total)
            if state.eta is not None:
                said = _("{said}, {seconds:.0f} s left", said=said, seconds=float(state.eta))
            self._last = self._screen.tell(said)
            print("\r\033[K" + self._last, end="", file=sys.stderr, flush=True)
        elif (line := self._screen.tell(said)) != self._last:
            self._last = line
            print(line, file=sys.stderr, flush=True)

    def end(self) -> None:
        if self._last and sys.stderr.isatty():
            print(file=sys.stderr)
