"""Who may do what: users with tokens, organizations with roles.

From a YAML or JSON file, reread when it changes:
    users: {NAME: {token, fullname, email?}}
    orgs: {NAME: {fullname, members: {USER: admin|write|contributor|read}, private_by_default: bool}}
    oauth: {CLIENT_ID: {secret, redirect: [URL, ..], name?}}, the apps that users may sign in to (see oidc)
Without a file there is one local user, admin of one organization; its token lives in the owner-only file `token`.
"""

import hashlib
import hmac
import json
import secrets
import threading
import time
from collections import namedtuple
from collections.abc import Iterable
from pathlib import Path

from .faults import HubFault
from .store import Repo, write_whole

ROLES = ("admin", "write", "contributor", "read")
LOCAL_USER = "local"


class Account(namedtuple("Account", "name fullname email scopes", defaults=[None])):
    """`scopes`: what an app may that the user signed in to; None where it is the user who asks."""

    @property
    def writes(self) -> bool:
        return self.scopes is None or not self.scopes.isdisjoint({"write-repos", "manage-repos"})


def local_token(folder: Path, name: str = "token") -> str:
    """The local user's token (or another secret), made once in a file that only its owner can read."""
    if not (path := folder / name).exists() or not path.stat().st_size:
        write_whole(path, "hf_" + secrets.token_hex(20))
    return path.read_text().strip()


def digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def user_id(name: str) -> str:
    """The id of a user or an organization."""
    return digest(name).hex()[:24]


def read_accounts(file: Path) -> dict:
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


class Accounts:
    """Reads its file again when it changed. Tokens are held as hashes only and compared in constant time."""

    def __init__(self, folder: Path, file: Path | None, organization: str):
        self.file, self.stamp, self.lock = file, None, threading.Lock()
        self.granted: dict[bytes, tuple[str, frozenset[str], float]] = {}  # an app's tokens: user, scopes, until
        if file is not None:
            self._refresh()
            return
        orgs = {organization: {"fullname": organization, "members": {LOCAL_USER: "admin"}}}
        self._take({"users": {LOCAL_USER: {"token": local_token(folder), "fullname": "Local user"}}, "orgs": orgs})

    def _take(self, data: dict) -> None:
        users = {str(name): user or {} for name, user in (data.get("users") or {}).items()}
        self.users = {n: Account(n, str(u.get("fullname") or n), str(u.get("email") or "")) for n, u in users.items()}
        self.tokens = [(digest(str(user["token"])), name) for name, user in users.items() if user.get("token")]
        blank = {"secret": secrets.token_hex(), "redirect": []}
        self.clients = {str(id): {"name": id, **blank, **line} for id, line in (data.get("oauth") or {}).items()}
        self.orgs = {str(name): {"fullname": name, "members": {}} | (org or {}) for name, org in (data.get("orgs") or {}).items()}
        roles = [(user, org, role) for org, value in self.orgs.items() for user, role in value["members"].items()]
        if wrong := next((line for line in roles if line[2] not in ROLES), None):
            raise ValueError("{}'s role in {} is {!r}; it is one of {}".format(*wrong, ", ".join(ROLES)))

    def _refresh(self) -> None:
        with self.lock:
            status = self.file.stat()
            if (stamp := (status.st_mtime_ns, status.st_size, status.st_ino)) != self.stamp:
                self._take(read_accounts(self.file) or {})
                self.stamp = stamp

    def identify(self, authorization: str | None) -> Account | None:
        """The account behind an Authorization header; None without one. HubFault 401 for a token nobody has."""
        if not authorization:
            return None
        try:
            if self.file is not None:
                self._refresh()
        except (OSError, ValueError, AttributeError, TypeError) as error:
            raise HubFault(500, f"The accounts file cannot be read: {error}") from error
        kind, _, token = authorization.partition(" ")
        asked = digest(token.strip())
        found = [name for known, name in self.tokens if hmac.compare_digest(known, asked)]
        name, scopes, until = self.granted.get(asked) or (found[0] if found else "", None, 0.0)
        if kind.lower() != "bearer" or name not in self.users or scopes is not None and until < time.time():
            raise HubFault(401, "Invalid credentials in Authorization header")
        return self.users[name]._replace(scopes=scopes)

    def grant(self, user: str, scopes: Iterable[str], seconds: float) -> str:
        """A token for an app, good for a while and for what the scopes name."""
        token = "hf_oauth_" + secrets.token_urlsafe(32)
        self.granted[digest(token)] = user, frozenset(scopes), time.time() + seconds
        return token

    def find_namespace(self, name: str) -> str | None:
        """The name as it is written in the accounts, found in any case."""
        return next((n for n in (*self.users, *self.orgs) if n.lower() == name.lower()), None)

    def about(self, name: str) -> dict:
        """A user or an organization as the owner of something."""
        return {"id": user_id(name), "name": name, "type": "org" if name in self.orgs else "user"}

    def role(self, user: Account | None, namespace: str) -> str:
        """admin, write, contributor or read; "" for a stranger. An app has at most what its user allowed it."""
        if user is None:
            return ""
        name = self.find_namespace(namespace)
        # without a file all is the local user's, also what an organization of an earlier start left
        role = "admin" if name == user.name or name is None and self.file is None else ""
        role = self.orgs[name]["members"].get(user.name, "") if name in self.orgs else role
        return role if user.writes else "read" if role and "read-repos" in user.scopes else ""

    def can_read(self, user: Account | None, repo: Repo) -> bool:
        return not repo.private or self.role(user, repo.namespace) != ""

    def can_write(self, user: Account | None, repo: Repo) -> bool:
        role = self.role(user, repo.namespace)
        return role in ("admin", "write") or role == "contributor" and user is not None and repo.creator == user.name

    def check_create(self, user: Account, owner: str | None) -> str:
        """The namespace to create in, as it is written. Raises 403 without the right."""
        namespace = self.find_namespace(owner or user.name)
        if namespace is None or self.role(user, namespace) not in ("admin", "write", "contributor"):
            raise HubFault(403, f"You don't have the rights to create anything under the namespace {owner!r}")
        return namespace

    def whoami(self, user: Account) -> dict:
        orgs = [{"type": "org", "name": name, "fullname": org["fullname"], "avatarUrl": "", "roleInOrg": role}
                for name, org in self.orgs.items() if (role := org["members"].get(user.name))]
        token = {"displayName": "token", "role": "write", "createdAt": "2022-03-02T23:29:04.000Z"}
        return {"type": "user", "id": user_id(user.name), "name": user.name, "fullname": user.fullname, "email": user.email,
                "isPro": False, "canPay": False, "avatarUrl": "", "orgs": orgs, "auth": {"type": "access_token", "accessToken": token}}
