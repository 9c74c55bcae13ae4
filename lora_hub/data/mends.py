"""Mends: what can be done at a click about what the pre-flight found, and how it is done.

A mend never touches the file. It is a short note (`schema.Mend`) kept with the dataset's other facts; file and mends together
are what a run reads, so the page, the shell and the worker see the same rows, and a mend that is taken from the list is
undone. Rows keep the numbers that they have in the file.

    offer_mends(finding, table, task, mapping)      the mends that a finding's card shows, the safest first
    apply_mends(table, task, mapping, mends)        the table afterwards, with what each of them did

A mend that leaves rows out looks for them anew with the check that found them. A test part is only ever changed the way an
input is changed when an adapter is asked (labels joined, letters mended); no row of it is left out.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import polars
from pydantic import ValidationError

from lora_hub.core.errors import DataError, names_fa
from lora_hub.core.schema import BaseModel, Mend, Problem, Task, Text2
from lora_hub.data import checks, mend_rows
from lora_hub.data.check_label_names import suggest_names
from lora_hub.data.check_labels import label_counts
from lora_hub.data.check_rows import LONG
from lora_hub.data.findings import Finding
from lora_hub.data.label_forms import combinations, near_groups, one_line
from lora_hub.data.label_meanings import are_versions, numbers_beside_names, same_meanings, same_numbers
from lora_hub.data.nested_cells import plain_cells
from lora_hub.data.overflow import overflow_columns
from lora_hub.data.table import Table

# What rows that can be left out are called, by the code of the finding that names them.
DROPPED: dict[str, Text2] = {
    "duplicates": Text2(en="repeated rows", fa="سطرهای تکراری"),
    "near-duplicates": Text2(en="rows nearly like an earlier one", fa="سطرهای نزدیک به سطری پیشین"),
    "conflicting-answers": Text2(en="rows whose input has several answers", fa="سطرهایی که ورودی‌شان چند پاسخ دارد"),
    "empty-answers": Text2(en="rows without an answer", fa="سطرهای بی‌پاسخ"),
    "empty-inputs": Text2(en="rows without an input", fa="سطرهای بی‌ورودی"),
    "header-inside": Text2(en="repeated headers", fa="سرستون‌های تکرارشده"),
    "small-classes": Text2(en="classes with too few rows", fa="برچسب‌های کم‌سطر"),
    "several-labels": Text2(en="rows with several labels", fa="سطرهای چندبرچسبی"),
    "unknown-labels": Text2(en="rows with an unknown label", fa="سطرهایی با برچسب ناشناخته"),
    "placeholders": Text2(en="rows with a placeholder left in", fa="سطرهایی که جای‌خالیِ پرنشده دارند"),
    "secrets": Text2(en="rows with what looks like a secret", fa="سطرهایی که گویا رمز یا کلید دارند"),
    "personal-data": Text2(en="rows with what looks like personal data", fa="سطرهایی که گویا دادهٔ شخصی دارند"),
    "damaged-letters": Text2(en="rows with damaged letters", fa="سطرهایی با حروف خراب"),
    "wrong-language": Text2(en="pairs in another language", fa="جفت‌هایی به زبانی دیگر"),
    "third-language": Text2(en="pairs in a third language", fa="جفت‌هایی به زبان سوم"),
    "swapped-pairs": Text2(en="swapped pairs", fa="جفت‌های جابه‌جا"),
    "answer-is-input": Text2(en="rows whose answer is their input", fa="سطرهایی که پاسخ و ورودی‌شان یکی است"),
    "long-texts": Text2(en="very long rows", fa="سطرهای بسیار بلند"),
    "unreadable-chats": Text2(en="conversations that are not understood", fa="گفت‌وگوهای نامفهوم"),
    "empty-chats": Text2(en="empty conversations", fa="گفت‌وگوهای خالی"),
    "chats-without-answer": Text2(en="conversations without an answer", fa="گفت‌وگوهای بی‌پاسخ"),
    "assistant-first": Text2(en="conversations that begin with the assistant", fa="گفت‌وگوهایی که با دستیار آغاز می‌شوند"),
    "missing-words": Text2(en="rows with a word for a missing value", fa="سطرهایی که به‌جای مقدار، نشانهٔ نبودش را دارند"),
    "system-only": Text2(en="conversations that have only a system turn", fa="گفت‌وگوهایی که تنها نوبت سیستم دارند"),
    "broken-calls": Text2(en="conversations with broken tool calls", fa="گفت‌وگوهایی با فراخوانی ابزارِ خراب"),
    "half-thoughts": Text2(en="rows with thoughts that are cut off", fa="سطرهایی با استدلالِ ناتمام"),
    "repeating-text": Text2(en="texts that repeat themselves", fa="متن‌هایی که خود را تکرار می‌کنند"),
}


@dataclass(frozen=True)
class Kind:
    """A kind of mend. do: (table, task, mapping, values) -> table. short: on the button. done: in the list of what was
    done. for_test: whether a test part is changed by it, too. fills_columns: it changes what a column holds whatever the column is
    for, and so what it is proposed for; its `do` looks at neither task nor mapping."""

    do: Callable[[Table, Task | None, dict[str, str], dict[str, str]], Table]
    short: Text2
    done: Text2
    for_test: bool = False
    fills_columns: bool = False


@dataclass(frozen=True)
class Done:
    """A mend that was applied. rows: how many it left out or changed. missed: the labels it was to rename that no row has, each with
    the nearest that is there."""

    mend: Mend
    rows: int
    missed: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> dict:
        return {**self.mend.model_dump(mode="json"), "rows": self.rows, "said": describe(self.mend).en}


def apply_mends(table: Table, task: Task, mapping: dict[str, str], mends: Sequence[Mend]) -> tuple[Table, list[Done]]:
    """The table with the task's columns as text (`nested_cells`), after `mends`, one behind the other; `table` itself is not
    changed. Raises DataError for an unknown mend."""
    done = []
    table = plain_cells(table, task, mapping)
    for mend in mends:
        kind = _kind(mend)
        mended = kind.do(table, task, mapping, mend.values)
        if kind.for_test and table.test is not None:
            mended = replace(mended, test=kind.do(table.test, task, mapping, mend.values))
        missed = mend_rows.missed_labels(table, task, mapping, mend.values) if mend.kind == "relabel" else {}
        done.append(Done(mend, _difference(table, mended), missed))
        table = mended
    return table, done


def with_filled_columns(table: Table, mends: Sequence[Mend]) -> Table:
    """The table that task and columns are proposed for: after those of the mends that fill columns. Raises DataError for an unknown
    mend."""
    for mend in mends:
        kind = _kind(mend)
        table = kind.do(table, None, {}, mend.values) if kind.fills_columns else table
    return table


def for_test(mends: Sequence[Mend]) -> tuple[Mend, ...]:
    """The mends that a test file of one's own gets, too. Raises DataError for an unknown mend."""
    return tuple(mend for mend in mends if _kind(mend).for_test)


