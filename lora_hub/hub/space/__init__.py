"""A Space that runs this app: which of our files go there, what a deployment would change, and doing it.

plan = plan_space(Asked("org/lora-hub"), project_files())     reads only
deploy_space(plan); wait_for_space(plan.repo_id, ...)
"""

from lora_hub.hub.space.deploy import Stage, deploy_space, wait_for_space
from lora_hub.hub.space.files import ProjectFiles, package_files, project_files
from lora_hub.hub.space.plan import Asked, SpacePlan, plan_space

__all__ = [
    "Asked",
    "ProjectFiles",
    "SpacePlan",
    "Stage",
    "deploy_space",
    "package_files",
    "plan_space",
    "project_files",
    "wait_for_space",
]
