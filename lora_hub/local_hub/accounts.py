"""Who may do what: users with tokens, organizations with roles.

From a YAML or JSON file, reread when it changes:
    users: {NAME: {token, fullname, email?}}
    orgs: {NAME: {fullname, members: {USER: admin|write|contributor|read}, private_by_default: bool}}
Without a file there is one local user, admin of one organization; its token lives in the owner-only file `token`.
"""

import hashlib
import hmac
import json
import os
import secrets
import threading
from dataclasses import dataclass
from pathlib import Path

from .faults import HubFault, forbidden, repo_missing
from .store import Repo

ROLES = ("admin", "write", "contributor", "read")
LOCAL_USER = "local"


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def local_token(folder: Path) -> str:
    """The local user's token, made at first start in a file that only its owner can read."""
    path = folder / "token"
    if not path.exists():
        temporary = folder / f".token-{os.getpid()}"
        with open(os.open(temporary, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as file:
            file.write("hf_" + secrets.token_hex(20))
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    return path.read_text().strip()


def _parse(file: Path) -> dict:
    """Raises ValueError without a word of the file in it: there are tokens there."""
    text = file.read_text(encoding="utf-8")
    if file.suffix == ".json":
        return json.loads(text)
    import yaml  # here, because a server without an accounts file starts sooner without it

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise ValueError(f"line {mark.line + 1} is not valid YAML" if mark else "it is not valid YAML") from None


@dataclass(frozen=True)
class Account:
    name: str
    fullname: str
    email: str


class Accounts:
    """Reads its file again when it changed. Tokens are held as hashes only and compared in constant time."""

    def __init__(self, folder: Path, file: Path | None, organization: str):
        self.file, self.stamp, self.lock = file, None, threading.Lock()
        if file is None:
            orgs = {organization: {"fullname": organization, "members": {LOCAL_USER: "admin"}}}
            self._take({"users": {LOCAL_USER: {"token": local_token(folder), "fullname": "Local user"}}, "orgs": orgs})
        else:
            self._refresh()

    def _take(self, data: dict) -> None:
        users = {str(name): user or {} for name, user in (data.get("users") or {}).items()}
        self.users = {n: Account(n, str(u.get("fullname") or n), str(u.get("email") or "")) for n, u in users.items()}
        self.tokens = [(_digest(str(u["token"])), name) for name, u in users.items() if u.get("token")]
        self.orgs = {str(name): org or {} for name, org in (data.get("orgs") or {}).items()}
        for org, value in self.orgs.items():
            for user, role in (value.get("members") or {}).items():
                if role not in ROLES:
                    raise ValueError(f"{user}'s role in {org} is {role!r}; it is one of {', '.join(ROLES)}")

    def _refresh(self) -> None:
        if self.file is None:
            return
        status = self.file.stat()
        with self.lock:
            if (stamp := (status.st_mtime_ns, status.st_size, status.st_ino)) != self.stamp:
                self._take(_parse(self.file) or {})
                self.stamp = stamp

    def identify(self, authorization: str | None) -> Account | None:
        """The account behind an Authorization header; None without one. HubFault 401 for a token nobody has."""
        if not authorization:
            return None
        try:
            self._refresh()
        except (OSError, ValueError, AttributeError, TypeError) as error:
            raise HubFault(500, f"The accounts file cannot be read: {error}") from error
        kind, _, token = authorization.partition(" ")
        given, found = _digest(token.strip()), None
        for digest, name in self.tokens:
            if hmac.compare_digest(digest, given):
                found = name
        if kind.lower() != "bearer" or found is None:
            raise HubFault(401, "Invalid credentials in Authorization header")
        return self.users[found]

    def find_namespace(self, name: str) -> str | None:
        """The name as it is written in the accounts, found in any case."""
        return next((n for n in (*self.users, *self.orgs) if n.lower() == name.lower()), None)

    def role(self, user: Account | None, namespace: str) -> str:
        """admin, write, contributor or read; "" for a stranger."""
        if user is None:
            return ""
        if user.name.lower() == namespace.lower():
            return "admin"
        org = next((org for name, org in self.orgs.items() if name.lower() == namespace.lower()), None)
        if org is None:  # without a file all is the local user's, also what an earlier organization left
            return "admin" if self.file is None else ""
        return (org.get("members") or {}).get(user.name, "")

    def can_read(self, user: Account | None, repo: Repo) -> bool:
        return not repo.private or self.role(user, repo.namespace) != ""

    def can_write(self, user: Account | None, repo: Repo) -> bool:
        role = self.role(user, repo.namespace)
        return role in ("admin", "write") or role == "contributor" and user is not None and repo.creator == user.name

    def check_read(self, user: Account | None, repo: Repo | None) -> Repo:
        """Raises RepoNotFound for what a caller may not see, as for what is not there."""
        if repo is None or not self.can_read(user, repo):
            raise repo_missing()
        return repo

    def check_write(self, user: Account | None, repo: Repo | None) -> Repo:
        repo = self.check_read(user, repo)
        if user is None:
            raise HubFault(401, f"Log in with a token to write to {repo.full_name}")
        if not self.can_write(user, repo):
            raise forbidden(f"You don't have the rights to write to {repo.full_name}")
        return repo

    def check_create(self, user: Account | None, organization: str | None) -> str:
        """The namespace to create in, as it is written. Raises 401 without a user, 403 without the right."""
        if user is None:
            raise HubFault(401, "Log in with a token to create a repository")
        namespace = self.find_namespace(organization) if organization else user.name
        if namespace is None or self.role(user, namespace) not in ("admin", "write", "contributor"):
            raise forbidden(f"You don't have the rights to create a repository under the namespace {organization!r}")
        return namespace

    def whoami(self, user: Account) -> dict:
        orgs = [{"type": "org", "name": name, "fullname": org.get("fullname") or name, "email": None, "avatarUrl": "",
                 "isEnterprise": False, "canPay": False, "periodEnd": None, "roleInOrg": role}
                for name, org in self.orgs.items() if (role := self.role(user, name))]
        token = {"type": "access_token", "accessToken": {"displayName": "local", "role": "write", "createdAt": "2022-03-02T23:29:04.000Z"}}
        return {"type": "user", "id": hashlib.sha256(user.name.encode()).hexdigest()[:24], "name": user.name, "fullname": user.fullname,
                "email": user.email, "emailVerified": bool(user.email), "canPay": False, "isPro": False, "periodEnd": None,
                "avatarUrl": "", "orgs": orgs, "auth": token}
