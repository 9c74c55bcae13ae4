"""A Space on ZeroGPU has no GPU of its own: it borrows one for as long as a question takes, by the package `spaces`.

    Comparer(elsewhere=borrow())

The question is answered in a process that `spaces` forks for it, so it travels pickled, and so does what is answered.
An error travels as an answer, because `spaces` would keep its sentence and lose its kind. Nothing stays in memory: the
base is loaded for each question.
"""

from collections.abc import Iterator, Sequence

from lora_hub.compare.answer_group import DEFAULT_NEW_TOKENS
from lora_hub.compare.comparer import Comparer, Elsewhere
from lora_hub.compare.panes import Pane, base_key
from lora_hub.core.errors import LoraHubError
from lora_hub.core.schema import PaneAnswer, Question

# What a question is held to: the start of a process and of CUDA, reading the base, and writing. Whoever asks pays for
# the seconds that they take, but may only ask where they have as many left as this says.
START_SECONDS, LOAD_BYTES_A_SECOND, TOKENS_A_SECOND = 10.0, 0.5e9, 15.0
LEAST_SECONDS, MOST_SECONDS = 15, 120


def borrow() -> Elsewhere:
    """`answer`, on a GPU that is borrowed for it. Called before anything imports torch, which `spaces` changes."""
    import spaces

    return spaces.GPU(answer, duration=seconds_of)


def answer(panes: Sequence[Pane], question: Question, only: str, most: int) -> Iterator[PaneAnswer | LoraHubError]:
    """As `Comparer.stream` of these panes; an error is the last that is yielded."""
    try:
        yield from Comparer().stream(panes, question, only=only, most_new_tokens=most)
    except LoraHubError as error:
        yield error


def seconds_of(panes: Sequence[Pane], question: Question, only: str, most: int) -> int:
    """For how long a question needs the GPU, at most. The panes of a base answer in one batch, so its longest answer
    counts; other bases come after it."""
    bases = {base_key(pane.base): pane.base for pane in panes}
    weights = 2.0 * sum(base.parameters for base in bases.values())  # bytes in 16 bit
    own = max((pane.task.max_new_tokens if pane.task else DEFAULT_NEW_TOKENS for pane in panes), default=1)
    tokens = question.max_new_tokens or own
    tokens = min(tokens, most or tokens)
    seconds = START_SECONDS + weights / LOAD_BYTES_A_SECOND + len(bases) * tokens / TOKENS_A_SECOND
    return int(min(MOST_SECONDS, max(LEAST_SECONDS, seconds)))
