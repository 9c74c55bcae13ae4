"""Checks conversations: turns that are not understood, no assistant's turn to learn, no question, texts that repeat."""

from dataclasses import dataclass

import polars

from lora_hub.core.errors import DataError
from lora_hub.core.messages import NOTHING, Message, _, _n, several
from lora_hub.data.chats.convert import Chat, is_all_context, read_chat
from lora_hub.data.checks.check_answers import HALF_HINT, has_half_thoughts
from lora_hub.data.checks.check_mixed_rows import LETTERS, find_languages
from lora_hub.data.checks.rows import Check
from lora_hub.data.tables.findings import Finding, finding

MOST = 100_000  # conversations checked turn by turn


@dataclass(frozen=True)
class Kind:
    """What can be wrong with a conversation. `one`, `many`: how the sentence goes on after "1 conversation" and "3
    conversations"."""

    severity: str
    said: Message
    hint: Message = NOTHING


KINDS = {
    "unreadable-chats": Kind(
        "error",
        _n(
            "{count:,} conversation is not understood (row {row}: {reason}).",
            "{count:,} conversations are not understood (row {row}: {reason}).",
        ),
        _("Mend or remove these rows."),
    ),
    "empty-chats": Kind(
        "warning",
        _n(
            "{count:,} conversation is empty and will be left out.",
            "{count:,} conversations are empty and will be left out.",
        ),
        _("See where the turns went."),
    ),
    "system-only": Kind(
        "warning",
        _n(
            "{count:,} conversation has a system text only and will be left out.",
            "{count:,} conversations have a system text only and will be left out.",
        ),
        _("Each needs a user's turn and an assistant's."),
    ),
    "chats-without-answer": Kind(
        "warning",
        _n(
            "{count:,} conversation has no answer of the assistant to learn and will be left out.",
            "{count:,} conversations have no answer of the assistant to learn and will be left out.",
        ),
        _("Each needs an assistant's turn with a text."),
    ),
    "chats-not-learnt": Kind(
        "warning",
        _n(
            "In {count:,} conversation every answer is marked as context only (weight 0, train false), so that there "
            "is nothing to learn; it will be left out.",
            "In {count:,} conversations every answer is marked as context only (weight 0, train false), so that there "
            "is nothing to learn; they will be left out.",
        ),
        _("Mark the answers that are to be learnt with 1 (train: true), or take the marks away."),
    ),
    "assistant-first": Kind(
        "warning",
        _n(
            "{count:,} conversation begins with the assistant, or nobody asks.",
            "{count:,} conversations begin with the assistant, or nobody asks.",
        ),
        _("What stands before the first question is not trained."),
    ),
    "empty-turns": Kind(
        "warning",
        _n("{count:,} conversation has a turn without a text.", "{count:,} conversations have a turn without a text."),
        _("An assistant's empty turn is not trained; an empty question teaches to answer nothing."),
    ),
    "repeating-text": Kind(
        "warning",
        _n(
            "{count:,} conversation holds a text that repeats itself over and over.",
            "{count:,} conversations hold a text that repeats itself over and over.",
        ),
        _("See whether that is meant."),
    ),
    "roles-not-alternating": Kind(
        "info",
        _n(
            "{count:,} conversation has two user turns in a row.",
            "{count:,} conversations have two user turns in a row.",
        ),
        _("Some chat templates refuse that; join the turns."),
    ),
    "tool-turns": Kind(
        "info",
        _n(
            "{count:,} conversation has tool calls or their results.",
            "{count:,} conversations have tool calls or their results.",
        ),
        _(
            "The calls are learnt as the base's chat template writes them, else as JSON text; the results are read, "
            "not learnt."
        ),
    ),
    "context-only": Kind(
        "info",
        _n(
            (
                "{count:,} conversation has answers marked as context only (weight 0, train false), which are read and "
                "not learnt."
            ),
            (
                "{count:,} conversations have answers marked as context only (weight 0, train false), which are read "
                "and "
                "not learnt."
            ),
        ),
    ),
    "masked-answers": Kind(
        "info",
        _n(
            (
                "{count:,} conversation has answers marked with a mask (mask 1), which are taken as hidden: read and "
                "not "
                "learnt."
            ),
            (
                "{count:,} conversations have answers marked with a mask (mask 1), which are taken as hidden: read and "
                "not learnt."
            ),
        ),
        _("Where 1 marks what is to be learnt, name the key loss_mask."),
    ),
    "partly-marked": Kind(
        "warning",
        _n(
            (
                "{count:,} conversation has an answer of which only parts are to be learnt; it is read and not learnt, "
                "since answers are learnt whole."
            ),
            (
                "{count:,} conversations have answers of which only parts are to be learnt; they are read and not "
                "learnt, "
                "since answers are learnt whole."
            ),
        ),
        _("Put the parts that are to be learnt into a turn of their own."),
    ),
    "broken-calls": Kind(
        "warning",
        _n(
            (
                "{count:,} conversation has a tool call whose arguments are no valid JSON (cut off, perhaps). It is "
                "learnt as it stands."
            ),
            (
                "{count:,} conversations have tool calls whose arguments are no valid JSON (cut off, perhaps). They "
                "are "
                "learnt as they stand."
            ),
        ),
        _("Mend these rows or leave them out, or the adapter learns to write such calls."),
    ),
    "unlearnt-reasoning": Kind(
        "warning",
        _n(
            "{count:,} conversation has reasoning that is not learnt.",
            "{count:,} conversations have reasoning that is not learnt.",
        ),
        _(
            "Answers are trained and asked without thoughts before them. To have the thoughts learnt, write them into "
            "the content."
        ),
    ),
    "half-thoughts": Kind(
        "warning",
        _n(
            (
                "{count:,} conversation has an answer that opens a block for thoughts (<think>) and does not close "
                "it, or "
                "closes one that it does not open. It is learnt as it stands."
            ),
            (
                "{count:,} conversations have answers that open a block for thoughts (<think>) and do not close it, or "
                "close one that they do not open. They are learnt as they stand."
            ),
        ),
        HALF_HINT,
    ),
    "null-arguments": Kind(
        "info",
        _n(
            "{count:,} conversation has tool calls with arguments that are null, which are left out.",
            "{count:,} conversations have tool calls with arguments that are null, which are left out.",
        ),
        _("Table formats such as Parquet fill in the arguments of other calls as nulls."),
    ),
    "unused-fields": Kind(
        "info",
        _n(
            "{count:,} conversation has fields that are not used: {fields}.",
            "{count:,} conversations have fields that are not used: {fields}.",
        ),
    ),
}


