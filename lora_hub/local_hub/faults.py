"""Refusals in the Hub's own form: a status, a sentence and, where the client looks for one, an `X-Error-Code`."""


class HubFault(Exception):
    """What a handler raises to refuse. `body` goes into the JSON answer beside `error`."""

    def __init__(self, status: int, message: str, code: str = "", body: dict | None = None, **headers: str):
        super().__init__(message)
        self.status, self.message, self.code, self.body = status, message, code, body or {}
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


def repo_missing() -> HubFault:
    return HubFault(404, "Repository not found", "RepoNotFound")


def revision_missing(revision: str) -> HubFault:
    return HubFault(404, f"Invalid rev id: {revision}", "RevisionNotFound")


def entry_missing(path: str, commit: str) -> HubFault:
    return HubFault(404, f'Entry not found: "{path}"', "EntryNotFound", X_Repo_Commit=commit)
