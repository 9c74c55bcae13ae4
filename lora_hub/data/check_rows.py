"""Pre-flight of whole rows: nothing in them, a header among them, one there twice, one input with several answers, too few."""

import polars

from lora_hub.core.schema import Task
from lora_hub.data.check_words import counted, number_fa, rows, some
from lora_hub.data.findings import Finding, finding
from lora_hub.data.table import Table

LONG = 20_000  # characters: longer than most bases at hand read at once
FEW = 50
# What people and programs write where there is nothing. "none", "no" and "unknown" may be answers and are left alone, and
# among labels marks such as - and ? are, too.
NOTHING = r"(?i)^(?:n/?a|nan|nat|null|nil|undefined|tbd|todo|#(?:n/a|ref!|value!|name\?|div/0!|null!|num!))$"
MARKS = r"^[-–—_?؟.…/\\]+$"


def check_rows(frame: polars.DataFrame, task: Task, mapping: dict[str, str]) -> list[Finding]:
    """`frame`: row and the stripped text of each role. What is empty, or not data."""
    checks = (_empty_answers, _empty_inputs, _nothing_left, _header_inside, _words_for_nothing)
    return [found for check in checks if (found := check(frame, task, mapping))]


def check_size(frame: polars.DataFrame, task: Task) -> list[Finding]:
    """Too few rows, and texts that no base reads at once."""
    return [found for check in (_few_rows, _long_texts) if (found := check(frame, task))]


def empty(role: str) -> polars.Expr:
    return polars.col(role) == ""


def inputs_of(frame: polars.DataFrame, task: Task) -> list[str]:
    return [role for role in task.inputs if role in frame.columns]


def required_of(frame: polars.DataFrame, task: Task) -> list[str]:
    return [role for role in inputs_of(frame, task) if role not in task.optional_inputs]


def filled_rows(frame: polars.DataFrame, task: Task) -> polars.DataFrame:
    """Rows that can be trained on: no required text is empty."""
    roles = [*required_of(frame, task), *(["answer"] if "answer" in frame.columns else [])]
    if not roles:
        return frame
    filled = frame.select(~polars.any_horizontal([empty(role) for role in roles])).to_series()
    return frame if filled.all() else frame.filter(filled)


def key_of(roles: list[str]) -> polars.Expr:
    """A 64-bit key of the texts of these roles: a million rows collide with a chance of 3e-8."""
    key = polars.col(roles[0]).fill_null("").hash(seed=0)
    for number, role in enumerate(roles[1:], 1):
        key = key ^ polars.col(role).fill_null("").hash(seed=number)
    return key


def _empty_answers(frame: polars.DataFrame, task: Task, mapping: dict[str, str]) -> Finding | None:
    if "answer" not in frame.columns:
        return None
    hits = frame.filter(empty("answer"))["row"]
    if not hits.len():
        return None
    return finding(
        "empty-answers", "warning", f"{rows(hits.len())} without an answer in {mapping['answer']!r} will be left out.",
        f"{number_fa(hits.len())} سطر در ستون «{mapping['answer']}» پاسخی ندارد و کنار گذاشته می‌شود.",
        hint="Fill them in, or take another column as the answer.",
        hint_fa="پاسخ‌ها را پر کنید یا ستون دیگری را پاسخ بگیرید.", rows=hits,
    )  # fmt: skip


def _empty_inputs(frame: polars.DataFrame, task: Task, mapping: dict[str, str]) -> Finding | None:
    roles = required_of(frame, task)
    if not roles:
        return None
    hits = frame.filter(polars.any_horizontal([empty(role) for role in roles]))["row"]
    if not hits.len():
        return None
    names = [mapping[role] for role in roles]
    return finding(
        "empty-inputs", "warning", f"{rows(hits.len())} with nothing in {' or '.join(map(repr, names))} will be left out.",
        f"{number_fa(hits.len())} سطر در ستون {' یا '.join(f'«{name}»' for name in names)} چیزی ندارد و کنار گذاشته می‌شود.",
        hint="Fill them in, or take another column as the input.",
        hint_fa="آن‌ها را پر کنید یا ستون دیگری را ورودی بگیرید.", rows=hits,
    )  # fmt: skip


def _nothing_left(frame: polars.DataFrame, task: Task, mapping: dict[str, str]) -> Finding | None:
    if "answer" not in frame.columns or not required_of(frame, task) or filled_rows(frame, task).height:
        return None
    taken = list(mapping.values())
    return finding(
        "nothing-left", "error", f"No row has both an input and an answer (columns taken: {', '.join(map(repr, taken))}).",
        f"هیچ سطری هم ورودی دارد و هم پاسخ (ستون‌های گرفته‌شده: {'، '.join(f'«{name}»' for name in taken)}).",
        hint="Take other columns.", hint_fa="ستون‌های دیگری برگزینید.", count=frame.height,
    )  # fmt: skip


def _header_inside(frame: polars.DataFrame, task: Task, mapping: dict[str, str]) -> Finding | None:
    roles = [role for role in (*task.inputs, "answer") if role in frame.columns]
    if not roles:
        return None
    hits = frame.filter(polars.all_horizontal([polars.col(role) == mapping[role] for role in roles]))["row"]
    if not hits.len():
        return None
    return finding(
        "header-inside", "warning", f"{rows(hits.len())} repeat{'s' if hits.len() == 1 else ''} the header in the middle of the data.",
        f"{number_fa(hits.len())} سطر میان داده‌ها همان سرستون است.",
        hint="Remove them: files were probably put one behind the other.",
        hint_fa="آن‌ها را بردارید؛ گویا چند پرونده پشت هم چسبانده شده‌اند.", rows=hits,
    )  # fmt: skip


