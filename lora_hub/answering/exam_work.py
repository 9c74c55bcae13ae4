"""How much work an exam is, before it is held: rows that are answered and tokens that go through the model.

    work = plan_exam(task, scored=52, validation=28, trained=320, tokens_row=60, context=2048)
    work.rows, work.read, work.written        of all three: the base as it is, the base with examples, the adapter

The base answers its calibration rows, too, and twice: as it is and with examples before the question. What the prompts
of one batch have in common at their beginning (the instruction, the list of labels, the examples) is read once
(`prefill`), and so are labels that begin alike."""

from dataclasses import dataclass

from lora_hub.core.schema import Task
from lora_hub.data.prompts import template

# Examples before a question: more of them help a base little and cost every answer; where there are more labels than
# this, not all are shown. And their tokens together: every question is read behind them.
MOST_EXAMPLES, MOST_EXAMPLE_TOKENS = 12, 2048
# Rows that calibrate: more tell little more. With fewer than `ENOUGH_CALIBRATED` validation rows, training rows join
# them: the base has seen neither. (SmolLM2-135M on film reviews, 250 rows scored: 28 rows brought it anywhere between
# 62 and 71 %, as the one fitted temperature fell; 64 always to 70 or 71.)
MOST_CALIBRATED, ENOUGH_CALIBRATED = 100, 64
# Labels of a row that are always read to their end; the others only where they can still win.
FIRST_WAVE = 8
# Bytes a token, where nothing was counted; what an example takes of a mean row (the shorter half is shown).
BYTES, SHORTER = 4.5, 0.85
# Tokens of an answer in text: how soon a base ends one that it was not trained for nobody knows before.
ANSWER_TOKENS = 40


@dataclass(frozen=True)
class ExamWork:
    """rows: answers to rows, calibration included. read: tokens of prompts and labels. written: tokens of answers in
    text, each of which is a pass of its own."""

    rows: int
    read: float
    written: float


def calibration_rows(validation: int, trained: int) -> tuple[int, int]:
    """How many validation rows and how many training rows the base is calibrated on."""
    first = min(validation, MOST_CALIBRATED)
    return first, min(trained, max(0, ENOUGH_CALIBRATED - first))


def plan_exam(task: Task, *, scored: int, validation: int, trained: int, tokens_row: float, context: int) -> ExamWork:
    """The exam of a run. scored, validation, trained: rows. tokens_row: mean tokens of prompt and answer. context:
    tokens that the base reads."""
    has_labels, tokens_row = task.output == "labels", max(1.0, tokens_row)
    shown = examples_shown(task, scored, tokens_row, context)
    calibrated = sum(calibration_rows(validation, trained - shown)) if has_labels else 0
    ways = 2 if shown else 1
    asked = [scored, *([calibrated] * bool(calibrated))]
    labels = [_tokens(label) for label in task.labels] if has_labels else []
    begins = min(_frame(task), tokens_row / 2)
    # Labels are guessed from their bytes: of a base that needs fewer tokens for them, that may be more than rows have.
    own = max(1.0, tokens_row - begins - (sum(labels) / len(labels) if labels else 0))
    read = (
        ways * sum(rows * own + begins for rows in asked) + scored * own + begins
    )  # the adapter is asked without calibration
    read += len(asked) * sum([tokens_row * SHORTER] * shown)
    # A label's first token is read off the prompt's end.
    rest = sorted((max(0.0, one - 1) for one in labels), reverse=True)
    read += (ways + 1) * scored * sum(rest[:FIRST_WAVE]) + ways * calibrated * sum(rest)
    written = 0.0 if has_labels else (ways + 1) * scored * min(task.max_new_tokens, ANSWER_TOKENS)
    return ExamWork((ways + 1) * scored + ways * calibrated, read, written)


def examples_shown(task: Task, scored: int, tokens_row: float, context: int) -> int:
    """How many examples `examples.choose_examples` finds room for: whole rounds of one of each label, and at least a
    part of the first."""
    if not scored:
        return 0
    room = min(MOST_EXAMPLE_TOKENS, context - 2 * tokens_row - (0 if task.output == "labels" else task.max_new_tokens))
    most = min(MOST_EXAMPLES, max(0, int(room / (tokens_row * SHORTER))))
    a_round = min(MOST_EXAMPLES, len(task.labels)) if task.output == "labels" and task.labels else 1
    return most // a_round * a_round or most


def _frame(task: Task) -> float:
    """Tokens that all prompts of a task begin with."""
    if task.is_chat:
        return 0.0
    empty = template.render_prompt(task, dict.fromkeys(task.inputs, "-"))
    return _tokens(empty)


def _tokens(text: str) -> float:
    """A text's tokens, guessed from its bytes, the one that ends it included."""
    return len(text.encode()) / BYTES + 1
