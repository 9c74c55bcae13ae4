"""The card of an export: what it was made from, in which relation, how it is asked, the prompt that it was trained on.

readme("gguf", "q8_0", source, tokenizer, start="llama-server -m spam-q8_0.gguf", agreement="")      Markdown
"""

import json
import shlex
from typing import Any

from lora_hub.catalogue.bases import BUILT_IN
from lora_hub.data.prompts import template
from lora_hub.exporting import asking
from lora_hub.exporting.nouns import Kind, Source
from lora_hub.hub import LONGEST_LABELS, escape_markdown, fence, licence_of, write_snippet

RELATIONS = {"merged": "merge", "gguf": "quantized", "gguf-adapter": "adapter", "peft": "adapter"}
LIBRARIES = {"merged": "transformers", "gguf": "gguf", "gguf-adapter": "gguf", "peft": "peft"}
WHAT = {
    "merged": "The adapter in its base's weights, for transformers.",
    "gguf": "The adapter in its base's weights, as a GGUF file ({type}).",
    "gguf-adapter": "The adapter alone, as a GGUF file ({type}), for llama.cpp.",
    "peft": "The adapter in PEFT's format.",
}
MOST_LABELS = 100
# Longer code is not for pasting.
LONGEST_CODE = 12_000


def readme(kind: Kind, type_: str, source: Source, tokenizer: Any, *, start: str, agreement: str) -> str:
    """start: the command that starts a program that answers, in the export's folder. agreement: how its answers agree
    with the adapter's own."""
    parts = [
        _metadata(kind, source),
        f"# {source.file_name}",
        WHAT[kind].format(type=type_),
        _made_from(source),
        agreement,
    ]
    task, prompt = source.task, asking.example(source.task, tokenizer)
    has_place = asking.prompt_parts(task, tokenizer) is not None
    if task is not None and task.output == "labels" and task.labels:
        named = ", ".join(escape_markdown(label, 60) for label in task.labels[:MOST_LABELS])
        more = f" and {len(task.labels) - MOST_LABELS:,} others" if len(task.labels) > MOST_LABELS else ""
        parts.append(f"It answers with one of: {named}{more}.")
    parts += [
        "## Ask it as it was trained",
        *(_by_llama_cpp(kind, source, start, has_place=has_place) if start else _by_python(source, tokenizer)),
    ]
    if 0 < len(prompt) <= LONGEST_CODE:
        parts += [
            "## The prompt",
            "The adapter was trained on this prompt; another one, such as a chat of the base, is answered otherwise.",
            fence(prompt, "text"),
        ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _metadata(kind: Kind, source: Source) -> str:
    """What the Hub reads. A repo that was made from an adapter names the base and the adapter."""
    made_from = [one for one in (source.base_repo, source.repo) if one]
    told: dict[str, Any] = dict(licence_of(source.base.licence))
    if made_from:
        told |= {"base_model": made_from, "base_model_relation": RELATIONS[kind]}
    told["library_name"] = LIBRARIES[kind]
    if kind in ("merged", "gguf"):
        told["pipeline_tag"] = "text-generation"
    told["tags"] = ["lora-hub-export", *(["gguf"] if kind.startswith("gguf") else [])]
    # JSON is YAML: whatever stands in a name ends no line
    lines = [f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in told.items()]
    return "\n".join(["---", *lines, "---"])


def _made_from(source: Source) -> str:
    """A card names no folder of this machine."""
    of = f"`{source.repo}`" + (f" at `{source.revision[:12]}`" if source.revision else "") if source.repo else "a run"
    if source.base_repo:
        base = f"the base `{source.base_repo}`"
    else:
        base = "LoRA Hub's built-in base" if source.base.id == BUILT_IN else "a base from a folder"
    return f"Made from {of} on {base}."


def _by_llama_cpp(kind: Kind, source: Source, start: str, *, has_place: bool) -> list[str]:
    """has_place: the Modelfile's template has a place for what is typed."""
    fetch = []
    if source.put_into:
        folder = source.put_into.rpartition("/")[2]
        fetch = [f"hf download {shlex.quote(source.put_into)} --local-dir {folder} && cd {folder}"]
    ask = f"curl http://127.0.0.1:8080/completion -d @{asking.QUESTION}"
    parts = [fence("\n".join([*fetch, f"{start} --port 8080", f"{ask}  # in another window"]), "sh")]
    if kind == "gguf":
        create = f"ollama create {source.file_name.lower()} -f {asking.MODELFILE}"
        parts += ["or", fence("\n".join([*fetch, create, f"ollama run {source.file_name.lower()}"]), "sh")]
        if not has_place:
            parts.append("The task has several inputs: Ollama is given the whole prompt, as it stands below.")
    return parts


def _by_python(source: Source, tokenizer: Any) -> list[str]:
    model, task, code = source.put_into or ".", source.task, ""
    # Labels that are too long for the code are read from the adapter's record, where it is published.
    if task is not None and (source.repo or len(str(task.labels)) <= LONGEST_LABELS):
        told = template.asking(tokenizer) | {"chat_template": bool(tokenizer.chat_template)}
        code = write_snippet(task, repo_id=source.repo, base=model, is_merged=True, **told)
    if not 0 < len(code) <= LONGEST_CODE:
        code = "\n".join(
            [
                "from transformers import AutoModelForCausalLM, AutoTokenizer",
                "",
                f"tokenizer = AutoTokenizer.from_pretrained({model!r})",
                f"model = AutoModelForCausalLM.from_pretrained({model!r})",
            ]
        )
    return ["`pip install torch transformers`", fence(code, "python")]