def _words_for_nothing(frame: polars.DataFrame, task: Task, mapping: dict[str, str]) -> Finding | None:
    """Answers such as N/A and null. Where many rows of a label task have one, it is a class and no gap."""
    if "answer" not in frame.columns:
        return None
    answer = polars.col("answer")
    said = answer.str.contains(NOTHING) if task.output == "labels" else answer.str.contains(NOTHING) | answer.str.contains(MARKS)
    found = frame.filter(answer.str.len_bytes().is_between(1, 20)).filter(said)
    if not found.height or found.height > 0.5 * frame.height:
        return None
    words = some(found["answer"].unique(maintain_order=True).to_list(), 4)
    return finding(
        "missing-words", "warning", f"In {rows(found.height)} the answer only says that there is none ({words.en}).",
        f"پاسخِ {number_fa(found.height)} سطر تنها می‌گوید که پاسخی نیست ({words.fa}).",
        hint="Leave them out, or the adapter learns to write that.",
        hint_fa="این سطرها را کنار بگذارید، وگرنه آداپتور نوشتن همین را یاد می‌گیرد.", rows=found["row"],
    )  # fmt: skip


def check_duplicates(table: Table, mapping: dict[str, str]) -> list[Finding]:
    """The second and later copies of rows that are alike to the letter in inputs and answer."""
    roles = list(mapping)
    frame = polars.DataFrame([table.texts(column).alias(role) for role, column in mapping.items()])
    frame = frame.select(key=key_of(roles), filled=polars.any_horizontal([polars.col(role) != "" for role in roles]))
    hits = table.numbers().filter(~frame["key"].is_first_distinct() & frame["filled"].fill_null(False))
    if not hits.len():
        return []
    return [
        finding(
            "duplicates", "warning", f"{rows(hits.len())} repeat{'s' if hits.len() == 1 else ''} an earlier one, input and answer alike.",
            f"{number_fa(hits.len())} سطر تکرارِ سطری پیشین است، هم در ورودی و هم در پاسخ.",
            hint="Equal rows are kept on one side of the split; remove them so that they do not count twice.",
            hint_fa="سطرهای یکسان همه در آموزش می‌مانند یا همه در آزمون؛ تکراری‌ها را بردارید تا دو بار شمرده نشوند.", rows=hits,
        )
    ]  # fmt: skip


def check_conflicts(frame: polars.DataFrame, task: Task) -> list[Finding]:
    """Inputs that have several answers: a label task's data cannot be right about both. `rows`: all that are involved."""
    roles = inputs_of(frame, task)
    if "answer" not in frame.columns or not roles:
        return []
    key = frame.select(key=key_of(roles)).to_series()
    again = key.is_duplicated()
    repeated = frame.select("row", "answer").filter(again).with_columns(key.filter(again), polars.col("answer").hash(seed=0))
    several = repeated.group_by("key").agg(polars.col("answer").n_unique()).filter(polars.col("answer") > 1)["key"]
    if not several.len():
        return []
    hits = repeated.filter(polars.col("key").is_in(several.implode()))["row"].sort()
    wrong = task.output == "labels"
    count = several.len()
    return [
        finding(
            "conflicting-answers", "warning" if wrong else "info",
            f"{counted(count, 'input')} {'has' if count == 1 else 'have'} more than one answer.",
            f"{number_fa(count)} ورودی بیش از یک پاسخ دارد.",
            hint="Decide which answer is right." if wrong else "That is fine where several answers are right.",
            hint_fa="معلوم کنید کدام پاسخ درست است." if wrong else "اگر چند پاسخ درست باشد، ایرادی ندارد.", rows=hits, count=count,
        )
    ]  # fmt: skip


def _few_rows(frame: polars.DataFrame, task: Task) -> Finding | None:
    if frame.height >= FEW:
        return None
    return finding(
        "few-rows", "warning",
        f"{rows(frame.height)} {'is' if frame.height == 1 else 'are'} very few to learn from.",
        f"{number_fa(frame.height)} سطر برای آموزش بسیار کم است.",
        hint="A few hundred rows is where results begin to hold.",
        hint_fa="نتیجه‌ها از چندصد سطر به بالا قابل‌اتکا می‌شوند.", count=frame.height,
    )  # fmt: skip


def _long_texts(frame: polars.DataFrame, task: Task) -> Finding | None:
    roles = [role for role in (*task.inputs, "answer") if role in frame.columns]
    # A text has no more characters than bytes, and bytes are known without looking.
    long = frame.filter(polars.sum_horizontal([polars.col(role).str.len_bytes() for role in roles]) > LONG)
    lengths = long.select("row", length=polars.sum_horizontal([polars.col(role).str.len_chars() for role in roles]))
    lengths = lengths.filter(polars.col("length") > LONG)
    if not lengths.height:
        return None
    count, longest = lengths.height, int(lengths["length"].max())
    return finding(
        "long-texts", "warning",
        f"{rows(count)} {'is' if count == 1 else 'are'} longer than {LONG:,} characters, the longest {longest:,}.",
        f"{number_fa(count)} سطر از {number_fa(LONG)} نویسه درازتر است؛ درازترین {number_fa(longest)} نویسه دارد.",
        hint="What is longer than the base's context is left out; shorten the texts or choose a base with a longer one.",
        hint_fa="هرچه در بافتِ مدل پایه جا نشود کنار می‌رود؛ متن‌ها را کوتاه کنید یا مدل پایه‌ای با بافت بلندتر برگزینید.",
        rows=lengths["row"],
    )  # fmt: skip
