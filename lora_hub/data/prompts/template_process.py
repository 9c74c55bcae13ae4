"""Strangers' chat templates, rendered in a process of their own with limits on time, memory and length.

A chat template is a program. Jinja's sandbox limits what it can access, but it can still loop for ever or use up the
memory. So it runs in a process that can be killed, with none of our variables in its environment.

    bound_template(tokenizer, _("the adapter {name}", name="owner/name"))    from now on it is rendered there
    process = TemplateProcess(_("the adapter {name}", name="owner/name"))
    process.render(template, {"messages": [...], "add_generation_prompt": True})

`python -m lora_hub.data.prompts.template_process` is the child process: a line of JSON in, a line out.
"""

import contextlib
import functools
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lora_hub.core.errors import AdapterError, DataError
from lora_hub.core.messages import Message, _

CPU_SECONDS = 3
# CPU seconds for all renderings together, growing with each: taking nearly the maximum for each of 2,000 rows is an
# attack, too. Honest templates take a few milliseconds.
ALL_SECONDS, MORE_SECONDS = 10.0, 0.05
WALL_SECONDS = 60.0  # generous, because a busy machine is slow without an attack
MEMORY_BYTES = 1 << 30
# Characters of a rendered text beyond those of its input.
MOST_CHARACTERS = 1 << 20
IDLE_SECONDS = 60
_ROOT = Path(__file__).parents[3]


