"""Turns a row into the exact tokens the model sees; training, scoring and inference all use it.

A row's prompt and its answer are encoded separately and concatenated. So the ids in training are by construction the
ids of the later prompt plus those of the answer, whatever a tokenizer does at the boundary between two texts. (A
byte-level BPE merges "Kind: " + "ham" into other tokens than when it sees only the prompt.)

Only the tokenizer's methods are called; nothing heavy is imported here.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from lora_hub.catalogue.tasks.frames import FIELD, LABELS_LINE_FA
from lora_hub.core.errors import DataError
from lora_hub.core.messages import _, several
from lora_hub.core.schema import Task
from lora_hub.data.prompts.chat_template import (
    MARK,
    MARKED_TURNS,
    Traits,
    render,
    traits_of,
    whole_text,
    write_answer,
    write_prompt,
)
from lora_hub.data.tables.value_text import value_text

# Longer label lists are not put into the prompt: 77 intents would cost more tokens than the question itself.
MAX_LISTED_LABELS = 10

# Separators for the labels in a prompt. The first one that occurs in no label is used, so that "Staff, Price" stays one
# label.
SEPARATORS = (", ", "; ", " | ", " / ", " • ", "\n")
PERSIAN_SEPARATORS = ("، ", "؛ ", *SEPARATORS[2:])
_ALIKE = {",": ",،，、", ";": ";؛；"}
_ALIKE |= {"،": _ALIKE[","], "؛": _ALIKE[";"]}

# The role whose text becomes the system turn if the template does not contain it.
SYSTEM = "system"

# Few-shot examples before a question: (inputs, answer) each.
Shown = Sequence[tuple[dict[str, Any], str]]


def render_prompt(task: Task, inputs: dict[str, Any]) -> str:
    """The user's turn of one row: the task's template filled with the instruction, the labels and the row's inputs.

    A template line is left out if its optional input is empty, and the line with `{labels}` if there are none or more
    than `MAX_LISTED_LABELS`. Raises DataError if an input is missing or the task is a chat.
    """
    if task.is_chat:
        raise DataError(
            _("The task {task} takes messages and has no template."),
            _("Give the messages themselves."),
            task=task.id,
        )
    values = {role: as_text(inputs.get(role)) for role in task.inputs}
    for role, value in values.items():
        if not value.strip() and role not in task.optional_inputs:
            raise DataError(
                _("The input {role!r} is empty."),
                _("The task {task} needs: {inputs}."),
                role=role,
                task=task.id,
                inputs=several(task.inputs),
            )
    values["labels"] = listed_labels(task)
    # If the rows bring their own instruction, it is an input of the task.
    values.setdefault("instruction", task.instruction.in_language(task.prompt_language))
    may_be_left_out = {"labels", *task.optional_inputs}
    lines = []
    for line in task.template.split("\n"):
        fields = set(FIELD.findall(line))
        if any(not values[field].strip() for field in fields & may_be_left_out):
            continue
        lines.append(FIELD.sub(lambda field: values.get(field[1], field[0]), line))
    return "\n".join(lines).strip()


def listed_labels(task: Task) -> str:
    """The labels for the prompt; empty if there are none or more than `MAX_LISTED_LABELS`."""
    return task.label_separator.join(task.labels) if 0 < len(task.labels) <= MAX_LISTED_LABELS else ""


def freeze_labels(task: Task, labels: Iterable[str]) -> Task:
    """The task with its labels, and with a separator that keeps them apart if a person did not choose one."""
    labels = tuple(labels)
    separator = task.label_separator
    if "label_separator" not in task.model_fields_set:
        taken = "".join(labels)
        separators = PERSIAN_SEPARATORS if LABELS_LINE_FA in task.template else SEPARATORS
        separator = next(
            (one for one in separators if not set(_ALIKE.get(one.strip(), one.strip() or one)) & set(taken)),
            separators[-1],
        )
    # A list that ends with its own full stop needs no second one. If the task already has labels, its template stays
    # unchanged.
    ends = not task.labels and bool(labels) and labels[-1].endswith((".", "!", "?", "؟", "…"))
    template = task.template.replace("{labels}.", "{labels}") if ends else task.template
    return task.model_copy(update={"labels": labels, "label_separator": separator, "template": template})


def has_system_turn(task: Task) -> bool:
    """Whether one of the inputs is the system turn: an input with that name that the template does not contain."""
    return SYSTEM in task.inputs and f"{{{SYSTEM}}}" not in task.template


def asked_turns(task: Task | None, inputs: dict[str, Any]) -> list[dict[str, Any]]:
    """The messages that prompt for the answer of one row. Raises DataError as `render_prompt` does."""
    if task is not None and task.is_chat:
        return list(inputs["messages"])
    user = {"role": "user", "content": inputs["text"] if task is None else render_prompt(task, inputs)}
    system = as_text(inputs.get(SYSTEM)).strip() if task is not None and has_system_turn(task) else ""
    return [{"role": "system", "content": system}, user] if system else [user]


def prompt_text(
    tokenizer: Any, task: Task | None, inputs: dict[str, Any], shown: Shown = (), traits: Traits | None = None
) -> str:
    """The complete prompt as text, with special tokens, up to where the answer begins.

    With a chat template: its rendering with the generation prompt, plus the text it writes before every answer. Without
    one: the prompt, a line break and "Answer:" (no space at the end: the answer brings its own). `task` None:
    inputs["text"] unchanged. A chat's inputs may have `tools` beside its messages. shown: few-shot examples before the
    question, as turns of the conversation or, without a chat template, one below the other. traits: the template's, if
    already known.
    """
    messages = asked_turns(task, inputs)
    if task is not None and shown and (tokenizer.chat_template or task.is_chat):
        turns = []
        for given, answer in shown:
            asked = given["messages"][-1]["content"] if task.is_chat else render_prompt(task, given)
            turns += [{"role": "user", "content": asked}, {"role": "assistant", "content": answer}]
        first = 1 if messages[0]["role"] == "system" else 0
        messages = [*messages[:first], *turns, *messages[first:]]
    if tokenizer.chat_template:
        return write_prompt(tokenizer, messages, inputs.get("tools"), traits)
    if task is None:
        return inputs["text"]
    if task.is_chat:
        return (
            "\n".join(f"{message['role'].capitalize()}: {whole_text(message)}" for message in messages) + "\nAssistant:"
        )
    cue = task.answer.in_language(task.prompt_language)

    def open_prompt(given: dict[str, Any]) -> str:
        asked = "\n\n".join(message["content"] for message in asked_turns(task, given))
        return f"{asked.rstrip()}\n{cue[:1].upper() + cue[1:]}:"

    return "".join(f"{open_prompt(given)} {answer.strip()}\n\n" for given, answer in shown) + open_prompt(inputs)


def encode_prompts(tokenizer: Any, task: Task | None, rows: list[dict[str, Any]], shown: Shown = ()) -> list[list[int]]:
    """Token ids of each row's prompt, exactly as used at inference. shown: few-shot examples before each."""
    if not rows:
        return []
    traits = traits_of(tokenizer)
    texts = [prompt_text(tokenizer, task, inputs, shown, traits) for inputs in rows]
    # A chat template writes its own first token; for plain text the tokenizer adds it.
    encoded = tokenizer(texts, add_special_tokens=not tokenizer.chat_template)["input_ids"]
    if (
        not tokenizer.chat_template
        and tokenizer.eos_token_id is not None
        and tokenizer.eos_token_id != tokenizer.bos_token_id
    ):
        # Some tokenizers close every text with the end token; a prompt must stay open.
        encoded = [ids[:-1] if ids and ids[-1] == tokenizer.eos_token_id else ids for ids in encoded]
    return encoded