def offer_mends(finding: Finding, table: Table, task: Task, mapping: dict[str, str]) -> tuple[Mend, ...]:
    """What can be done about a finding, the one that keeps most first; empty where a person has to decide elsewhere."""
    code, offered = finding.problem.code, []
    if code in _OF_LABELS:
        if mapping.get("answer") in table.columns:
            offered += _offer_renaming(code, table, task, mapping["answer"])
    elif code == "conflicting-answers" and task.output == "labels":
        offered.append(Mend(kind="keep-commonest"))
    elif code in ("secrets", "personal-data"):
        offered.append(Mend(kind="mask"))
    elif code == "html" and not task.is_chat:
        offered.append(Mend(kind="plain-text"))
    elif code == "damaged-letters" and not task.is_chat:
        offered.append(Mend(kind="mend-letters"))
    elif code == "swapped-pairs":
        offered.append(Mend(kind="swap"))
    elif code == "long-texts" and not task.is_chat:
        offered.append(Mend(kind="shorten", values={"characters": str(LONG)}))
    elif code in ("refused-chats", "unlearnt-rows"):
        offered.append(Mend(kind="leave-out", values={"rows": ",".join(map(str, finding.rows.to_list()))}))
    elif code == "overflow":
        named, _ = overflow_columns(table)
        offered.append(Mend(kind="join-overflow", values={"into": named}))
    if code in DROPPED and (code != "conflicting-answers" or task.output == "labels"):
        offered.append(Mend(kind="drop", values={"code": code}))
    return tuple(offered)


