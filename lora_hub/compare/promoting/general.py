"""The general set (`evaluation/general`), asked of models that are loaded as they are needed.

answers = answer_general(bases, pane)           one Answer a question of `general_set()`
"""

from collections.abc import Callable

from lora_hub.compare.loaded_bases import LoadedBases
from lora_hub.compare.panes import Pane
from lora_hub.compare.test_sets import answer_once
from lora_hub.core.schema import Answer

# what it is made of stands where the exam asks it, too
from lora_hub.evaluation.general import METRIC as METRIC
from lora_hub.evaluation.general import compare_general as compare_general
from lora_hub.evaluation.general import forgets as forgets
from lora_hub.evaluation.general import general_fingerprint as general_fingerprint
from lora_hub.evaluation.general import general_set as general_set
from lora_hub.evaluation.general import put_general


def answer_general(
    bases: LoadedBases,
    pane: Pane,
    *,
    progress: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> list[Answer] | None:
    """A model's answer to each question, asked once and then kept for everybody; None where it was cancelled. Raises as
    `LoadedBases.hold`."""
    told = [[one.language, one.text, one.choices] for one in general_set()]
    way = f"general {general_fingerprint()}"
    return answer_once(pane, way, told, lambda: _ask(bases, pane, progress, cancelled))


def _ask(
    bases: LoadedBases,
    pane: Pane,
    progress: Callable[[int, int], None] | None,
    cancelled: Callable[[], bool] | None,
) -> list[Answer] | None:
    from lora_hub.answering import questions

    with bases.hold([pane], cancelled) as found:
        if found is None:
            return None
        loaded, (name,) = found
        asked = put_general(loaded.tokenizer_of(pane), name)
        answers = questions.answer_all(
            loaded.stack, loaded.tokenizer, asked, max_new_tokens=1, progress=progress, cancelled=cancelled
        )
    return None if any(answer.finish == "cancelled" for answer in answers) else answers
