"""Decides whether a turn is learnt, from the marks in the data: weights, flags, masks, parts of a text.

    turn_mark({"role": "assistant", "content": "Hi", "weight": "0.00"})     Mark(learnt=False, keys=("weight",))
    row_marks({"train_on": "last"}, turns)                  sets `learnt` of the turns; the keys it understood

A mark that is not understood (a weight of 0.5, a mask of another length) is not among the returned keys, so that it is
reported as unused.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lora_hub.data.tables import strict_json

if TYPE_CHECKING:
    from lora_hub.data.chats.chat_turns import Turn

# 1: learnt, 0: context only. OpenAI and Mistral (weight), axolotl (train, training), ms-swift and XTuner (loss), verl
# (loss_mask).
LEARNT_KEYS = (
    "weight",
    "train",
    "training",
    "trainable",
    "learn",
    "learnt",
    "learned",
    "loss",
    "loss_mask",
    "loss_weight",
)
# 1: context only (torchtune's masked).
HIDDEN_KEYS = ("mask", "masked", "no_loss", "ignore_loss")
PART_KEYS = ("train_detail", "train_details", "training_detail")  # axolotl: [{begin_offset, end_offset, train}]
TURN_KEYS = (*LEARNT_KEYS, *HIDDEN_KEYS, *PART_KEYS)
# Marks of a whole conversation that say which of its turns are learnt, besides the marks above.
ROW_KEYS = (*LEARNT_KEYS, *HIDDEN_KEYS, "weights", "train_on")
WEIGHTS = ("weight", "loss_weight", "weights")  # may be any number
ON = {"true", "yes", "on", "t", "y", "بله", "آری"}
OFF = {"false", "no", "off", "f", "n", "خیر", "نه"}
LAST = {
    "last",
    "final",
    "last_turn",
    "final_turn",
    "last_assistant",
    "last_message",
    "last_assistant_message",
    "last_assistant_turn",
}
ALL = {
    "all",
    "assistant",
    "assistants",
    "gpt",
    "bot",
    "model",
    "all_assistant_messages",
    "assistant_messages",
    "completion",
    "completions",
    "answers",
    "output",
}
NONE = {"none", "nothing", "user", "human", "system", "tool", "prompt", "input"}


@dataclass(frozen=True)
class Mark:
    """`keys`: the marks that were understood. `is_partly`: only parts of the text should be learnt. `is_masked`: a key
    such as `mask` marks it as not learnt."""

    learnt: bool = True
    keys: tuple[str, ...] = ()
    is_partly: bool = False
    is_masked: bool = False


def reading(value: Any) -> bool | None:
    """The meaning of one mark: True for 1 and true; False for 0 (0.0, "0.00"), false and negative numbers; None for
    anything that is not a mark."""
    if isinstance(value, bool):
        return value
    text = str(value).strip().lower() if isinstance(value, (str, int, float)) else ""
    if text in ON or text in OFF:
        return text in ON
    number = as_number(text)
    return None if number is None or number > 0 and number != 1 else number == 1


def as_number(text: str) -> float | None:
    try:
        number = float(text.replace(",", ".").replace("٫", "."))
    except ValueError:
        return None
    return number if number == number else None


def turn_mark(turn: dict) -> Mark:
    """The marks of a turn combined: a single "not learnt" decides. If parts of a text should not be learnt, the whole
    text is not, because training uses whole answers."""
    keys, said, partly, masked = [], [], False, False
    for key in TURN_KEYS:
        value = _loaded(turn.get(key))
        marks = (
            [reading(one.get("train") if isinstance(one, dict) else one) for one in value]
            if isinstance(value, list) and value
            else [reading(value)]
        )
        if value is None or None in marks:
            continue
        marks = [not mark for mark in marks] if key in HIDDEN_KEYS else marks
        keys.append(key)
        partly |= len(set(marks)) > 1
        masked |= key in HIDDEN_KEYS and not any(marks)
        said.append(all(marks))
    return Mark(all(said), tuple(keys), partly, masked)


def with_plain_masks(turns: Sequence[Any], role_of: Callable[[dict], str]) -> list[Any]:
    """The turns of a conversation, with `mask` renamed to `loss_mask` if it works as one: 1 at every answer and 0 at
    every other turn. Otherwise `mask` means hidden. role_of: returns the role of a turn."""
    masked = [turn for turn in turns if isinstance(turn, dict) and "mask" in turn]
    if not masked or len(masked) < len(turns):
        return list(turns)
    marks = {(role_of(turn) == "assistant", reading(turn["mask"])) for turn in masked}
    if marks != {(True, True), (False, False)}:
        return list(turns)
    return [
        {**{key: value for key, value in turn.items() if key != "mask"}, "loss_mask": turn["mask"]} for turn in turns
    ]


def row_marks(row: dict, turns: "list[Turn]") -> tuple[str, ...]:
    """Sets `learnt` of a conversation's turns by the marks beside them, and returns the keys it understood. A mark is
    one value for all turns, or a list with one for each turn or each answer. `train_on` names which are learnt (last,
    all, none)."""
    keys = []
    for key in ROW_KEYS:
        value = _loaded(row.get(key))
        if value in (None, "", [], {}):
            continue
        marks = _train_on(value, turns) if key == "train_on" else None
        marks = marks or _for_each(value, turns, is_hidden=key in HIDDEN_KEYS)
        if marks is None:
            continue
        keys.append(key)
        for turn, mark in zip(turns, marks, strict=True):
            turn.learnt &= mark
    return tuple(keys)


def _for_each(value: Any, turns: "list[Turn]", *, is_hidden: bool) -> list[bool] | None:
    """A mark for each turn; None if the marks cannot be assigned to turns."""
    answers = [turn.message["role"] == "assistant" for turn in turns]
    marks = [reading(one) for one in value] if isinstance(value, list) else [reading(value)] * len(turns)
    if None in marks:
        return None
    if len(marks) == sum(answers) != len(turns):
        given = iter(marks)
        marks = [next(given) if is_answer else not is_hidden for is_answer in answers]
    return [mark != is_hidden for mark in marks] if len(marks) == len(turns) else None


def _train_on(value: Any, turns: "list[Turn]") -> list[bool] | None:
    """By name: the last answer, all, none; or the roles to learn."""
    names = [
        str(one).strip().lower().replace(" ", "_").replace("-", "_")
        for one in (value if isinstance(value, list) else [value])
    ]
    if all(name in ALL | NONE for name in names):
        return [any(name in ALL for name in names)] * len(turns)
    if len(names) == 1 and names[0] in LAST:
        last = max((place for place, turn in enumerate(turns) if turn.message["role"] == "assistant"), default=-1)
        return [place == last for place in range(len(turns))]
    return None


def _loaded(value: Any) -> Any:
    """A list that a CSV holds as text, parsed."""
    if not isinstance(value, str) or not value.lstrip().startswith("["):
        return value
    try:
        return strict_json.load(value)
    except (ValueError, RecursionError):
        return value