def button(mend: Mend) -> Text2:
    """What the button of a mend says."""
    return _kind(mend).short


def describe(mend: Mend) -> Text2:
    """What a mend that was applied did, such as "Left out: repeated rows"."""
    text = _kind(mend).done
    code = mend.values.get("code", "")
    what = DROPPED.get(code, Text2(en=code, fa=code))
    pairs = list(mend.values.items())
    more = " …" if len(pairs) > 6 else ""
    renamed = Text2(
        en=", ".join(f"{old} → {new}" for old, new in pairs[:6]) + more,
        # Each name keeps to itself, and the arrow points where the sentence goes.
        fa="، ".join(f"\u2068{old}\u2069 ← \u2068{new}\u2069" for old, new in pairs[:6]) + more,
    )
    fill = {"what": what, "pairs": renamed, **{key: Text2(en=value, fa=value) for key, value in mend.values.items() if key in ("characters", "into", "column")}}
    listed = mend.values.get("rows", "").split(",")
    fill["rows"] = Text2(en=", ".join(listed[:8]) + (" …" if len(listed) > 8 else ""), fa="، ".join(listed[:8]) + (" …" if len(listed) > 8 else ""))
    return Text2(**{
        language: _fill(text.in_language(language), {key: value.in_language(language) for key, value in fill.items()}) for language in ("en", "fa")
    })  # fmt: skip


def _fill(text: str, values: dict[str, str]) -> str:
    for key, value in values.items():
        text = text.replace("{" + key + "}", value)
    return text


def parse_mend(text: str, offered: dict[str, tuple[Mend, ...]]) -> Mend:
    """A mend as the shell writes it: CODE (the first that is offered for it), CODE.KIND, relabel:OLD=NEW,OLD=NEW, or the whole
    of it as JSON (`mend_argument`). offered: code -> mends. Raises DataError naming what is offered."""
    if text.startswith("{"):
        return _parse_whole(text)
    if text.startswith("relabel:"):
        pairs = [part.partition("=") for part in text.removeprefix("relabel:").split(",") if part.strip()]
        if not pairs or any(not equals or not old.strip() or not new.strip() for old, equals, new in pairs):
            raise DataError(
                f"{text!r} is not relabel:OLD=NEW,OLD=NEW.", "For example --mend relabel:0=negative,1=positive.",
                message_fa=f"«{text}» به شکل relabel:OLD=NEW,OLD=NEW نیست.", hint_fa="برای نمونه: --mend relabel:0=negative,1=positive",
            )  # fmt: skip
        return Mend(kind="relabel", values={old.strip(): new.strip() for old, _, new in pairs})
    code, _, kind = text.partition(".")
    found = [mend for mend in offered.get(code, ()) if not kind or mend.kind == kind]
    if not found:
        names = [name if index == 0 else f"{name}.{mend.kind}" for name, mends in offered.items() for index, mend in enumerate(mends)]
        raise DataError(
            f"There is nothing to mend by {text!r} in this data.", f"Offered: {', '.join(names) or 'nothing'}.",
            message_fa=f"در این داده چیزی نیست که با «{text}» درست شود.", hint_fa=f"آنچه می‌توان درست کرد: {names_fa(names) or 'هیچ'}.",
        )  # fmt: skip
    return found[0]


def _parse_whole(text: str) -> Mend:
    try:
        mend = Mend.model_validate_json(text)
    except ValidationError as error:
        raise DataError(
            f"{text[:200]!r} is no mend.", 'For example --mend \'{"kind": "drop", "values": {"code": "duplicates"}}\'.',
            message_fa=f"«{text[:200]}» اصلاح نیست.", hint_fa="نام مشکلی را بدهید که فهرست شده است، مانند «duplicates»، یا اصلاح را به شکل JSON با «kind» و «values».",
        ) from error  # fmt: skip
    _kind(mend)
    return mend


