"""A person's files and runs, and what deleting takes away -> HTML."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from lora_hub.core.messages import Message, _, _n, joined, several
from lora_hub.people import LOCAL
from lora_hub.ui.render.render import card, empty, escape, sentence, table
from lora_hub.ui.render.text import iso_moment, number, size_of, t


def files_table(files: Sequence[Any], language: str) -> str:
    """files: of `use_cases.StoredFile`."""
    if not files:
        return empty(t(_("No files here yet: those that you bring in Fine-tune are listed here."), language))
    rows = [
        [
            _named(one, language),
            escape(size_of(one.size, language)),
            f"<bdi>{escape(iso_moment(datetime.fromtimestamp(one.kept, UTC).isoformat()[:16], language))}</bdi>",
            escape(number(len(one.runs), language)),
        ]
        for one in files
    ]
    heads = [t(said, language) for said in (_("File"), _("Size"), _("Last opened"), _("Runs made of it"))]
    return table(heads, rows, "lh-owned", stacked=True)


def _named(file: Any, language: str) -> str:
    name = f"<bdi>{escape(file.name)}</bdi>"
    said = t(_("put together from several files for a run"), language)
    return f'{name}<br><span class="lh-quiet">{escape(said)}</span>' if file.combined else name


def everything(data: Any, language: str) -> str:
    """What somebody has here. data: a `use_cases.OwnData`."""
    if is_nothing(data):
        return empty(t(_("Nothing is kept here."), language))
    said = t(
        # Whoever sits at this machine has no name here.
        _("{runs}, {files}, {tests}, {comparisons}, {size} in all.")
        if data.owner == LOCAL.id
        else _("{owner}: {runs}, {files}, {tests}, {comparisons}, {size} in all."),
        language,
        owner=data.owner,
        tests=_n("{count:,} test", "{count:,} tests", count=len(data.tests)).in_language(language),
        comparisons=_n("{count:,} comparison", "{count:,} comparisons", count=data.comparisons).in_language(language),
        runs=_n("{count:,} run", "{count:,} runs", count=len(data.runs)).in_language(language),
        files=_n("{count:,} file", "{count:,} files", count=len(data.files)).in_language(language),
        size=size_of(data.size, language),
    )
    published = _published(data.adapters)
    return card("plain", sentence(said), sentence(t(published, language)) if published else "")


def is_nothing(data: Any) -> bool:
    """Whether somebody has nothing here that could be deleted."""
    return not (data.runs or data.files or data.tests or data.comparisons)


def _published(adapters: Sequence[str]) -> Message | None:
    if not adapters:
        return None
    return _("Published from these runs: {adapters}.", adapters=several(adapters, most=8))


def going(data: Any, with_adapters: bool, language: str) -> str:
    """What the second press deletes."""
    said = t(_("This goes for good. Press again to delete it."), language)
    also = _("The published adapters go too, for everybody.") if with_adapters else _("What was published stays.")
    told = [sentence(t(also, language))] if data.adapters else []
    return everything(data, language) + card("bad", sentence(said), *told)


def file_going(file: Any, language: str) -> str:
    """What is lost with a file: of a `use_cases.StoredFile`. Empty where no run was made of it."""
    alone = len(file.runs) - len(file.together)
    said = []
    if alone:
        said.append(
            _n(
                "{count:,} run was made of {name}: it keeps its results, and cannot be resumed.",
                "{count:,} runs were made of {name}: they keep their results, and cannot be resumed.",
                count=alone,
                name=file.name,
            )
        )
    if file.together:
        said.append(
            _n(
                "The data of {count:,} run was put together from {name} and other files: whoever starts from that run "
                "has its rows, without the files and their weights.",
                "The data of {count:,} runs was put together from {name} and other files: whoever starts from one of "
                "them has its rows, without the files and their weights.",
                count=len(file.together),
                name=file.name,
            )
        )
    return "".join(card("warn", sentence(t(one, language))) for one in said)


def deletion(planned: Any, language: str, leaning: Sequence[Message] = ()) -> str:
    """What deleting an adapter takes away. planned: a `hub.Deletion`. leaning: what depends on it."""
    tags = several(planned.goes, most=8) if planned.goes else _("none")
    said = (
        _("Version {version} of {repo} goes for good; these stay: {stays}.")
        if planned.version
        else _("The repository {repo} goes for good, for everybody, with all its versions: {tags}.")
    )
    told = said.filled(
        {"version": planned.version, "repo": planned.repo_id, "stays": several(planned.stays), "tags": tags}
    )
    said = joined(*leaning, _("Press again to delete it."))
    return card("bad", sentence(t(told, language)), sentence(t(said, language)))
