"""Sign in with this Hub: OpenID Connect by authorization codes, as Gradio's LoginButton (authlib) speaks it.

A client is a line `oauth: {ID: {secret, redirect: [URL, ..], name?}}` of the accounts file, or a Space whose card says
`hf_oauth: true`: `GET /api/spaces/{repo}/oauth` gives those who write to it the environment that its app starts with.
Who approves types a token in, each time: there is no cookie, so no other page can approve in anyone's name. Codes,
granted tokens and the signing key live in memory only. Signing needs `joserfc`, which comes with `gradio[oauth]`.
"""

import base64
import hmac
import re
import secrets
import time
from collections import namedtuple
from contextlib import suppress
from urllib.parse import urlencode

from starlette.responses import RedirectResponse, Response

from .accounts import Account, digest, local_token, user_id
from .app import Call, HubFault, refuse, route
from .pages import page
from .store import Repo

CODE_SECONDS, TOKEN_SECONDS = 60, 8 * 3600
SCOPES = {"openid": "know who you are", "profile": "see your name and your organizations", "email": "see your address",
          "read-repos": "read what you may read", "write-repos": "read and change repositories in your name",
          "manage-repos": "create, change and delete repositories in your name", "jobs": "run jobs in your name"}
LOOPBACK = r"http://(127\.0\.0\.1|localhost|\[::1\])(:\d{1,5})?/[^\s\\#]*"
Client = namedtuple("Client", "id secret name redirect scopes")  # redirect: matches where its codes may be sent


def _of_space(call: Call, repo: Repo) -> Client | None:
    """A Space's own client. Its app runs on this machine, or on the host that its variable SPACE_HOST names."""
    card = repo.known.get("cardData") or {}
    host = call.store.document(repo.id, "variable", "SPACE_HOST").get("value")
    redirect = rf"{LOOPBACK}|https://{re.escape(host)}/[^\s\\#]*" if host else LOOPBACK
    secret = hmac.digest(local_token(call.store.folder, "oauth-secret").encode(), repo.uid.encode(), "sha256").hex()
    scopes = {*re.findall(r"[\w-]+", f"openid profile {card.get('hf_oauth_scopes')}")} & SCOPES.keys()
    return Client(repo.uid, secret, repo.full_name, redirect, scopes) if card.get("hf_oauth") is True else None


def _client(call: Call, id: str) -> Client | None:
    if line := call.accounts.clients.get(id):
        redirect = rf"(?=.)({'|'.join(map(re.escape, line['redirect']))})(\?[^\s#]*)?"
        return Client(id, str(line["secret"]), str(line["name"]), redirect, SCOPES.keys())
    found = call.store.repos("uid = ? AND type = 'space'", id)
    return _of_space(call, found[0]) if found else None


@route("GET", "/api/{type:spaces}/{repo}/oauth", "write")
def environment(call: Call) -> dict:
    """What the app of a Space is started with; the secret stays the same."""
    refuse((client := _of_space(call, call.repo)) is None, 404, f"The card of {call.repo.full_name} does not say hf_oauth: true")
    return {"SYSTEM": "spaces", "SPACE_ID": client.name, "OPENID_PROVIDER_URL": call.base_url, "OAUTH_CLIENT_ID": client.id,
            "OAUTH_CLIENT_SECRET": client.secret, "OAUTH_SCOPES": " ".join(s for s in SCOPES if s in client.scopes)}


@route("GET", "/.well-known/openid-configuration", "any")
def metadata(call: Call) -> dict:
    at = f"{call.base_url}/oauth/"
    return {"issuer": call.base_url, "jwks_uri": f"{at}jwks", "userinfo_endpoint": f"{at}userinfo",
            "authorization_endpoint": f"{at}authorize", "token_endpoint": f"{at}token", "scopes_supported": [*SCOPES],
            "response_types_supported": ["code"], "subject_types_supported": ["public"],
            "code_challenge_methods_supported": ["S256"], "id_token_signing_alg_values_supported": ["RS256"]}


def _key(call: Call):
    from joserfc.jwk import RSAKey

    if not call.hub.keys:
        call.hub.keys.setdefault("RS256", RSAKey.generate_key(2048, {"use": "sig", "alg": "RS256"}, auto_kid=True))
    return call.hub.keys["RS256"]


@route("GET", "/oauth/jwks", "any")
def jwks(call: Call) -> dict:
    return {"keys": [_key(call).as_dict(private=False)]}