def mend_argument(mend: Mend) -> str:
    """The mend as an argument of --mend which means exactly this one, whatever the data offers."""
    names = [name for pair in mend.values.items() for name in pair]
    if mend.kind == "relabel" and names and all(name and name == name.strip() and not set(name) & set(",=\n") for name in names):
        return "relabel:" + ",".join(f"{old}={new}" for old, new in mend.values.items())
    return mend.model_dump_json()


def parse_mends(
    texts: Sequence[str], inspector: Any, file: Path, task: Task | None, mapping: dict[str, str] | None, base: BaseModel | None = None,
    test: Path | None = None, **reading: Any,
) -> tuple[Mend, ...]:  # fmt: skip
    """Mends as the shell and a pipeline write them, each looked up among what is offered after those before it. inspector: an
    `inspection.Inspector`. base: the one to be trained, whose chat template may refuse rows. test: a test file of one's own, whose
    labels may be other than the training rows'. Raises DataError."""
    chosen: list[Mend] = []
    for text in texts:
        seen = inspector.inspect(file, task, mapping, mends=chosen, base=base, **reading)
        problems = [*seen.problems, *(_of_test(inspector, seen, Path(test), chosen) if test else [])]
        chosen.append(parse_mend(text, {problem.code: problem.mends for problem in problems if problem.mends}))
    return tuple(chosen)


def _of_test(inspector: Any, seen: Any, test: Path, mends: Sequence[Mend]) -> list[Problem]:
    """What is to be told of the labels of a test file beside those of the training rows."""
    there = inspector.read(test, is_test=True).columns
    tested = inspector.inspect(test, seen.task, {role: column for role, column in seen.mapping.items() if column in there}, mends=for_test(mends), is_test=True)
    return [found.problem for found in checks.find_unseen(seen.task, seen.table, seen.mapping, tested.table, tested.mapping)]


# Findings about labels that other names for them can mend.
_OF_LABELS = ("near-duplicate-labels", "same-meaning-labels", "same-number-labels", "mixed-labels", "numeric-labels", "labels-of-several-lines")


def _offer_renaming(code: str, table: Table, task: Task, column: str) -> list[Mend]:
    counts = label_counts(table.texts(column).fill_null("").str.strip_chars().alias("answer").to_frame())
    if code == "near-duplicate-labels":
        return [_joined(near_groups(counts))]
    if code == "same-meaning-labels":
        return [_joined(same_meanings(counts))]
    if code == "same-number-labels":
        # Of versions nobody can say that they are one.
        groups = [(usual, others) for usual, others in same_numbers(counts) if not are_versions([usual, *others])]
        return [_joined(groups)] if groups else []
    if code == "labels-of-several-lines":
        made = combinations(counts)
        return [Mend(kind="relabel", values={label: one_line(label) for label in counts if one_line(label) != label and label not in made})]
    names = numbers_beside_names(counts, task.id)[0] if code == "mixed-labels" else suggest_names(sorted(counts), column, task.id)
    return [Mend(kind="relabel", values=names)] if names else []


def _joined(groups: list[tuple[str, list[str]]]) -> Mend:
    return Mend(kind="relabel", values={other: usual for usual, others in groups for other in others})


def _kind(mend: Mend) -> Kind:
    """Raises DataError for a mend that there is not: a file of another version, or a mistyped one."""
    if mend.kind not in MENDS:
        raise DataError(
            f"There is no mend {mend.kind!r}.", f"Known: {', '.join(MENDS)}.",
            message_fa=f"اصلاحی به نام «{mend.kind}» نیست.", hint_fa=f"شناخته‌شده‌ها: {names_fa(MENDS)}.",
        )  # fmt: skip
    if mend.kind == "drop" and mend.values.get("code") not in DROPPED:
        raise DataError(
            f"Rows cannot be left out by {mend.values.get('code')!r}.", f"Known: {', '.join(DROPPED)}.",
            message_fa=f"با «{mend.values.get('code')}» سطری کنار گذاشته نمی‌شود.", hint_fa=f"شناخته‌شده‌ها: {names_fa(DROPPED)}.",
        )  # fmt: skip
    return MENDS[mend.kind]