def encode_prompt(tokenizer: Any, task: Task | None, inputs: dict[str, Any]) -> list[int]:
    """`encode_prompts` for one row."""
    return encode_prompts(tokenizer, task, [inputs])[0]


def end_token(tokenizer: Any) -> int:
    """The id that ends an answer: the token with which the chat template closes the assistant's turn, else the end
    token.

    Raises DataError if the tokenizer has neither.
    """
    if tokenizer.chat_template:
        rest = render(tokenizer, MARKED_TURNS).rpartition(MARK)[2]
        special = set(tokenizer.all_special_ids) | {int(i) for i in getattr(tokenizer, "added_tokens_decoder", {})}
        for token in tokenizer(rest.strip(), add_special_tokens=False)["input_ids"]:
            if token in special:
                return token
    if tokenizer.eos_token_id is None:
        raise DataError(
            _("The base's tokenizer has no end token."),
            _("Choose a base whose tokenizer has an eos_token."),
        )
    return tokenizer.eos_token_id


def written_answer(
    tokenizer: Any,
    inputs: dict[str, Any],
    answer: str,
    turn: dict[str, Any] | None = None,
    traits: Traits | None = None,
) -> str:
    """An answer as the base is trained on it and generates it: tool calls as its chat template writes them, without
    leading reasoning if the template closes its own reasoning block. `turn`: the message whose text is `answer`, if it
    has calls."""
    if not tokenizer.chat_template:
        return answer
    return write_answer(
        tokenizer,
        inputs.get("messages", []),
        inputs.get("tools"),
        turn or {"role": "assistant", "content": answer},
        traits,
    )


def asking(tokenizer: Any) -> dict[str, Any]:
    """What the code on a card needs to know about the base's tokenizer to build prompts and stop as in training
    (`snippet.write`)."""
    traits = traits_of(tokenizer)
    return {
        "opening": traits.opening,
        "space": traits.space,
        "system_turn": traits.system,
        "end_token": tokenizer.convert_ids_to_tokens(end_token(tokenizer)),
    }


def encode_answers(tokenizer: Any, answers: list[str]) -> list[list[int]]:
    """Token ids of each answer plus the end token: exactly what is trained."""
    if not answers:
        return []
    end = end_token(tokenizer)
    # A space after "Answer:"; after a chat template, the white space it writes there itself.
    space = traits_of(tokenizer).space
    texts = [space + answer.strip() for answer in answers]
    return [ids + [end] for ids in tokenizer(texts, add_special_tokens=False)["input_ids"]]


def encode_answer(tokenizer: Any, answer: str) -> list[int]:
    """`encode_answers` for one answer."""
    return encode_answers(tokenizer, [answer])[0]


def as_text(value: Any) -> str:
    return value_text(value) or ""
