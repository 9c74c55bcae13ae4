"""Pre-flight of conversations: turns that are not understood, no assistant's turn to learn, nobody asks, texts that repeat."""

import polars

from lora_hub.data.convert import to_messages
from lora_hub.data.table import SHOWN_ROWS
from lora_hub.errors import DataError
from lora_hub.schema import Problem

MOST = 100_000  # conversations looked at turn by turn

# finding: severity, verb for one and for many, the rest of the sentence, hint, code
FINDINGS = {
    "unreadable": ("error", "is", "are", "not understood", "Mend or remove these rows.", "unreadable-chats"),
    "empty": ("warning", "is", "are", "empty and will be left out", "See where the turns went.", "empty-chats"),
    "silent": ("warning", "has", "have", "no answer of the assistant to learn and will be left out",
               "Each needs an assistant's turn with a text.", "chats-without-answer"),
    "unasked": ("warning", "begins", "begin", "with the assistant, or nobody asks",
                "What stands before the first question is not trained.", "assistant-first"),
    "doubled": ("info", "has", "have", "two user turns in a row", "Some chat templates refuse that; join the turns.",
                "roles-not-alternating"),
    "repeating": ("warning", "holds", "hold", "a text that repeats itself over and over", "See whether that is meant.",
                  "repeating-text"),
}  # fmt: skip


def check_chats(series: polars.Series) -> list[Problem]:
    """`series`: the column of conversations."""
    found: dict[str, list[int]] = {name: [] for name in FINDINGS}
    reason = ""
    values = series.head(MOST).to_list()
    for row, value in enumerate(values, 1):
        try:
            messages = to_messages(value) if value not in (None, "") else []
        except DataError as error:
            found["unreadable"].append(row)
            reason = reason or f"row {row}: {error.message}"
            continue
        roles = [message["role"] for message in messages]
        if not messages:
            found["empty"].append(row)
            continue
        if not any(message["role"] == "assistant" and message["content"].strip() for message in messages):
            found["silent"].append(row)
        elif "user" not in roles or roles.index("assistant") < roles.index("user"):
            found["unasked"].append(row)
        spoken = [role for role in roles if role in ("user", "assistant")]
        if any(first == second == "user" for first, second in zip(spoken, spoken[1:], strict=False)):
            found["doubled"].append(row)
        if any(_repeats(message["content"]) for message in messages):
            found["repeating"].append(row)
    problems = []
    for name, (severity, verb, verbs, rest, hint, code) in FINDINGS.items():
        rows = found[name]
        if rows:
            subject = f"conversation {verb}" if len(rows) == 1 else f"conversations {verbs}"
            detail = f" ({reason.rstrip('.')})" if name == "unreadable" else ""
            problems.append(
                Problem(
                    code=code, severity=severity, message=f"{len(rows):,} {subject} {rest}{detail}.", hint=hint,
                    rows=tuple(rows[:SHOWN_ROWS]), count=len(rows),
                )
            )  # fmt: skip
    if len(values) < series.len():
        problems.append(
            Problem(code="sampled", severity="info", message=f"Turns were checked in the first {MOST:,} of {series.len():,} rows.")
        )
    return problems


def _repeats(text: str) -> bool:
    """A long text most of which is one short piece again and again."""
    if len(text) < 2_000:
        return False
    words = text.split()
    return len(words) > 200 and len(set(words)) < 0.05 * len(words)
