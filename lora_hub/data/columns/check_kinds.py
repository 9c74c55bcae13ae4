"""Recognizes tables that supervised fine-tuning cannot use, by names and contents, and refuses them with the reason.

refuse_what_is_not_for_training(table)     preference data: pairs, votes, marks, ranked answers
refuse_text_without_answer(table)          plain text
"""

import re
from typing import TYPE_CHECKING

import polars

from lora_hub.core.errors import DataError
from lora_hub.core.messages import _, several
from lora_hub.data.columns.column_names import BOOKKEEPING, plain

if TYPE_CHECKING:
    from lora_hub.data.tables.table import Table

# A better and a worse answer: (better, worse), as parts of column names.
BETTER = (
    ("chosen", "rejected"),
    ("preferred", "dispreferred"),
    ("preferred", "rejected"),
    ("preferred", "non_preferred"),
    ("accepted", "rejected"),
    ("winner", "loser"),
    ("win", "lose"),
    ("response", "rejected_response"),
    ("messages", "rejected_messages"),
    ("positive_response", "negative_response"),
    ("better", "worse"),
    ("good_response", "bad_response"),
)
VOTES = {
    "winner",
    "preference",
    "preferred",
    "better",
    "choice",
    "chosen",
    "best",
    "vote",
    "overall_preference",
    "better_response_id",
    "human_preference",
    "which_is_better",
    "safer_response_id",
    "label",
    "rank",
    "judgment",
    "verdict",
}
MARKS = {"true", "false", "good", "bad", "desirable", "undesirable", "thumbs_up", "thumbs_down", "👍", "👎"}
ANSWER_LISTS = ("responses", "completions", "answers", "outputs", "candidates", "generations", "model_responses")
RANKS = {"scores", "ranks", "ranking", "rankings", "rank", "ratings", "rewards", "preferences", "best"}


def refuse_what_is_not_for_training(table: "Table") -> None:
    """Raises DataError if the table holds preferences instead of correct answers."""
    names = {plain(name): name for name in table.columns}
    _refuse_pairs(names)
    _refuse_votes(table, names)
    _refuse_marks(table, names)
    _refuse_ranks(table, names)


def _refuse_pairs(names: dict[str, str]) -> None:
    for better, worse in BETTER:
        good = next(
            (name for name in names if name == better or name.startswith(f"{better}_") or name.endswith(f"_{better}")),
            None,
        )
        if good is None or good.replace(better, worse) not in names or good.replace(better, worse) == good:
            continue
        if good.startswith(("score", "rating", "reward", "id_")) or good.endswith(("_score", "_rating", "_id")):
            continue
        first, second = names[good], names[good.replace(better, worse)]
        raise DataError(
            _("These are preference pairs (columns {first} and {second}), not examples with one right answer."),
            _(
                "They train DPO, not supervised fine-tuning. To train on the better answers, keep {first} and drop "
                "{second}."
            ),
            first=first,
            second=second,
        )


def _refuse_votes(table: "Table", names: dict[str, str]) -> None:
    """Two answers side by side and a column that says which one is better: response_a, response_b, winner."""
    votes = VOTES & set(names)
    if not votes:
        return
    stems: dict[str, list[str]] = {}
    for name in names:
        found = re.fullmatch(
            r"(response|answer|completion|output|reply|model_output|generation|assistant)s?_?([ab12]|0)", name
        )
        found = found or re.fullmatch(r"(model|conversation)_([ab])", name)
        if found:
            stems.setdefault(found[1], []).append(names[name])
    pair = next((both for both in stems.values() if len(both) == 2), None)
    if pair:
        vote = names[sorted(votes)[0]]
        raise DataError(
            _(
                "These are answers compared in pairs (columns {first}, {second} and {vote}), not examples with one "
                "right answer."
            ),
            _("They train DPO or a reward model. To train on the better answers, make a column of those that won."),
            first=pair[0],
            second=pair[1],
            vote=vote,
        )


def _refuse_marks(table: "Table", names: dict[str, str]) -> None:
    """KTO: a prompt, an answer and whether the answer was good."""
    mark = names.get("kto_tag") or (
        names.get("label") if "prompt" in names and {"completion", "response"} & set(names) else None
    )
    if mark is None:
        return
    values = table.texts(mark).head(1_000).drop_nulls().str.strip_chars().str.to_lowercase().unique().to_list()
    answer = next(
        (names[name] for name in ("completion", "response", "output", "messages", "conversations") if name in names),
        mark,
    )
    if values and set(values) <= MARKS | {"0", "1"}:
        raise DataError(
            _(
                "These are answers marked as good or bad (columns {answer} and {mark}), not examples with one right "
                "answer."
            ),
            _(
                "They train KTO, not supervised fine-tuning. To train on the good answers, keep those rows and drop "
                "{mark}."
            ),
            answer=answer,
            mark=mark,
        )


def _refuse_ranks(table: "Table", names: dict[str, str]) -> None:
    """Several answers to one prompt in a list, with their ranks or scores beside or inside."""
    for name in ANSWER_LISTS:
        column = names.get(name)
        if column is None or not table.is_nested(column):
            continue
        first = next((value for value in table.frame[column].head(20).to_list() if value), None)
        if isinstance(first, polars.Series):
            first = first.to_list()
        scored = (
            isinstance(first, list)
            and isinstance(first[0], dict)
            and any(re.search(r"rank|score|rating|reward", str(key)) for key in first[0])
        )
        ranked = sorted(RANKS & set(names))
        if scored or (ranked and isinstance(first, (list, dict))):
            hint = _("That trains a reward model or DPO. To train on the best answers, make a column of them.")
            if ranked:
                raise DataError(
                    _(
                        "The column {column} holds several answers to one prompt ranked by {rank}, not one right "
                        "answer."
                    ),
                    hint,
                    column=column,
                    rank=names[ranked[0]],
                )
            raise DataError(
                _("The column {column} holds several answers to one prompt with their scores, not one right answer."),
                hint,
                column=column,
            )


def refuse_text_without_answer(table: "Table") -> None:
    """Raises DataError if there is one column of text and no possible answer column."""
    if table.frame.width == 1 and not table.is_nested(table.columns[0]):
        raise DataError(
            _("The file has one column, {column!r}: text without an answer."),
            _("Training needs what goes in and what should come out; add a column with the answers or labels."),
            column=table.columns[0],
        )


def refuse_text_with_bookkeeping(table: "Table") -> None:
    """Raises DataError if, beside one column of text, there are only ids, dates, addresses and the like."""
    others = [name for name in table.columns if plain(name) not in BOOKKEEPING]
    if table.frame.width > 1 and len(others) == 1 and not table.is_nested(others[0]):
        raise DataError(
            _("Beside the texts in {other!r} the file has only {columns}: text without an answer."),
            _("Training needs what goes in and what should come out; add a column with the answers or labels."),
            other=others[0],
            columns=several(name for name in table.columns if name != others[0]),
        )
