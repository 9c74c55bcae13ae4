"""How an export is asked: the prompt that the adapter was trained on, as llama.cpp and Ollama take it, and the files
that say so.

    prompt_parts(source, tokenizer)      the text before and after what is asked about
    write_files(folder, source, ...)     README.md, and for GGUF files Modelfile and question.json
"""

import json
import re
import shlex
from pathlib import Path
from typing import Any

from lora_hub.catalogue.bases import BUILT_IN
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


def grammar(task: Task, space: str) -> str:
    """llama.cpp's grammar (GBNF) of a task's labels; empty where it has none, or too many."""
    if task.output != "labels" or not 0 < len(task.labels) <= MOST_LABELS:
        return ""
    return "root ::= " + " | ".join(json.dumps(space + label.strip(), ensure_ascii=False) for label in task.labels)


def question(source: Source, tokenizer: Any) -> dict[str, Any]:
    """The body of a request to llama.cpp's server (POST /completion)."""
    task = source.task
    before, after = prompt_parts(task, tokenizer) or ("", "")
    asked: dict[str, Any] = {
        "prompt": f"{before}Put your text here.{after}",
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


def _name_base(source: Source) -> str:
    """Its repo, or what it is where it has none; a card names no folder of this machine."""
    if source.base_repo:
        return f"the base `{source.base_repo}`"
    return "LoRA Hub's built-in base" if source.base.id == BUILT_IN else "a base from a folder"


def readme(kind: Kind, type_: str, source: Source, start: str, *, licence: str, agreement: str) -> str:
    """The export's card, with the Hub's metadata: what it was made from, and in which relation."""
    relation = {"merged": "merge", "gguf": "quantized", "gguf-adapter": "adapter", "peft": "adapter"}[kind]
    made_from = [source.base_repo] if source.base_repo else []
    made_from += [source.repo] if source.repo and kind == "merged" else []
    meta = [
        "---",
        f"license: {licence}",
        *(["base_model:", *(f"- {one}" for one in made_from)] if made_from else []),
        *([f"base_model_relation: {relation}"] if made_from else []),
        f"library_name: {'gguf' if kind.startswith('gguf') else 'transformers' if kind == 'merged' else 'peft'}",
        "tags:",
        "- lora-hub-export",
        *(["- gguf"] if kind.startswith("gguf") else []),
        "---",
        "",
    ]
    what = {
        "merged": "The adapter in its base's weights, for transformers.",
        "gguf": f"The adapter in its base's weights, as a GGUF file ({type_}).",
        "gguf-adapter": f"The adapter alone, as a GGUF file ({type_}), for llama.cpp.",
        "peft": "The adapter in PEFT's format.",
    }[kind]
    of = f"`{source.repo}`" + (f" at `{source.revision[:12]}`" if source.revision else "") if source.repo else "a run"
    lines = [
        f"# {source.file_name}",
        "",
        what,
        "",
        f"Made from {of} on {_name_base(source)}.",
    ]
    lines += ["", agreement] if agreement else []
    if start:
        lines += [
            "",
            "Ask it as it was trained:",
            "",
            "```bash",
            start,
            f"curl http://127.0.0.1:8080/completion -d @{QUESTION}",
            "```",
        ]
        if kind == "gguf":
            lines += ["", "or", "", "```bash", f"ollama create {source.file_name.lower()} -f {MODELFILE}", "```"]
    elif kind == "merged":
        lines += [
            "",
            "```python",
            "from transformers import AutoModelForCausalLM, AutoTokenizer",
            "",
            'tokenizer = AutoTokenizer.from_pretrained(".")',
            'model = AutoModelForCausalLM.from_pretrained(".")',
            "```",
        ]
    return "\n".join([*meta, *lines]) + "\n"


def write_question(folder: Path, source: Source, tokenizer: Any) -> str:
    body = json.dumps(question(source, tokenizer), ensure_ascii=False, indent=1)
    (folder / QUESTION).write_text(body + "\n", encoding="utf-8")
    return QUESTION
