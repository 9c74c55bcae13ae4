"""What a person should know before a deployment, each in a sentence; nothing where there is nothing to know."""

from lora_hub.core import settings
from lora_hub.core.messages import NOTHING, Message, _, _n, several
from lora_hub.hub.space.files import ProjectFiles

ZERO_GPU = "zero-a10g"
# The variables that say where the app stores what it has, and in which repo it keeps that.
HOME, STATE = "LORA_HUB_HOME", "LORA_HUB_STATE"
NAMED_FILES = 8


def notice_files(files: ProjectFiles) -> Message:
    if not files.left:
        return NOTHING
    return _n(
        "{names} stays here: it is a link, or git does not track it.",
        "{names} stay here: they are links, or git does not track them.",
        count=len(files.left),
        names=several(files.left, "and", most=NAMED_FILES),
    )


def notice_edited(edited: list[str], commit: str) -> Message:
    """commit: the Space's last before the deployment."""
    if not edited:
        return NOTHING
    return _n(
        "{names} was changed on the Space and is replaced by ours; what it was stays in the commit {commit}.",
        "{names} were changed on the Space and are replaced by ours; what they were stays in the commit {commit}.",
        count=len(edited),
        names=several(edited, "and", most=NAMED_FILES),
        commit=commit[:8],
    )


def notice_removed(removed: tuple[str, ...]) -> Message:
    """Programs that a version no longer has are no news; all else came from a folder of somebody's."""
    others = [path for path in removed if not path.startswith("lora_hub/") or not path.endswith(".py")]
    if not others:
        return NOTHING
    return _n(
        "{names}, which an earlier deployment left there, is removed. The Space's history still has it: replace the "
        "secrets that were in it.",
        "{names}, which an earlier deployment left there, are removed. The Space's history still has them: replace "
        "the secrets that were in them.",
        count=len(others),
        names=several(others, "and", most=NAMED_FILES),
    )


def notice_visibility(repo_id: str, was: str, asked: str) -> Message:
    if asked and asked != was:
        return (
            _("{repo} is private and becomes public: anybody may open its address.", repo=repo_id)
            if was == "private"
            else _("{repo} is public and becomes private.", repo=repo_id)
        )
    if was == "public" and not asked:
        return _(
            "{repo} is public and stays so: anybody may open its address. --private makes it private; --public says "
            "that this is meant.",
            repo=repo_id,
        )
    return NOTHING


def notice_zero_gpu(hardware: str, with_jobs: bool) -> Message:
    if hardware != ZERO_GPU or with_jobs:
        return NOTHING
    return _("On ZeroGPU a question gets a GPU and a training does not. --jobs lets people train on hired hardware.")


def notice_state(variables: dict[str, str]) -> Message:
    if {HOME, STATE} & set(variables):
        return NOTHING
    return _(
        "What the app stores is lost when the Space restarts. --storage keeps it on a disk; {variable}, set to a "
        "token of the Space's own, keeps it in a private repo.",
        variable=settings.SERVICE_TOKEN,
    )
