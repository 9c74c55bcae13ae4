"""Start-up: the first page against a bare gradio app's, and `--help`. `python tests/bench/bench_start.py [ROUNDS]`

Wall and CPU seconds from the start of the process to the first page (HTTP 200), best of the rounds, taken in turn.
"""

import os
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[2]
BARE = """
import os, gradio as gr
with gr.Blocks() as page:
    name = gr.Textbox(label="name")
    gr.Button("go").click(lambda text: text, name, gr.Textbox())
page.launch(server_name="127.0.0.1", server_port=int(os.environ["LORA_HUB_PORT"]), quiet=True, inbrowser=False)
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def first_page(command: list[str], home: str) -> tuple[float, float]:
    """(wall, CPU) seconds until the page answers; CPU with the children's."""
    port = free_port()
    environment = {
        **os.environ,
        "LORA_HUB_PORT": str(port),
        "LORA_HUB_HOME": home,
        "LORA_HUB_NO_BROWSER": "1",
        "GRADIO_ANALYTICS_ENABLED": "False",
    }
    began = time.monotonic()
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=30) as answer:
                    answer.read()
                break
            except (urllib.error.URLError, ConnectionError):
                assert process.poll() is None, "the app ended before its first page"
                time.sleep(0.02)
        wall = time.monotonic() - began
        family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
        cpu = sum(sum(one.cpu_times()[:2]) for one in family)
        return wall, cpu
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def help_cpu() -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-m", "lora_hub", "--help"], cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> int:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    ours, bare = [], []
    with tempfile.TemporaryDirectory() as home:
        for _ in range(rounds):
            bare.append(first_page([sys.executable, "-c", BARE], home))
            ours.append(first_page([sys.executable, "app.py"], home))
    wall = [min(one[0] for one in some) for some in (ours, bare)]
    cpu = [min(one[1] for one in some) for some in (ours, bare)]
    helped = min(help_cpu() for _ in range(rounds))
    ratio = wall[0] / wall[1]
    print(f"first page, wall: ours {wall[0]:.2f} s, bare gradio {wall[1]:.2f} s, ratio {ratio:.2f} (goal 1.15)")
    print(f"first page, CPU:  ours {cpu[0]:.2f} s, bare gradio {cpu[1]:.2f} s, ratio {cpu[0] / cpu[1]:.2f}")
    print(f"--help, CPU: {helped:.2f} s (goal 0.7)")
    return 0 if ratio <= 1.15 and helped <= 0.7 else 1


if __name__ == "__main__":
    sys.exit(main())
