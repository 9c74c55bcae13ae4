"""How an export is asked: the prompt that the adapter was trained on, as llama.cpp and Ollama take it, and the files
that say so, Modelfile and question.json.

    prompt_parts(task, tokenizer)      the text before and after what is asked about
    example(task, tokenizer)           the whole of it, with places for what is asked about
"""

import json
import re
import shlex
from pathlib import Path
from typing import Any

from lora_hub.core.errors import LoraHubError
from lora_hub.core.schema import Task
from lora_hub.data.prompts import template
from lora_hub.exporting.gguf_words import begins_itself
from lora_hub.exporting.nouns import Kind, Source

MARK = "\u2062WORDS\u2062"  # no text has it
QUESTION = "question.json"
MODELFILE = "Modelfile"
MOST_LABELS = 200


def prompt_parts(task: Task | None, tokenizer: Any) -> tuple[str, str] | None:
    """The prompt's text before and after the words that are asked about; None where several are. What the program
    itself puts before every text is not in it."""
    inputs: dict[str, Any]
    if task is None or task.is_chat:
        inputs = {"messages": [{"role": "user", "content": MARK}]} if task is not None else {"text": MARK}
    else:
        needed = [role for role in task.inputs if role not in task.optional_inputs]
        if len(needed) != 1:
            return None
        inputs = {needed[0]: MARK}
    try:
        text = template.prompt_text(tokenizer, task, inputs)
    except LoraHubError:
        return None
    before, _mark, after = text.partition(MARK)
    first = tokenizer.bos_token or ""
    if first and begins_itself(tokenizer) and before.startswith(first):
        before = before.removeprefix(first)
    return before, after


def example(task: Task | None, tokenizer: Any) -> str:
    """The prompt, with words that say what stands where."""
    inputs: dict[str, Any] = {"text": "Put your text here."}
    if task is not None and task.is_chat:
        inputs = {"messages": [{"role": "user", "content": "Put your words here."}]}
    elif task is not None:
        inputs = {role: f"Put the {role} here." for role in task.inputs if role not in task.optional_inputs}
    try:
        text = template.prompt_text(tokenizer, task, inputs)
    except LoraHubError:
        return ""
    first = tokenizer.bos_token or ""
    return text.removeprefix(first) if first and begins_itself(tokenizer) else text


def grammar(task: Task, space: str) -> str:
    """llama.cpp's grammar (GBNF) of a task's labels; empty where it has none, or too many."""
    if task.output != "labels" or not 0 < len(task.labels) <= MOST_LABELS:
        return ""
    return "root ::= " + " | ".join(json.dumps(space + label.strip(), ensure_ascii=False) for label in task.labels)


def question(source: Source, tokenizer: Any) -> dict[str, Any]:
    """The body of a request to llama.cpp's server (POST /completion)."""
    task = source.task
    asked: dict[str, Any] = {
        "prompt": example(task, tokenizer),
        "n_predict": task.max_new_tokens if task is not None else 128,
        "temperature": 0,
        "stop": [tokenizer.convert_ids_to_tokens(template.end_token(tokenizer))],
    }
    if task is not None and (rules := grammar(task, template.asking(tokenizer)["space"])):
        asked["grammar"] = rules
    return asked


def modelfile(source: Source, tokenizer: Any, file: str) -> str:
    """What `ollama create` takes: the whole prompt is the template, so that only the words are typed."""
    before, after = prompt_parts(source.task, tokenizer) or ("", "")
    end = tokenizer.convert_ids_to_tokens(template.end_token(tokenizer))
    lines = [f"FROM ./{file}", f'TEMPLATE """{_go(before)}{{{{ .Prompt }}}}{_go(after)}"""', "PARAMETER temperature 0"]
    if source.task is not None:
        lines.append(f"PARAMETER num_predict {source.task.max_new_tokens}")
    lines.append(f"PARAMETER stop {json.dumps(end, ensure_ascii=False)}")
    return "\n".join(lines) + "\n"


def _go(text: str) -> str:
    """A text within Ollama's template: closing quotes are written as values, and so are braces of its own where they
    would open or close one, beside each other or beside what is put in."""
    return re.sub(r'[{}]{2,}|\{?"""|\{\Z', lambda found: "{{ " + json.dumps(found[0]) + " }}", text)


def command(kind: Kind, files: dict[str, str], source: Source) -> str:
    """What starts a program that answers, in the export's folder."""
    if kind == "gguf":
        return f"llama-server -m {shlex.quote(files['model'])}"
    if kind == "gguf-adapter":
        base = source.base.origin.file if source.base.origin else "BASE.gguf"
        return f"llama-server -m {shlex.quote(base)} --lora {shlex.quote(files['adapter'])}"
    return ""


def write_question(folder: Path, source: Source, tokenizer: Any) -> str:
    body = json.dumps(question(source, tokenizer), ensure_ascii=False, indent=1)
    (folder / QUESTION).write_text(body + "\n", encoding="utf-8")
    return QUESTION
