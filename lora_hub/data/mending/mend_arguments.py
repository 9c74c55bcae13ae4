"""Mends as text, for the shell, a pipeline's file and a card's command."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from lora_hub.core.errors import DataError
from lora_hub.core.messages import _, several
from lora_hub.core.schema import BaseModel, Mend, Problem, Task
from lora_hub.data.checks import checks
from lora_hub.data.mending.mends import for_test, kind_of
from lora_hub.data.mending.offers import usual_mends


def parse_mend(text: str, offered: dict[str, tuple[Mend, ...]], task: Task | None = None) -> Mend:
    """A mend from its text: CODE (the first one offered for it), CODE.KIND, relabel:OLD=NEW,OLD=NEW, or JSON
    (`mend_argument`). offered: finding's code -> mends. task: of the rows. Where the data has no such finding today,
    that is no error, so long as the mend is the same on other days: it is reported as one that fits nothing. Raises
    DataError naming what is offered."""
    if text.startswith("{"):
        return _parse_whole(text)
    if text.startswith("relabel:"):
        pairs = [part.partition("=") for part in text.removeprefix("relabel:").split(",") if part.strip()]
        if not pairs or any(not equals or not old.strip() or not new.strip() for old, equals, new in pairs):
            raise DataError(
                _("{text!r} is not relabel:OLD=NEW,OLD=NEW."),
                _("For example --mend relabel:0=negative,1=positive."),
                text=text,
            )
        return Mend(kind="relabel", values={old.strip(): new.strip() for old, _equals, new in pairs})
    code, _rest, kind = text.partition(".")
    known = offered[code] if code in offered else usual_mends(code, task) if task is not None else ()
    found = [mend for mend in known if not kind or mend.kind == kind]
    if not found:
        names = [
            name if index == 0 else f"{name}.{mend.kind}"
            for name, mends in offered.items()
            for index, mend in enumerate(mends)
        ]
        raise DataError(
            _("There is nothing to mend by {text!r} in this data."),
            _("Offered: {codes}.", codes=several(names)) if names else _("There is nothing to mend."),
            text=text,
        )
    return found[0]


def _parse_whole(text: str) -> Mend:
    try:
        mend = Mend.model_validate_json(text)
    except ValidationError as error:
        raise DataError(
            _("{text!r} is no mend."),
            _('For example --mend \'{{"kind": "drop", "values": {{"code": "duplicates"}}}}\'.'),
            text=text[:200],
        ) from error
    kind_of(mend)
    return mend


def mend_argument(mend: Mend) -> str:
    """The --mend argument for exactly this mend, whatever the data offers."""
    names = [name for pair in mend.values.items() for name in pair]
    if (
        mend.kind == "relabel"
        and names
        and all(name and name == name.strip() and not set(name) & set(",=\n") for name in names)
    ):
        return "relabel:" + ",".join(f"{old}={new}" for old, new in mend.values.items())
    return mend.model_dump_json()


def parse_mends(
    texts: Sequence[str],
    inspector: Any,
    file: Path,
    task: Task | None,
    mapping: dict[str, str] | None,
    base: BaseModel | None = None,
    test: Path | None = None,
    **reading: Any,
) -> tuple[Mend, ...]:
    """Mends from the shell and a pipeline's file, each looked up among those offered after the previous ones.
    inspector: a `data.inspector.Inspector`. base: the base to train, whose chat template may refuse rows. test: a
    separate test file, whose labels may differ from the training rows'. Raises DataError."""
    chosen: list[Mend] = []
    for text in texts:
        seen = inspector.inspect(file, task, mapping, mends=chosen, base=base, **reading)
        problems = [*seen.problems, *(_of_test(inspector, seen, Path(test), chosen) if test else [])]
        chosen.append(parse_mend(text, {problem.code: problem.mends for problem in problems}, seen.task))
    return tuple(chosen)


def _of_test(inspector: Any, seen: Any, test: Path, mends: Sequence[Mend]) -> list[Problem]:
    """The findings about a test file's labels, compared with the training rows' labels."""
    there = inspector.read(test, is_test=True).columns
    tested = inspector.inspect(
        test,
        seen.task,
        {role: column for role, column in seen.mapping.items() if column in there},
        mends=for_test(mends),
        is_test=True,
    )
    return [
        found.problem for found in checks.find_unseen(seen.task, seen.table, seen.mapping, tested.table, tested.mapping)
    ]
