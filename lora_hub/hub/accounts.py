"""Who a token belongs to, as the Hub tells it."""

from lora_hub.core.messages import _
from lora_hub.hub.client import open_api, told
from lora_hub.people import Person


def look_up(token: str) -> Person | None:
    """The person of a token, with their organizations and roles; None where the Hub does not accept it. Raises HubError
    where it cannot be asked."""
    from huggingface_hub.errors import HfHubHTTPError

    with told(_("say who somebody is")):
        try:
            account = open_api(token).whoami()
        except HfHubHTTPError as error:
            if error.response.status_code in (401, 403):
                return None
            raise
    roles = {one["name"]: one.get("roleInOrg") or "read" for one in account.get("orgs", [])}
    avatar = str(account.get("avatarUrl") or "")
    return Person(
        id=account["name"],
        name=str(account.get("fullname") or account["name"]),
        avatar=avatar if avatar.startswith("https://") else "",
        roles=roles,
        token=token,
    )