class TemplateProcess:
    """Renders one template after another. The process starts with the first rendering and exits after a while without
    requests. Safe to use from several threads. whose: the owner of the templates, for errors."""

    def __init__(self, whose: Message) -> None:
        self._whose = whose
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._asked, self._used = 0, 0.0

    def render(self, template: str, variables: dict[str, Any]) -> str:
        """The rendered text. Raises DataError if the template refuses the messages, is damaged, or exceeds the
        limits."""
        line = json.dumps({"template": template, "variables": variables}).encode() + b"\n"
        with self._lock:
            if self._used > ALL_SECONDS + MORE_SECONDS * self._asked:
                answered = {"why": "slow"}
            else:
                answered = self._ask(line) or self._ask(line)  # the process may have just exited for lack of requests
                self._asked += 1
                self._used += float(answered.get("seconds", CPU_SECONDS))
        if "text" in answered:
            return str(answered["text"])
        why = _WHY.get(answered.get("why", ""), _WHY["ended"]).filled({"whose": self._whose})
        said = answered.get("said", "")
        raise DataError(
            _("{why}: {said}.", said=said) if said else _("{why}."),
            _("Choose another one, or have its template mended by whoever made it."),
            why=why,
        )

    def _ask(self, line: bytes) -> dict[str, Any] | None:
        """Sends one request and returns its response; None if the process had already exited for lack of requests."""
        fresh = self._process is None or self._process.poll() is not None
        process = self._start() if fresh else self._process
        self._process = process
        late = threading.Timer(WALL_SECONDS, process.kill)
        late.start()
        try:
            process.stdin.write(line)
            process.stdin.flush()
            answer = process.stdout.readline(8 * MOST_CHARACTERS + 8 * len(line))
        except OSError:  # it exited while we were writing
            answer = b""
        finally:
            late.cancel()
        try:
            return dict(json.loads(answer))
        except ValueError:
            _end(process)
            self._process = None
            return {"why": "ended"} if fresh else None

    def _start(self) -> "subprocess.Popen[bytes]":
        environment = {name: os.environ[name] for name in ("PATH", "LANG", "SYSTEMROOT", "TZ") if name in os.environ}
        return subprocess.Popen(
            [sys.executable, "-m", "lora_hub.data.prompts.template_process"],
            cwd=_ROOT,
            env=environment | {"PYTHONPATH": str(_ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def __del__(self) -> None:
        if self._process is not None:
            _end(self._process)


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.kill()
    for pipe in (process.stdin, process.stdout):
        # It may have ended before it read what was written; and Python may have closed the pipe already, where it
        # collects both together.
        with contextlib.suppress(OSError, ValueError):
            pipe.close()
    process.wait()


def bound_template(tokenizer: Any, whose: Message) -> Any:
    """The tokenizer, whose chat template is rendered within limits from now on (`template_process`)."""
    process = TemplateProcess(whose)

    def apply_chat_template(
        messages: list[dict[str, Any]],
        *,
        tools: list | None = None,
        add_generation_prompt: bool = False,
        tokenize: bool = False,
        **variables: Any,
    ) -> str:
        if tokenize:
            raise ValueError("renders text only")
        named = {key: value for key, value in tokenizer.special_tokens_map.items() if isinstance(value, str)}
        messages = [{key: value for key, value in message.items() if value is not None} for message in messages]
        values = {
            **named,
            "messages": messages,
            "tools": tools,
            "documents": None,
            "add_generation_prompt": add_generation_prompt,
            **variables,
        }
        return process.render(_chosen(tokenizer.chat_template, whose, bool(tools)), values)

    tokenizer.apply_chat_template = apply_chat_template
    return tokenizer


def _chosen(template: Any, whose: Message, with_tools: bool) -> str:
    """The template to use of several: the one for tools if there are any, else the one named default, as transformers
    chooses."""
    if isinstance(template, dict):
        template = (template.get("tool_use") if with_tools else None) or template.get("default")
    if not isinstance(template, str):
        raise AdapterError(
            _("None of the chat templates of {whose} is the default."),
            _("Name one of them 'default' in its tokenizer_config.json."),
            whose=whose,
        )
    return template


_WHY = {
    "refused": _("The chat template of {whose} refuses these messages"),
    "damaged": _("The chat template of {whose} cannot be rendered"),
    "long": _("The chat template of {whose} writes more than {most:,} characters", most=MOST_CHARACTERS),
    "memory": _("The chat template of {whose} takes more memory than a template may"),
    "slow": _("The chat template of {whose} takes too long, question after question"),
    "ended": _(
        "The chat template of {whose} takes more than {seconds} seconds, or more memory than a template may",
        seconds=CPU_SECONDS,
    ),
}


def render_bounded(
    compile_template: Callable[[str], Any], template: str, variables: dict[str, Any], most: int
) -> dict[str, Any]:
    """{"text": ...}, or {"why": ..., "said": ...} if rendering failed."""
    from jinja2 import TemplateError, TemplateSyntaxError

    try:
        pieces, length = [], 0
        for piece in compile_template(template).generate(**variables):
            pieces.append(piece)
            length += len(piece)
            if length > most:
                return {"why": "long"}
        return {"text": "".join(pieces)}
    except TemplateSyntaxError as error:
        return {"why": "damaged", "said": str(error)[:200]}
    except TemplateError as error:
        return {"why": "refused", "said": str(error)[:200]}
    except MemoryError:
        return {"why": "memory"}
    except Exception as error:  # any error of a stranger's program is reported as its own
        return {"why": "damaged", "said": f"{type(error).__name__}: {error}"[:200]}


def main() -> None:
    """Answers requests from standard input until it ends, or until none has come for a while."""
    from lora_hub.data.prompts.light_tokenizer import jinja_environment

    try:
        import resource
        import signal
    except ImportError:  # without it the parent process still ends a template that takes too long
        resource = None
    compile_template = functools.lru_cache(4)(jinja_environment().from_string)
    if resource is not None:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for line in sys.stdin.buffer:
        if resource is not None:
            signal.alarm(0)
            used = resource.getrusage(resource.RUSAGE_SELF)
            resource.setrlimit(
                resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + CPU_SECONDS, resource.RLIM_INFINITY)
            )
        began, asked = time.process_time(), json.loads(line)
        most = MOST_CHARACTERS + 8 * len(line)
        answer = render_bounded(compile_template, asked["template"], asked["variables"], most)
        answer["seconds"] = round(time.process_time() - began, 4)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
        if resource is not None:
            signal.alarm(IDLE_SECONDS)


if __name__ == "__main__":
    main()
