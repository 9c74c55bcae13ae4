"""The use cases around a run: plan, start, list, refresh, cancel, resume, publish. What the page and the shell call."""

from lora_hub.runs.again import Again, data_differences, plan_again, recorded_spec, settings_of
from lora_hub.runs.beside import LEAST_BESIDE, MOST_BESIDE, find_differing
from lora_hub.runs.combined_files import (
    COMBINED_MARK,
    is_combined,
    keep_combined,
    mark_brought,
    remove_combined,
    still_needed,
)
from lora_hub.runs.control import (
    RESUMABLE,
    cancel_run,
    resume_run,
    start_runs,
    take_up_hired,
    take_up_waiting,
)
from lora_hub.runs.deleting import delete_run
from lora_hub.runs.exam_rows import ExamRows, read_exam_rows
from lora_hub.runs.finding import Wanted, find_runs
from lora_hub.runs.hiring import hire, tell_price, tell_spent, together
from lora_hub.runs.looking import held_out_of, list_runs, read_held_out, read_log, refresh_run, wait_for_run
from lora_hub.runs.machine import (
    check_base,
    gpu_flops,
    gpu_name,
    is_measuring,
    machine_memory,
    measured_speed,
    what_is_known,
)
from lora_hub.runs.parents import ParentAdapter, find_parent
from lora_hub.runs.planning import Plan, plan_inspected, plan_run, tokens_per_row
from lora_hub.runs.publication import Difference, Publication, plan_publication
from lora_hub.runs.publishing import publish_run, publishing_trouble
from lora_hub.runs.run_data import trained_inputs
from lora_hub.runs.run_files import FILES, RunFile, metrics_csv, metrics_rows
from lora_hub.runs.run_names import clean_name, clean_tags
from lora_hub.runs.runners import HERE, get_runner
from lora_hub.runs.settings_file import changed_settings, reading_of, to_yaml
from lora_hub.runs.spreadsheet import answers_csv
from lora_hub.runs.waiting import WaitingRoom

__all__ = [
    "Again",
    "COMBINED_MARK",
    "Difference",
    "ExamRows",
    "FILES",
    "HERE",
    "LEAST_BESIDE",
    "MOST_BESIDE",
    "ParentAdapter",
    "Plan",
    "Publication",
    "RESUMABLE",
    "RunFile",
    "WaitingRoom",
    "Wanted",
    "answers_csv",
    "cancel_run",
    "changed_settings",
    "check_base",
    "clean_name",
    "clean_tags",
    "data_differences",
    "delete_run",
    "find_differing",
    "find_parent",
    "find_runs",
    "get_runner",
    "gpu_flops",
    "gpu_name",
    "held_out_of",
    "hire",
    "is_combined",
    "is_measuring",
    "keep_combined",
    "list_runs",
    "machine_memory",
    "mark_brought",
    "measured_speed",
    "metrics_csv",
    "metrics_rows",
    "pipeline",
    "plan_again",
    "plan_inspected",
    "plan_publication",
    "plan_run",
    "publish_run",
    "publishing_trouble",
    "read_exam_rows",
    "read_held_out",
    "read_log",
    "reading_of",
    "recorded_spec",
    "refresh_run",
    "remove_combined",
    "resume_run",
    "run_json",
    "run_phases",
    "run_rows",
    "run_states",
    "settings_of",
    "start_runs",
    "still_needed",
    "take_up_hired",
    "take_up_waiting",
    "tell_price",
    "tell_spent",
    "to_yaml",
    "together",
    "tokens_per_row",
    "trained_inputs",
    "wait_for_run",
    "what_is_known",
]
