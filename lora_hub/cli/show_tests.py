"""How `tests` is shown to people."""

from typing import Any

from lora_hub.cli.screen import Indented, Part, Table
from lora_hub.cli.text import rows_of, score_table, units_of
from lora_hub.compare.test_sets import describe_agreement, describe_first, describe_judged, describe_pair
from lora_hub.core.messages import Message, _, _n, read_message
from lora_hub.core.schema import RunState
from lora_hub.runs import run_states


def show_tests(result: dict[str, Any]) -> list[Part]:
    if "tests" in result:
        return _list(result["tests"])
    if "deleted" in result:
        return [_("deleted: {name}", name=result["deleted"])]
    if "shared" in result:
        return [_("{name} is now: {visibility}", name=result["id"], visibility=result["shared"])]
    if "checked" in result:
        return [_n("{count:,} number agrees.", "All {count:,} numbers agree.", count=result["checked"])]
    if "csv" in result:
        return [result["csv"].rstrip("\r\n")]
    if "file" in result:
        return [_("written: {file}", file=result["file"])]
    if "answers" in result:  # all of a test is printed as JSON with --json; people get the short form
        return _found(result)
    state = run_states.word(RunState(result["state"]))
    told: list[Part] = [_("{test_id}: {state}", test_id=result["test"], state=state)]
    if "error" in result:
        told.append(Indented(result["error"]["message"]))
    return told + (_found(result) if "metrics" in result else [])


def _list(tests: list[dict[str, Any]]) -> list[Part]:
    if not tests:
        return [_("No tests here.")]
    rows = [
        [one["test"], one["name"], run_states.word(RunState(one["state"])), _done(one), ", ".join(one["adapters"])]
        for one in tests
    ]
    return [Table([_("test"), _("rows of"), _("state"), _("answers"), _("adapters")], rows)]


def _done(one: dict[str, Any]) -> Message | str:
    return _("{done:,} of {total:,}", done=one["done"], total=one["total"]) if one["total"] else ""


def _found(result: dict[str, Any]) -> list[Part]:
    head = _("{rows} ({units})", rows=rows_of(result["rows"]), units=units_of(result["metrics"]))
    told: list[Part] = [head, score_table(result["metrics"]), *map(describe_pair, result["pairs"])]
    if result["few_shot"]["reason"]:
        reason = read_message(result["few_shot"], "reason")
        told.append(_("The base was not asked with examples: {reason}.", reason=reason))
    return told + _judged(result)


def _judged(result: dict[str, Any]) -> list[Part]:
    if "judge" not in result:
        return []
    told: list[Part] = [_("Judge: {name}", name=result["judge"]["name"])]
    if result["judge"]["trouble"]:
        told.append(read_message(result["judge"], "trouble"))
    if found := result.get("judged"):
        told += [*map(describe_judged, found["pairs"]), describe_first(found), describe_agreement(found)]
    return told
