"""Chat templates of strangers, rendered in a process of their own with bounds on time, memory and length.

A chat template is a program. Jinja's sandbox keeps it from reaching anything, but not from looping for ever or from
asking for more memory than there is; so it runs where it can be ended, with nothing of ours in its environment.

    process = TemplateProcess(_("the adapter {name}", name="owner/name"))
    process.render(template, {"messages": [...], "add_generation_prompt": True})

`python -m lora_hub.data.prompts.template_process` is the other end: a line of JSON in, a line out.
"""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from lora_hub.core.errors import DataError
from lora_hub.core.messages import Message, _

CPU_SECONDS = 3
WALL_SECONDS = 60.0  # a machine that does other things, too, is slow and not wrong
MEMORY_BYTES = 1 << 30
# Characters of a rendered text beside those that were put into it.
MOST_CHARACTERS = 1 << 20
IDLE_SECONDS = 60
_ROOT = Path(__file__).parents[3]


class TemplateProcess:
    """Renders one template after another. The process starts with the first and ends itself when nothing is asked for a
    while. Safe to use from several threads. whose: whose templates these are, for the errors."""

    def __init__(self, whose: Message) -> None:
        self._whose = whose
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def render(self, template: str, variables: dict[str, Any]) -> str:
        """The text. Raises DataError: the template refuses the messages, is damaged, or takes more than the bounds
        allow."""
        line = json.dumps({"template": template, "variables": variables}).encode() + b"\n"
        with self._lock:
            answered = self._ask(line) or self._ask(line)  # the process may have just gone to rest
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
        """One question and its answer; None where a process that had rested was not there any more."""
        fresh = self._process is None or self._process.poll() is not None
        process = self._start() if fresh else self._process
        self._process = process
        late = threading.Timer(WALL_SECONDS, process.kill)
        late.start()
        try:
            process.stdin.write(line)
            process.stdin.flush()
            answer = process.stdout.readline(8 * MOST_CHARACTERS + 8 * len(line))
        except OSError:  # it ended while it was told
            answer = b""
        finally:
            late.cancel()
        try:
            return dict(json.loads(answer))
        except ValueError:
            process.kill()
            process.communicate()
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
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.communicate()


_WHY = {
    "refused": _("The chat template of {whose} refuses these messages"),
    "damaged": _("The chat template of {whose} cannot be rendered"),
    "long": _("The chat template of {whose} writes more than {most:,} characters", most=MOST_CHARACTERS),
    "memory": _("The chat template of {whose} takes more memory than a template may"),
    "ended": _(
        "The chat template of {whose} takes more than {seconds} seconds, or more memory than a template may",
        seconds=CPU_SECONDS,
    ),
}


def render_bounded(environment: Any, template: str, variables: dict[str, Any], most: int) -> dict[str, str]:
    """{"text": ...}, or {"why": ..., "said": ...} where there is none."""
    from jinja2 import TemplateError, TemplateSyntaxError

    try:
        compiled = environment.from_string(template)
        pieces, length = [], 0
        for piece in compiled.generate(**variables):
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
    except Exception as error:  # whatever a stranger's program does wrong is its own fault
        return {"why": "damaged", "said": f"{type(error).__name__}: {error}"[:200]}


def main() -> None:
    """Reads questions from standard input until it ends, or until nobody asks any more."""
    from lora_hub.data.prompts.light_tokenizer import jinja_environment

    try:
        import resource
        import signal
    except ImportError:  # where there is none, the one who asks still ends what takes too long
        resource = None
    environment = jinja_environment()
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
        asked = json.loads(line)
        answer = render_bounded(environment, asked["template"], asked["variables"], MOST_CHARACTERS + 8 * len(line))
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
        if resource is not None:
            signal.alarm(IDLE_SECONDS)


if __name__ == "__main__":
    main()
