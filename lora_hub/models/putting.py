"""A program's questions in the words of one model: its own template, its own fields.

asked = put_all(tokenizer, pane, "spam", wanted)        questions.Asked, one for each question

| the model's task | what is sent |
|---|---|
| a conversation, or the base | the messages as they are |
| one input | the one user message is the input |
| several inputs | the one user message is a JSON object of them, or the request's `inputs` |
| none (made elsewhere) | the messages, in the adapter's own chat template |

A bare text (a completion) is the input of a task with one; of a model without a task it is continued as it is.
"""

from typing import Any

import orjson

from lora_hub.catalogue.tasks import catalogue
from lora_hub.compare import Pane
from lora_hub.core.errors import LoraHubError
from lora_hub.core.messages import _, _n, several
from lora_hub.core.schema import Task
from lora_hub.data.prompts import template
from lora_hub.models.wanted import ParameterError, Put, Wanted


def put_all(tokenizer: Any, pane: Pane, name: str, wanted: Wanted) -> list[Any]:
    """The questions as `questions.Asked`. name: the adapter's in the stack. Raises ParameterError where the model
    cannot be asked so, DataError."""
    from lora_hub.answering import questions

    labels = questions.labels_of(pane.task)
    if not labels and (wanted.only_labels or wanted.logprobs):
        param = "model" if wanted.only_labels else "logprobs"
        raise ParameterError(
            param,
            _("{name} has no labels.", name=pane.name)
            if wanted.only_labels
            else _("{param}: only models that answer with one of their labels tell its chances, and {name} has none."),
            _("Ask a model of a task with labels."),
            name=pane.name,
        )
    found = []
    for one in wanted.asked:
        if one.text is not None and pane.task is None:
            found.append(questions.Asked(_continued(tokenizer, one.text), name, tokenizer=tokenizer))
            continue
        task, inputs = _read(tokenizer, pane, one, "input" if wanted.only_labels else "")
        found += questions.put(tokenizer, task, [inputs], adapter=name, calibration=pane.calibration, labels=labels)
    return found


def inputs_of(one: Put) -> dict[str, Any]:
    """What a question says, for a look at its length before any tokenizer reads it."""
    return {str(place): text for place, text in enumerate(one.texts)}


def _continued(tokenizer: Any, text: str) -> list[int]:
    ids = tokenizer(text)["input_ids"]
    # some tokenizers close every text with the end token; one that goes on must stay open
    return ids[:-1] if len(ids) > 1 and ids[-1] == tokenizer.eos_token_id else ids


def _read(tokenizer: Any, pane: Pane, one: Put, param: str) -> tuple[Task, dict[str, Any]]:
    """param: by which name the program sent the question; "": by that of its kind."""
    task = pane.task or catalogue.get_task("chat")
    if one.tools:
        _check_tools(tokenizer, pane, task)
    if task.is_chat:
        return task, _chat(pane, one)
    if one.inputs is not None:
        return task, _fields(pane, task, one.inputs, param or "inputs")
    if one.text is not None:
        return task, _from_text(pane, task, one.text, param or "prompt", {})
    turns = [message for message in one.messages if message["role"] != "system"]
    system = "\n\n".join(message["content"] for message in one.messages if message["role"] == "system")
    if system and not template.has_system_turn(task):
        raise ParameterError(
            "messages",
            _("{name} was trained on the task {task}, without a system message."),
            _("Leave the system message out: the task's own instruction is in the adapter's template."),
            name=pane.name,
            task=task.id,
        )
    if len(turns) != 1 or turns[0]["role"] != "user":
        raise ParameterError(
            "messages",
            _n(
                "{name} answers one question of the task {task}, and the one message is not from a user.",
                "{name} answers one question of the task {task}, and {count} messages are given.",
            ),
            _("Send one user message."),
            name=pane.name,
            task=task.id,
            count=len(turns),
        )
    return task, _from_text(pane, task, turns[0]["content"], "messages", {template.SYSTEM: system} if system else {})


def _check_tools(tokenizer: Any, pane: Pane, task: Task) -> None:
    from lora_hub.data.prompts.chat_template import traits_of

    if not task.is_chat or not traits_of(tokenizer).tools:
        raise ParameterError(
            "tools",
            _("{name} knows no tools: its task is {task}.", task=task.id)
            if not task.is_chat
            else _("The chat template of {name} knows no tools."),
            _("Leave tools out, or ask another model."),
            name=pane.name,
        )


def _chat(pane: Pane, one: Put) -> dict[str, Any]:
    if one.inputs is not None:
        raise ParameterError(
            "inputs", _("{name} takes a conversation and no fields."), _("Send messages."), name=pane.name
        )
    messages = list(one.messages) if one.text is None else [{"role": "user", "content": one.text}]
    if not messages or not any(template.as_text(message["content"]).strip() for message in messages):
        raise ParameterError("messages", _("The prompt is empty."), _("Type what is to be answered."))
    return {"messages": messages, **({"tools": list(one.tools)} if one.tools else {})}


def _from_text(pane: Pane, task: Task, text: str, param: str, also: dict[str, str]) -> dict[str, Any]:
    """The inputs that a text stands for."""
    needed = [role for role in task.inputs if role not in (*task.optional_inputs, *also)]
    if not text.strip():
        raise ParameterError(param, _("The prompt is empty."), _("Type what is to be answered."))
    if len(needed) == 1:
        return {needed[0]: text, **also}
    try:
        fields = orjson.loads(text)
    except orjson.JSONDecodeError:
        fields = None
    if not isinstance(fields, dict):
        raise ParameterError(
            param,
            _("The task {task} of {name} has several inputs: {inputs}."),
            _("Send them as a JSON object in the user message, or as `inputs` of the request."),
            task=task.id,
            name=pane.name,
            inputs=several(task.inputs),
        )
    return _fields(pane, task, {**fields, **also}, param)


def _fields(pane: Pane, task: Task, fields: dict[str, Any], param: str) -> dict[str, Any]:
    from lora_hub.answering import questions

    wrong = next((role for role, value in fields.items() if not isinstance(value, str | int | float | type(None))), "")
    if wrong:
        raise ParameterError(param, _("The input {role!r} is no text."), _("Send a text."), role=wrong[:60])
    try:
        _task, (inputs,) = questions.read_question(task, pane.name, "", fields)
        template.render_prompt(task, inputs)  # says which one is empty
    except LoraHubError as error:
        raise ParameterError(param, error.said, error.advice) from error
    return inputs
