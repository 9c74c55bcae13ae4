"""The use cases around a run: plan, start, list, refresh, cancel, resume, publish. What the page and the shell call."""

from lora_hub.runs.looking import list_runs, read_held_out, read_log, refresh_run, wait_for_run
from lora_hub.runs.use_cases import (
    RESUMABLE,
    Plan,
    cancel_run,
    gpu_flops,
    plan_run,
    planned_examples,
    publish_run,
    publishing_trouble,
    resume_run,
    start_run,
    start_runs,
    tokens_per_row,
)

__all__ = [
    "Plan",
    "RESUMABLE",
    "cancel_run",
    "gpu_flops",
    "list_runs",
    "plan_run",
    "planned_examples",
    "publish_run",
    "publishing_trouble",
    "read_held_out",
    "read_log",
    "refresh_run",
    "resume_run",
    "start_run",
    "start_runs",
    "tokens_per_row",
    "wait_for_run",
]
