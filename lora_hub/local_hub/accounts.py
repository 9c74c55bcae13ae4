"""Users with tokens, organizations with roles, and their rights.

They come from a YAML or JSON file, which is read again when it changes:
    users: {NAME: {token, fullname, email?}}
    orgs: {NAME: {fullname, members: {USER: admin|write|contributor|read}, private_by_default: bool}}
    oauth: {CLIENT_ID: {secret, redirect: [URL, ..], fullname?}}, the apps that users may sign in to (see oidc)
Without a file there is one user `local` with all rights; its token is in `token`, a file that only its owner can read.
"""

import hashlib
import hmac
import json
import logging
import re
import secrets
import time
from collections import namedtuple
from math import inf
from pathlib import Path
from typing import Any

from ..core.errors import SpecError
from .faults import refuse
from .folder import write_whole
from .store import Repo

ROLES = {"admin", "write", "contributor", "read"}
# Characters that are valid in an address, and in a header.
NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9_])?")


class Account(namedtuple("Account", "name fullname email scopes", defaults=[None])):
    """`scopes`: the rights of the app that acts for this user; None if the user acts directly."""

    @property
    def writes(self) -> bool:
        return self.scopes is None or "write-repos" in self.scopes or "manage-repos" in self.scopes


def digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


# For each part of the file: the required fields of an entry, and the types of all its fields.
FORMS = {
    "users": (("token",), {"fullname": str, "email": str}),
    "orgs": (("members",), {"members": dict, "fullname": str, "private_by_default": bool}),
    "oauth": ((), {"secret": str, "redirect": list, "fullname": str}),
}
KINDS = {
    dict: "a mapping of names to values",
    list: "a list",
    str: "a text: put it in quotation marks",
    bool: "true or false",
}


def _entries(data: dict, part: str) -> dict[str, dict]:
    """The entries of a part by name. Raises ValueError if one has another form. The message quotes neither names nor
    values, because one may be a token."""
    required, kinds = FORMS[part]
    entries = {}
    for number, (name, entry) in enumerate(_of_kind(data.get(part) or {}, dict, f"{part!r}").items(), 1):
        where = f"entry {number} of {part!r}"
        _of_kind(entry, dict, where)
        for key in required:
            if key not in entry or entry[key] is None and key in kinds:
                raise ValueError(f"{where} has no {key!r}")
        for key, kind in kinds.items():
            if entry.get(key) is not None:
                _of_kind(entry[key], kind, f"{key!r} in {where}")
        given = {key: value for key, value in entry.items() if value is not None or key not in kinds}
        entries[str(name)] = {"fullname": str(name), **given}
    return entries


def _of_kind(value: object, kind: type, where: str) -> Any:
    if not isinstance(value, kind):
        raise ValueError(f"{where} is not {KINDS[kind]}")
    return value


def _once(pairs: list[tuple[str, object]]) -> dict:
    """A JSON object in which no key may occur twice."""
    if len(dict(pairs)) < len(pairs):
        raise ValueError("an object has a key twice")
    return dict(pairs)


def _check_names(names: list[str]) -> None:
    """Raises ValueError if a name is not valid in an address, or if two are the same. The name is not quoted: a
    misplaced token may stand there."""
    if not all(NAME.fullmatch(name) for name in names):
        raise ValueError("the name of a user or an organization has other than letters, digits, `-`, `_` and `.`")
    if len({name.lower() for name in names}) < len(names):
        raise ValueError("two of the users and organizations have the same name")


def _check_tokens(users: dict[str, dict]) -> None:
    """Raises ValueError if a token is not a text, or if two users have the same token."""
    owners: dict[str, str] = {}
    for name, user in users.items():
        token = user["token"]
        if token and not isinstance(token, str):
            raise ValueError(f"the token of {name} is no text: put it in quotation marks")
        if token and owners.setdefault(token, name) != name:
            raise ValueError(f"{owners[token]} and {name} have the same token")


def user_id(name: str) -> str:
    """The id of a user or an organization."""
    return digest(name).hex()[:24]