def check_chats(series: polars.Series, numbers: polars.Series) -> list[Finding]:
    """`series`: the column of conversations; `numbers`: their row numbers."""
    found: dict[str, list[int]] = {code: [] for code in KINDS}
    reason: DataError | None = None
    first = 0
    unused: dict[str, None] = {}
    asked: dict[int, str] = {}
    for at in range(0, min(MOST, series.len()), 5_000):  # convert one part at a time to Python objects
        part = series.slice(at, min(5_000, MOST - at))
        for row, value in zip(numbers.slice(at, part.len()).to_list(), part.to_list(), strict=True):
            try:
                chat = read_chat(value) if value not in (None, "") else Chat([])
            except DataError as error:
                found["unreadable-chats"].append(row)
                if reason is None:
                    reason, first = error, row
                continue
            asked[row] = " ".join(m["content"][:LETTERS] for m in chat.messages if m["role"] == "user")[:LETTERS]
            for code in _wrong_with(chat):
                found[code].append(row)
            names = _unused(chat)
            if names:
                found["unused-fields"].append(row)
                unused |= dict.fromkeys(names)
    findings = []
    for code, kind in KINDS.items():
        count = len(found[code])
        if count:
            values = {
                "unreadable-chats": {"row": first, "reason": reason and reason.said},
                "unused-fields": {"fields": several(unused, most=12)},
            }
            said = kind.said.filled({"count": count, **values.get(code, {})})
            findings.append(finding(code, kind.severity, said, hint=kind.hint, rows=found[code]))
    rows, texts = (
        polars.Series(list(asked), dtype=polars.Int64),
        polars.Series(list(asked.values()), dtype=polars.String),
    )
    if mixed := find_languages(rows, texts, is_free=True):
        findings.append(mixed)
    if series.len() > MOST:
        findings.append(
            finding(
                "sampled",
                "info",
                _("Turns were checked in the first {most:,} of {all:,} rows.", most=MOST, all=series.len()),
            )
        )
    return findings


def _wrong_with(chat: Chat) -> list[str]:
    """The codes of the findings about one conversation."""
    if not chat.turns:
        return ["empty-chats"]
    codes = []
    messages = chat.messages
    roles = [message["role"] for message in messages]
    if set(roles) == {"system"}:
        return ["system-only"]
    spoken = [turn for turn in chat.turns if turn.message["role"] == "assistant" and turn.says]
    hidden = is_all_context(chat)
    if any(not turn.learnt for turn in spoken):
        codes.append("chats-not-learnt" if hidden else "context-only")
    codes += ["masked-answers"] * any(turn.is_masked for turn in spoken) + ["partly-marked"] * any(
        turn.is_partly for turn in spoken
    )
    codes += ["broken-calls"] * any(turn.is_cut for turn in chat.turns)
    if not any(turn.is_learnt for turn in chat.turns):
        codes += ["chats-without-answer"] * (not hidden)
    elif "user" not in roles or roles.index("assistant") < roles.index("user"):
        codes.append("assistant-first")
    if any(
        turn.message["role"] in ("user", "assistant") and not turn.says and not turn.reasoning for turn in chat.turns
    ):
        codes.append("empty-turns")
    heard = [role for role in roles if role in ("user", "assistant", "tool")]
    if any(one == two == "user" for one, two in zip(heard, heard[1:], strict=False)):
        codes.append("roles-not-alternating")
    if "tool" in roles or any(message.get("tool_calls") for message in messages):
        codes.append("tool-turns")
    if any(turn.reasoning.strip() for turn in chat.turns):
        codes.append("unlearnt-reasoning")
    if any(turn.is_learnt and has_half_thoughts(turn.message["content"]) for turn in chat.turns):
        codes.append("half-thoughts")
    if any(turn.nulls for turn in chat.turns):
        codes.append("null-arguments")
    if any(_repeats(message["content"]) for message in messages):
        codes.append("repeating-text")
    return codes


def _unused(chat: Chat) -> list[str]:
    """Names of the unused fields of a conversation and of its turns."""
    return list(dict.fromkeys([*chat.unused, *(name for turn in chat.turns for name in turn.unused)]))


def _repeats(text: str) -> bool:
    """Whether a long text mostly repeats one short piece."""
    if len(text) < 2_000:
        return False
    words = text.split()
    return len(words) > 200 and len(set(words)) < 0.05 * len(words)


CHECKS = (Check(10, "chats", lambda rows: check_chats(rows.table.frame[rows.mapping["messages"]], rows.frame["row"])),)