def _difference(before: Table, after: Table) -> int:
    """How many rows were left out, or else changed; those of its test part, too."""
    tested = _difference(before.test, after.test) if before.test is not None and after.test is not None and before.test is not after.test else 0
    if before.rows != after.rows:
        return before.rows - after.rows + tested
    columns = [name for name in after.columns if not before.frame[name].equals(after.frame[name], null_equal=True)]
    if not columns:
        return tested
    changed = polars.DataFrame([before.texts(name).ne_missing(after.texts(name)).alias(name) for name in columns])
    return int(changed.select(polars.any_horizontal(polars.all()).sum()).item()) + tested


MENDS: dict[str, Kind] = {
    "drop": Kind(mend_rows.drop, Text2(en="Leave these rows out", fa="این سطرها کنار بروند"), Text2(en="Left out: {what}", fa="کنار رفت: {what}")),
    "leave-out": Kind(
        mend_rows.leave_out, Text2(en="Leave these rows out", fa="این سطرها کنار بروند"), Text2(en="Left out: rows {rows}", fa="کنار رفت: سطرهای {rows}"),
    ),
    "keep-commonest": Kind(
        mend_rows.keep_commonest, Text2(en="Keep the commonest answer", fa="پرتکرارترین پاسخ بماند"),
        Text2(en="Of several answers the commonest was kept", fa="از چند پاسخ، پرتکرارترین ماند"),
    ),
    "relabel": Kind(mend_rows.relabel, Text2(en="Rename labels", fa="نام برچسب‌ها درست شود"), Text2(en="Labels renamed: {pairs}", fa="برچسب‌ها نام تازه گرفتند: {pairs}"), for_test=True),
    "fill-down": Kind(
        mend_rows.fill_down, Text2(en="Fill it down", fa="پر کردن به پایین"),
        Text2(en="Empty cells in {column} filled with the value above them", fa="سلول‌های خالی «{column}» با مقدار بالایشان پر شد"),
        for_test=True, fills_columns=True,
    ),
    "mask": Kind(
        mend_rows.mask, Text2(en="Put a mark in their place", fa="نشانه‌ای به جایشان بنشیند"),
        Text2(en="Secrets and personal data replaced by marks such as [e-mail]", fa="رمزها و داده‌های شخصی با نشانه‌ای مانند [e-mail] جایگزین شد"), for_test=True,
    ),
    "mend-letters": Kind(
        mend_rows.mend_letters, Text2(en="Mend the letters", fa="حروف درست شود"), Text2(en="Damaged letters mended", fa="حروف خراب درست شد"), for_test=True,
    ),
    "plain-text": Kind(
        mend_rows.plain_text, Text2(en="Make it plain text", fa="متن ساده شود"),
        Text2(en="HTML tags taken out and entities such as &amp; written as letters", fa="برچسب‌های HTML برداشته و نشانه‌هایی مانند &amp; به حرف برگردانده شد"), for_test=True,
    ),
    "swap": Kind(mend_rows.swap, Text2(en="Swap them back", fa="جایشان عوض شود"), Text2(en="Swapped pairs put right", fa="جفت‌های جابه‌جا درست شد")),
    "shorten": Kind(
        mend_rows.shorten, Text2(en="Shorten their input", fa="ورودی‌شان کوتاه شود"),
        Text2(en="Inputs shortened so that a row has at most {characters} characters", fa="ورودی‌ها کوتاه شد تا هر سطر حداکثر {characters} نویسه داشته باشد"), for_test=True,
    ),
    "join-overflow": Kind(
        mend_rows.join_overflow, Text2(en="Put the pieces back together", fa="تکه‌ها به هم بپیوندند"),
        Text2(en="Texts that were cut at a delimiter joined again in {into}", fa="متن‌هایی که در جداکننده بریده شده بود در {into} به هم پیوست"),
        for_test=True, fills_columns=True,
    ),
}  # fmt: skip
