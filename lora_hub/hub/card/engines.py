"""What a reader of a card pastes to ask the adapter by something else than PEFT: our own endpoint, vLLM, llama.cpp, the
app.

    serve(facts)        Pasted(shell="python -m lora_hub serve ...", code="from openai import OpenAI ...")

A server that puts the base's chat template around a question by itself is sent the question as this adapter was trained
on it (`snippet.prompt_code`). tests/hub/test_engines.py runs the code, and parses the command lines by the servers'
documented options.
"""

import shlex
from dataclasses import dataclass

from lora_hub.core.schema import Task
from lora_hub.hub import snippet
from lora_hub.hub.card.card_metadata import Facts, is_hub_id, short_name
from lora_hub.hub.card.markdown import plain
from lora_hub.works_in import VLLM_RANKS, vllm_rank

# Ports that the servers listen on where nothing else is said.
VLLM_PORT, LLAMA_PORT, SERVE_PORT, APP_PORT = 8000, 8080, 8000, 7860
EXPORTED = "gguf"


@dataclass(frozen=True)
class Pasted:
    """shell: commands that start it. code: Python that asks it; needs: the packages that it imports."""

    shell: str
    code: str
    needs: str


def serve(facts: Facts) -> Pasted:
    """Our own endpoint: it knows the adapter's template and labels, and is sent what to ask about."""
    base = _base(facts)
    command = _line("python", "-m", "lora_hub", "serve", "--base", base, "--adapter", facts.repo_id)
    return Pasted(command, _ask_serve(facts.spec.task, facts.repo_id), "openai")


def vllm(facts: Facts) -> Pasted:
    rank = vllm_rank(min(facts.spec.lora.r, VLLM_RANKS[-1]))
    name = facts.repo_id.rpartition("/")[2]
    base = facts.base_repo or _base(facts)
    command = _line(
        *("vllm", "serve", base, "--enable-lora", "--max-lora-rank", str(rank)),
        *("--lora-modules", f"{name}={facts.repo_id}"),
    )
    return Pasted(command, _ask(facts, name, VLLM_PORT, has_choices=True), "openai")


def llama_cpp(facts: Facts) -> Pasted:
    base = plain(short_name(facts.spec.base))
    export = _line("python", "-m", "lora_hub", "export", facts.repo_id, "--to", "gguf-adapter", "--out", EXPORTED)
    file = f"{base}.gguf"
    start = f"llama-server -m {shlex.quote(file)} --lora {EXPORTED}/*.gguf --port {LLAMA_PORT}"
    return Pasted(
        f"{export}\n{start}",
        _ask(facts, facts.repo_id.rpartition("/")[2], LLAMA_PORT, has_choices=False),
        "openai",
    )


def app(facts: Facts) -> Pasted:
    """The page's own functions; of a task with several inputs each has its name."""
    task = facts.spec.task
    if task.is_chat or len(task.inputs) == 1:
        asked = f"prompt={_placeholder(task.inputs[0] if not task.is_chat else 'words')!r}"
    else:
        asked = f"inputs={ {role: _placeholder(role) for role in task.inputs}!r}"
    lines = [
        "from gradio_client import Client",
        "",
        f'app = Client("http://127.0.0.1:{APP_PORT}")',
        f'asked = app.submit(adapters=[{facts.repo_id!r}], {asked}, api_name="/compare")',
        "for said in asked:  # the answers as they grow",
        "    pass",
        'for answer in said["answers"]:',
        '    print(answer["adapter"], answer["text"])',
    ]
    return Pasted("python -m lora_hub app", "\n".join(lines), "gradio_client")


def _ask_serve(task: Task, repo_id: str) -> str:
    if task.is_chat or len(task.inputs) == 1:
        asked = [f"question = {_placeholder('words' if task.is_chat else task.inputs[0])!r}"]
    else:
        given = ", ".join(f"{role!r}: {_placeholder(role)!r}" for role in task.inputs)
        asked = ["import json", "", f"question = json.dumps({{{given}}})"]
    lines = [
        "from openai import OpenAI",
        "",
        *asked,
        f'client = OpenAI(base_url="http://127.0.0.1:{SERVE_PORT}/v1", api_key="none")',
        'messages = [{"role": "user", "content": question}]',
        f"answer = client.chat.completions.create(model={repo_id!r}, messages=messages)",
        "print(answer.choices[0].message.content)",
    ]
    return "\n".join(lines)


def _ask(facts: Facts, model: str, port: int, *, has_choices: bool) -> str:
    """Python that asks a server which knows the base's chat template, and nothing of the task. has_choices: whether it
    can be held to one of the labels (vLLM's structured_outputs)."""
    task, chat = facts.spec.task, facts.spec.base.has_chat_template
    given: list[str] = [f"model={model!r}", "temperature=0", f"max_tokens={task.max_new_tokens}"]
    labels = [label.strip() for label in task.labels] if task.output == "labels" else []
    space = "" if chat else " "
    if has_choices and labels and len(str(labels)) <= snippet.LONGEST_LABELS:
        given.append(f"extra_body={ {'structured_outputs': {'choice': [space + label for label in labels]}}!r}")
    lines = [
        "from openai import OpenAI",
        "",
        f'client = OpenAI(base_url="http://127.0.0.1:{port}/v1", api_key="none")',
        snippet.prompt_code(task),
        *snippet.messages_code(task, facts.spec.base.has_chat_template, **facts.record.get("asking", {})),
    ]
    if chat:
        lines += [
            f"answer = client.chat.completions.create(messages=messages, {', '.join(given)})",
            "print(answer.choices[0].message.content.strip())",
        ]
    else:
        lines += [
            f"answer = client.completions.create(prompt=text, {', '.join(given)})",
            "print(answer.choices[0].text.strip())",
        ]
    return "\n".join(lines)


def _placeholder(role: str) -> str:
    return f"Put the {role} here." if role != "words" else "Put your words here."


def _base(facts: Facts) -> str:
    """The base as our own shell takes it."""
    base = facts.spec.base
    if is_hub_id(base) or base.id == "built-in":
        return base.id
    return facts.base_repo or f"FOLDER_OF_{plain(short_name(base))}"


def _line(*words: str) -> str:
    return " ".join(map(shlex.quote, words))
