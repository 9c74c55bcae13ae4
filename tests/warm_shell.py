"""Commands of the shell without the seconds that their imports take, for tests that run many of them.

One process has imported what they need and is connected to its home's Hub. It forks for each command, which is so a
process of its own, with nothing in its memory that another has left there.

    with WarmShell(environment) as shell:
        done = shell.run(["compare", "--adapter", ...], folder)     # returncode, stdout, stderr
"""

import contextlib
import importlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

# What the commands that ask a model or train one take longest to import.
HEAVY = (
    "torch",
    "transformers.models.llama.modeling_llama",
    "transformers.models.auto.modeling_auto",
    "peft",
    "polars",
    "huggingface_hub.hf_api",
    "lora_hub.use_cases",
)


class WarmShell:
    """Starts the process at the first command. environment: what the commands see."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.environment = environment
        self.process: subprocess.Popen[str] | None = None

    def __enter__(self) -> "WarmShell":
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def run(self, words: Sequence[str], cwd: Path) -> "subprocess.CompletedProcess[str]":
        """Raises AssertionError where the process itself has ended."""
        if self.process is None:
            self.process = subprocess.Popen(
                [sys.executable, __file__],
                env=self.environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        with tempfile.TemporaryDirectory() as folder:
            out, err = Path(folder, "out"), Path(folder, "err")
            asked = {"words": list(words), "cwd": str(cwd), "out": str(out), "err": str(err)}
            print(json.dumps(asked), file=self.process.stdin, flush=True)
            said = self.process.stdout.readline()
            assert said.strip(), f"the process with the libraries ended before {words}"
            return subprocess.CompletedProcess(words, int(said), out.read_text("utf-8"), err.read_text("utf-8"))

    def close(self) -> None:
        """Lets go of the Hub, too."""
        if self.process is not None:
            self.process.stdin.close()
            self.process.wait(60)
            self.process.stdout.close()
            self.process = None


def answer() -> None:
    """The process: a line of JSON on standard input is a command, a line on standard output its exit status."""
    from lora_hub.hub import endpoint

    connection = endpoint.connect()  # before huggingface_hub is imported, which reads the Hub's address then
    with contextlib.redirect_stdout(sys.stderr):
        for name in HEAVY:
            importlib.import_module(name)
    for line in sys.stdin:
        asked = json.loads(line)
        child = os.fork()
        if child == 0:
            os._exit(_run_command(asked))
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
    connection.close()


def _run_command(asked: dict) -> int:
    from lora_hub.cli import main

    os.chdir(asked["cwd"])
    for name, descriptor in ((os.devnull, 0), (asked["out"], 1), (asked["err"], 2)):
        opened = os.open(name, os.O_RDWR | os.O_CREAT, 0o600)
        os.dup2(opened, descriptor)
        os.close(opened)
    try:
        status = main(asked["words"])
    except SystemExit as ended:
        status = int(ended.code or 0)
    sys.stdout.flush()
    sys.stderr.flush()
    return status


if __name__ == "__main__":
    answer()
