"""The only package that talks to Hub repos: publish, list, fetch. All of it goes through `huggingface_hub`.

    from lora_hub.hub import endpoint
    from lora_hub import hub
    endpoint.connect()                 # before huggingface_hub is imported anywhere: it reads HF_ENDPOINT at its import
    ref = hub.publish_adapter(folder, spec=spec, scores=scores, run_id=run_id)
    hub.list_adapters(task="spam"); hub.fetch_adapter("spam-built-in@v1")

`client` is the connection and how refusals are told, `rights` asks whether one may publish, `publish` writes, `listing`
reads facts, `fetch` brings files here. Tokens come from the environment of this process and are never logged.
"""

from lora_hub.hub.accounts import look_up
from lora_hub.hub.base_files import check_base, fetch_base, fetch_base_folder
from lora_hub.hub.cached_adapters import drop_adapters, trim_adapters
from lora_hub.hub.card.card_metadata import licence_of, spec_of
from lora_hub.hub.card.figures import draw as draw_figure
from lora_hub.hub.card.figures import figure_name, numbers_in
from lora_hub.hub.card.markdown import escape as escape_markdown
from lora_hub.hub.card.markdown import fence
from lora_hub.hub.client import acting_as, hub_kind, hub_url, own_token, owned, reaches_hub
from lora_hub.hub.collection import (
    Collection,
    add_to_collection,
    list_collections,
    read_collection,
    remove_from_collection,
)
from lora_hub.hub.composition import Composition, Ingredient
from lora_hub.hub.dataset import fetch_dataset, is_dataset_id
from lora_hub.hub.deleting import Deletion, delete_adapter, plan_deletion
from lora_hub.hub.dependents import Dependents, find_dependents, list_made_from
from lora_hub.hub.exported import check_push, push_export
from lora_hub.hub.fetch import (
    TOKENIZER_FILES,
    fetch_adapter,
    fetch_record,
    fetch_region,
    kept_region,
    read_adapter_record,
)
from lora_hub.hub.jobs import Job, cancel_job, find_payer, list_job_prices, read_job, read_job_lines, start_job
from lora_hub.hub.listing import (
    Version,
    check_owner,
    get_adapter,
    list_adapters,
    list_versions,
    read_adapter_config,
    read_card,
    read_card_scores,
    read_figures,
)
from lora_hub.hub.matrix_repo import read_matrix_file, write_matrix_file
from lora_hub.hub.naming import check_name, repo_name, version_number
from lora_hub.hub.production import Production, account_of, check_moving, look_at_production, move_production
from lora_hub.hub.promotion import LONGEST_REASON, Measured, Promotion, Side, name_of
from lora_hub.hub.publish import publish_adapter
from lora_hub.hub.record import damaged_record, files_before, files_of, make_record, parts_of
from lora_hub.hub.rights import check_publishing
from lora_hub.hub.run_repo import bring_files, look_into, make_run_repo, remove_run_repo, send_files
from lora_hub.hub.shelf import SORTS, Wanted, filter_adapters, headline
from lora_hub.hub.snippet import LONGEST_LABELS
from lora_hub.hub.snippet import write as write_snippet
from lora_hub.hub.space import (
    Asked,
    ProjectFiles,
    SpacePlan,
    Stage,
    deploy_space,
    package_files,
    plan_space,
    project_files,
    wait_for_space,
)
from lora_hub.hub.state import StateRepo
from lora_hub.hub.task_region import REGION_FILE, NoRegion, TaskRegion, read_region, write_region
from lora_hub.hub.unpublishing import put_back, unpublish_adapter
from lora_hub.hub.vote_files import read_votes, remove_votes, votes_repo, write_votes

__all__ = [
    "LONGEST_LABELS",
    "write_snippet",
    "Job",
    "LONGEST_REASON",
    "SORTS",
    "Side",
    "TOKENIZER_FILES",
    "NoRegion",
    "TaskRegion",
    "Asked",
    "Measured",
    "Production",
    "Promotion",
    "account_of",
    "check_moving",
    "look_at_production",
    "numbers_in",
    "move_production",
    "read_matrix_file",
    "write_matrix_file",
    "Collection",
    "Composition",
    "Deletion",
    "Dependents",
    "Ingredient",
    "ProjectFiles",
    "REGION_FILE",
    "SpacePlan",
    "Stage",
    "StateRepo",
    "Version",
    "Wanted",
    "acting_as",
    "adapter_config",
    "adapter_patterns",
    "add_to_collection",
    "bring_files",
    "cancel_job",
    "check_base",
    "check_push",
    "check_name",
    "check_owner",
    "check_publishing",
    "damaged_record",
    "delete_adapter",
    "deploy_space",
    "drop_adapters",
    "endpoint",
    "escape_markdown",
    "figure_name",
    "draw_figure",
    "fence",
    "fetch_adapter",
    "files_before",
    "files_of",
    "fetch_base",
    "fetch_base_folder",
    "fetch_dataset",
    "fetch_record",
    "fetch_region",
    "kept_region",
    "filter_adapters",
    "find_dependents",
    "find_payer",
    "get_adapter",
    "headline",
    "hub_kind",
    "hub_url",
    "is_dataset_id",
    "licence_of",
    "list_adapters",
    "list_collections",
    "list_made_from",
    "list_job_prices",
    "list_versions",
    "look_into",
    "look_up",
    "make_record",
    "make_run_repo",
    "name_of",
    "own_token",
    "owned",
    "package_files",
    "parts_of",
    "plan_deletion",
    "plan_space",
    "project_files",
    "publish_adapter",
    "push_export",
    "put_back",
    "reaches_hub",
    "read_adapter_record",
    "read_adapter_config",
    "read_card",
    "read_card_scores",
    "read_figures",
    "read_region",
    "read_collection",
    "read_job",
    "read_job_lines",
    "read_votes",
    "remove_from_collection",
    "remove_run_repo",
    "remove_votes",
    "repo_name",
    "send_files",
    "spec_of",
    "start_job",
    "unpublish_adapter",
    "version_number",
    "votes_repo",
    "wait_for_space",
    "trim_adapters",
    "write_region",
    "write_votes",
]