class Accounts:
    """Raises SpecError if the file is invalid at the start. The file is read again when it changes; an invalid change
    is logged, and the previous accounts stay in force.

    Only hashes of the Authorization headers with tokens are kept, and compared in constant time: `tokens` of users and
    `granted` of apps, each with its account and expiry.
    """

    def __init__(self, folder: Path, file: Path | None, organization: str):
        self.file, self.stamp, self.granted = file, None, {}
        if file is None:
            if not (kept := folder / "token").exists():
                write_whole(kept, "hf_" + secrets.token_hex(20))
            self._take(
                {
                    "users": {"local": {"token": kept.read_text().strip()}},
                    "orgs": {organization: {"members": {"local": "admin"}}},
                }
            )
            return
        self.stamp = self._look()
        if why := self._read():
            raise SpecError(
                f"The accounts file {file} cannot be used: {why}.", "Put it right, or give another one as --accounts."
            )

    def _take(self, data: dict) -> None:
        """Takes over the contents of a file: all of it or, if this raises, nothing."""
        _of_kind(data, dict, "it")
        users, orgs, apps = (_entries(data, part) for part in FORMS)
        _check_names([*users, *orgs])
        _check_tokens(users)
        for name, org in orgs.items():
            if not all(isinstance(role, str) and role in ROLES for role in org["members"].values()):
                raise ValueError(f"a member of {name} has another role than {', '.join(sorted(ROLES))}")
            if not users.keys() >= set(map(str, org["members"])):
                raise ValueError(f"a member of {name} is none of the users")
        accounts = {name: Account(name, user["fullname"], user.get("email", "")) for name, user in users.items()}
        tokens = {
            digest(f"Bearer {user['token']}"): (accounts[name], inf) for name, user in users.items() if user["token"]
        }
        self.users, self.orgs, self.apps, self.tokens = accounts, orgs, apps, tokens

    def _look(self) -> tuple[int, int] | None:
        """A stamp that changes with the file; None if there is no file."""
        try:
            status = self.file.stat()
        except OSError:
            return None
        return status.st_ctime_ns, status.st_size

    def _read(self) -> str:
        """Takes over the file. Returns the reason if that fails, without quoting the file, because it contains
        tokens."""
        import yaml  # here, because a server without an accounts file starts sooner without it

        from ..core import bounded_yaml

        try:
            text = self.file.read_text(encoding="utf-8")
            is_json = self.file.suffix == ".json"
            self._take(json.loads(text, object_pairs_hook=_once) if is_json else bounded_yaml.load(text))
        except bounded_yaml.DoubledKey as error:
            return f"line {error.problem_mark.line + 1} gives a key for the second time"
        except bounded_yaml.Unbounded as error:
            return f"line {error.problem_mark.line + 1} goes beyond what is read: {error.problem}"
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            return f"line {mark.line + 1} is not valid YAML" if mark else "it is not valid YAML"
        except json.JSONDecodeError as error:
            return f"line {error.lineno} is not valid JSON"
        except UnicodeDecodeError:
            return "it is not UTF-8"
        except RecursionError:
            return "it is nested too deeply"
        except OSError as error:
            return error.strerror or "it cannot be read"
        except ValueError as error:
            return str(error)
        return ""

    def _refresh(self) -> None:
        """Reads the file again if it has changed."""
        if self.file is None or (stamp := self._look()) == self.stamp:
            return
        self.stamp = stamp
        if why := self._read():
            logging.error("The accounts file %s cannot be used: %s. The accounts stay as they were.", self.file, why)
        else:
            logging.info("The accounts file %s was read again", self.file)

    def identify(self, authorization: str) -> Account | None:
        """The account of an Authorization header; None without one. Raises HubFault 401 for an unknown token."""
        self._refresh()
        if not authorization.startswith("Bearer "):  # an app sends its own secret as Basic, to oidc.token
            return None
        asked, held = digest(authorization), self.tokens | self.granted
        found = [
            user for known, (user, until) in held.items() if hmac.compare_digest(known, asked) and until > time.time()
        ]
        refuse(not found or found[0].name not in self.users, 401, "Invalid credentials in Authorization header")
        return found[0]

    def find_namespace(self, name: str) -> str | None:
        """The name as spelled in the accounts; letter case does not matter."""
        return next((known for known in (*self.users, *self.orgs) if known.lower() == name.lower()), None)

    def about(self, name: str) -> dict:
        """A user or an organization, as shown for an owner."""
        return {"id": user_id(name), "name": name, "type": "org" if name in self.orgs else "user"}

    def role(self, user: Account | None, namespace: str) -> str:
        """admin, write, contributor or read; "" for a stranger. An app has at most the rights that its user granted."""
        if user is None:
            return ""
        name = self.find_namespace(namespace)
        members = self.orgs[name]["members"] if name in self.orgs else {name: "admin"}
        role = "admin" if self.file is None else members.get(user.name, "")
        return role if user.writes else "read" if role and "read-repos" in user.scopes else ""

    def can_read(self, user: Account | None, repo: Repo) -> bool:
        return not repo.private or self.role(user, repo.namespace) != ""

    def can_write(self, user: Account | None, repo: Repo) -> bool:
        role = self.role(user, repo.namespace)
        return role in ("admin", "write") or role == "contributor" and repo.creator == user.name

    def check_create(self, user: Account, owner: str | None) -> str:
        """The namespace to create in, as spelled in the accounts. Raises HubFault 403 without the right."""
        namespace = self.find_namespace(owner or user.name)
        refuse(
            not namespace or self.role(user, namespace) in ("", "read"),
            403,
            f"You have no rights to create anything in {owner!r}",
        )
        return namespace

    def whoami(self, user: Account) -> dict:
        orgs = [
            {"name": name, "fullname": org["fullname"], "roleInOrg": org["members"][user.name]}
            for name, org in self.orgs.items()
            if user.name in org["members"]
        ]
        return {
            "type": "user",
            "id": user_id(user.name),
            "name": user.name,
            "fullname": user.fullname,
            "email": user.email,
            "orgs": orgs,
            "auth": {"accessToken": {"displayName": "token", "role": "write"}},
        }
