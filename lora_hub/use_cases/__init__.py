"""Everything that can be done here, each called with the `Person` who does it. The page and the shell only call these
functions, and these decide whether the person may. The rooms below do the work without checking rights.

    use_cases.cancel_run(person, run_id)      RunError if they may not see it, AccessError if it is another's
"""

from lora_hub.use_cases.adapters import (
    check_owner,
    delete_adapter,
    get_adapter,
    list_adapters,
    list_versions,
    plan_deletion,
    read_card,
)
from lora_hub.use_cases.collecting import collect_unused, keep_clean
from lora_hub.use_cases.comparing import ask, resolve, score_file
from lora_hub.use_cases.datasets import (
    add_dataset,
    add_text,
    fetch_dataset,
    inspect_dataset,
    open_dataset,
    read_dataset,
)
from lora_hub.use_cases.disk import Disk, clean_disk, measure_disk
from lora_hub.use_cases.keeping import start_keeping
from lora_hub.use_cases.organization import Standing, change_policy, look_at_standing
from lora_hub.use_cases.own_data import (
    OwnData,
    StoredFile,
    delete_data,
    delete_dataset,
    list_datasets,
    look_at_data,
)
from lora_hub.use_cases.promoting import look_at_production, promote, roll_back
from lora_hub.use_cases.publishing import plan_publication, publish_run, publishing_trouble
from lora_hub.use_cases.training import (
    cancel_run,
    check_base,
    delete_run,
    find_base,
    hire,
    look_for_base,
    plan_inspected,
    plan_run,
    resume_run,
    start_pipeline,
    start_run,
    start_runs,
    take_up_hired,
    take_up_waiting,
)
from lora_hub.use_cases.watching import list_runs, read_held_out, read_log, refresh_run, share_run, wait_for_run

__all__ = [
    "Disk",
    "OwnData",
    "Standing",
    "StoredFile",
    "add_dataset",
    "add_text",
    "ask",
    "cancel_run",
    "change_policy",
    "check_base",
    "check_owner",
    "clean_disk",
    "collect_unused",
    "delete_adapter",
    "delete_data",
    "delete_dataset",
    "delete_run",
    "fetch_dataset",
    "find_base",
    "get_adapter",
    "hire",
    "inspect_dataset",
    "keep_clean",
    "list_adapters",
    "list_datasets",
    "list_runs",
    "list_versions",
    "look_at_data",
    "look_at_production",
    "look_at_standing",
    "look_for_base",
    "measure_disk",
    "open_dataset",
    "plan_deletion",
    "plan_publication",
    "plan_inspected",
    "plan_run",
    "promote",
    "publish_run",
    "publishing_trouble",
    "read_card",
    "read_dataset",
    "read_held_out",
    "read_log",
    "refresh_run",
    "resolve",
    "resume_run",
    "roll_back",
    "score_file",
    "share_run",
    "start_keeping",
    "start_pipeline",
    "start_run",
    "start_runs",
    "take_up_hired",
    "take_up_waiting",
    "wait_for_run",
]