def _asked(call: Call, given: dict[str, str]) -> tuple[Client, list[str]]:
    """(client, scopes) of a request to sign in. What is wrong is told here, never sent to the address that is given."""
    client, address = _client(call, given.get("client_id", "")), given.get("redirect_uri", "")
    if client is None or not re.fullmatch(client.redirect, address):
        raise HubFault(400, f"No app is registered here with this client_id and the address {address!r}")
    if given.get("response_type") != "code" or given.get("code_challenge_method", "S256") != "S256":
        raise HubFault(400, "Only response_type=code is possible, with code_challenge_method=S256 or none")
    if unknown := set(scopes := given.get("scope", "openid profile").split()) - client.scopes:
        raise HubFault(400, f"{client.name} asks for scopes that it may not have: {', '.join(sorted(unknown))}")
    return client, scopes


@route("GET", "/oauth/authorize", "any")
def authorize(call: Call) -> Response:
    client, scopes = _asked(call, asked := dict(call.query))
    file = None if call.accounts.file else call.store.folder / "token"
    return page("sign_in", f"Sign in to {client.name}", able=[SCOPES[scope] for scope in scopes], asked=asked, file=file)


@route("POST", "/oauth/authorize", "any", "login")
def approve(call: Call) -> Response:
    client, scopes = _asked(call, given := dict(call.body))
    if (user := call.accounts.identify(f"Bearer {given.get('token')}")).scopes is not None:
        raise HubFault(403, "An app's own token cannot let other apps in")
    code, asked = secrets.token_urlsafe(32), (client.id, given["redirect_uri"], given.get("code_challenge", ""))
    call.hub.codes[code] = time.time() + CODE_SECONDS, asked, user.name, scopes, given.get("nonce", "")
    answer = urlencode({"code": code, **({"state": given["state"]} if "state" in given else {})})
    return RedirectResponse(f"{given['redirect_uri']}{'&' if '?' in given['redirect_uri'] else '?'}{answer}", 303)


@route("POST", "/oauth/token", "any", "login")
def token(call: Call) -> dict:
    """A code, once, against an access token and an id_token."""
    given, (kind, _, basic) = dict(call.body), call.request.headers.get("authorization", "").partition(" ")
    id, secret, verifier, now = *(given.get(n, "") for n in ("client_id", "client_secret", "code_verifier")), time.time()
    if kind.lower() == "basic":
        with suppress(ValueError):
            id, _, secret = base64.b64decode(basic).decode().partition(":")
    if (client := _client(call, id)) is None or not hmac.compare_digest(digest(client.secret), digest(secret)):
        raise HubFault(401, "The app's id or secret is wrong", body={"error": "invalid_client"}, WWW_Authenticate="Basic")
    challenge = base64.urlsafe_b64encode(digest(verifier)).decode().rstrip("=") if verifier else ""
    until, asked, name, scopes, nonce = call.hub.codes.pop(given.get("code"), (0, (), "", [], ""))
    sent = client.id, given.get("redirect_uri"), challenge
    if given.get("grant_type") != "authorization_code" or until < now or asked != sent:
        raise HubFault(400, "The code is not, or not any more, good for this request", body={"error": "invalid_grant"})
    access, about = call.accounts.grant(name, scopes, TOKEN_SECONDS), {"expires_in": TOKEN_SECONDS, "scope": " ".join(scopes)}
    answer = {"access_token": access, "token_type": "bearer", **about}
    if "openid" in scopes:  # without the organizations: apps keep all this in a cookie of at most 4 KB
        from joserfc import jwt

        facts = {"iss": call.base_url, "aud": client.id, "iat": int(now), "exp": int(now) + TOKEN_SECONDS}
        facts |= _facts(call, call.accounts.identify(f"Bearer {access}")) | {"nonce": nonce}
        answer["id_token"] = jwt.encode({"alg": "RS256", "kid": _key(call).kid}, facts, _key(call))
    call.headers["Cache-Control"] = "no-store"
    return answer


def _facts(call: Call, user: Account) -> dict:
    may = user.scopes or SCOPES
    email = {"email": user.email} if "email" in may and user.email else {}
    profile = {"preferred_username": user.name, "name": user.fullname, "profile": f"{call.base_url}/{user.name}", "picture": ""}
    return {"sub": user_id(user.name), **email, **(profile if "profile" in may else {})}


@route("GET", "/oauth/userinfo", "user")
def userinfo(call: Call) -> dict:
    orgs = [{"sub": user_id(org["name"]), "preferred_username": org["name"], "name": org["fullname"], "roleInOrg": org["roleInOrg"],
             "isEnterprise": False, "picture": org["avatarUrl"]} for org in call.accounts.whoami(call.user)["orgs"]]
    return (facts := _facts(call, call.user)) | ({"orgs": orgs} if "name" in facts else {})
