"""Sign in with this Hub: OpenID Connect with authorization codes, as Gradio's LoginButton (authlib) uses it.

An app is a line of the accounts file: `oauth: {ID: {secret, redirect: [URL, ..], fullname?}}`. A redirect is the full
address that codes are sent to, without a query; for a Gradio app `http://HOST:PORT/login/callback`. To approve, a user
types in a token each time. There is no cookie, so no other page can approve in their name. Codes, granted tokens and
the signing key are in memory only. `joserfc`, which signs, comes with `gradio[oauth]` and is imported at the first
sign-in.
"""

import base64
import hmac
import secrets
import time
from functools import cache

from starlette.datastructures import URL
from starlette.responses import RedirectResponse, Response

from .accounts import Account, digest, user_id
from .calls import Call, route
from .faults import HubFault, refuse
from .pages import page

CODE_SECONDS, TOKEN_SECONDS = 60, 8 * 3600
SCOPES = {
    "openid": "know who you are",
    "profile": "see your name and your organizations",
    "email": "see your address",
    "read-repos": "read what you may read",
    "write-repos": "read and change repositories in your name",
    "manage-repos": "create, change and delete repositories in your name",
    "jobs": "run jobs in your name",
}


@route("GET", "/[.]well-known/openid-configuration", "any")
def metadata(call: Call) -> dict:
    at = f"{call.base_url}/oauth/"
    return {
        "issuer": call.base_url,
        "authorization_endpoint": f"{at}authorize",
        "token_endpoint": f"{at}token",
        "userinfo_endpoint": f"{at}userinfo",
        "jwks_uri": f"{at}jwks",
    }


@cache
def _key():
    from joserfc.jwk import RSAKey

    return RSAKey.generate_key(2048, {"use": "sig", "alg": "RS256"}, auto_kid=True)


@route("GET", "/oauth/jwks", "any")
def jwks(call: Call) -> dict:
    return {"keys": [_key().as_dict(private=False)]}


def _asked(call: Call, given: dict[str, str]) -> tuple[str, list[str]]:
    """(name of the app, scopes) of a sign-in request. Errors are shown here, never sent to the address in the
    request."""
    app, address = call.accounts.apps.get(given.get("client_id"), {}), given.get("redirect_uri", "")
    known = address.partition("?")[0] in list(app.get("redirect", []))
    refuse(
        not known,
        400,
        f"No app is registered here with this client_id and the address {address!r}. Open the app under an address "
        "that is registered, or add this one to `redirect` in the accounts file",
    )
    scopes = given.get("scope", "openid profile").split()
    good = (
        given.get("response_type") == "code"
        and given.get("code_challenge_method", "S256") == "S256"
        and SCOPES.keys() >= set(scopes)
    )
    refuse(
        not good,
        400,
        f"An app asks for response_type=code, code_challenge_method=S256 or none, and scopes of {', '.join(SCOPES)}",
    )
    return app["fullname"], scopes


@route("GET", "/oauth/authorize", "any")
def authorize(call: Call) -> Response:
    name, scopes = _asked(call, asked := dict(call.query))
    return page("sign_in", f"Sign in to {name}", able=[SCOPES[scope] for scope in scopes], asked=asked)


@route("POST", "/oauth/authorize", "any", "form")
def approve(call: Call) -> Response:
    _, scopes = _asked(call, given := dict(call.body))
    try:
        user = call.accounts.identify(f"Bearer {given.get('token')}")
    except HubFault as fault:
        raise HubFault(fault.status, "No account of this Hub has this token. Go back and type yours again") from fault
    code = secrets.token_urlsafe(32)
    refuse(user.scopes is not None, 403, "An app's own token cannot let other apps in")
    asked = given["client_id"], given["redirect_uri"], given.get("code_challenge", "")
    call.hub.codes[code] = time.time() + CODE_SECONDS, asked, user._replace(scopes=scopes), given.get("nonce", "")
    return RedirectResponse(
        URL(given["redirect_uri"]).include_query_params(code=code, state=given.get("state", "")), 303
    )


@route("POST", "/oauth/token", "any", "form")
def token(call: Call) -> dict:
    """Exchanges a code, which is valid once, for an access token and an id_token."""
    from joserfc import jwt

    given, now, sent = (
        dict(call.body),
        time.time(),
        call.request.headers.get("authorization", "").removeprefix("Basic ").encode(),
    )
    logins = {id: f"{id}:{app['secret']}".encode() for id, app in call.accounts.apps.items() if app.get("secret")}
    id = next((id for id, login in logins.items() if hmac.compare_digest(base64.b64encode(login), sent)), None)
    refuse(id is None, 401, "The app's id or secret is wrong", body={"error": "invalid_client"})
    challenge = (
        base64.urlsafe_b64encode(digest(given["code_verifier"])).decode().rstrip("=")
        if "code_verifier" in given
        else ""
    )
    until, asked, user, nonce = call.hub.codes.pop(given.get("code"), (0, (), None, ""))
    good = (
        given.get("grant_type") == "authorization_code"
        and until > now
        and asked == (id, given.get("redirect_uri"), challenge)
    )
    refuse(not good, 400, "The code is not, or not any more, good for this request", body={"error": "invalid_grant"})
    access, until = "hf_oauth_" + secrets.token_urlsafe(32), int(now) + TOKEN_SECONDS
    call.accounts.granted[digest(f"Bearer {access}")] = user, until
    facts = {"iss": call.base_url, "aud": id, "iat": int(now), "exp": until, "nonce": nonce, **_facts(call, user)}
    signed = jwt.encode({"alg": "RS256", "kid": _key().kid}, facts, _key())
    return {
        "access_token": access,
        "token_type": "bearer",
        "expires_in": TOKEN_SECONDS,
        "scope": " ".join(user.scopes),
        "id_token": signed,
    }


def _facts(call: Call, user: Account) -> dict:
    """What an app may know about its user, by its scopes. Without organizations, because apps keep this in a cookie of
    at most 4 KB."""
    facts = {"sub": user_id(user.name)} | ({"email": user.email} if "email" in user.scopes else {})
    profile = {
        "preferred_username": user.name,
        "name": user.fullname,
        "profile": f"{call.base_url}/{user.name}",
        "picture": "",
    }
    return facts | (profile if "profile" in user.scopes else {})


@route("GET", "/oauth/userinfo", "user")
def userinfo(call: Call) -> dict:
    refuse(call.user.scopes is None, 403, "This tells an app who signed in to it; ask /api/whoami-v2")
    orgs = [
        {
            "sub": user_id(org["name"]),
            "preferred_username": org["name"],
            "name": org["fullname"],
            "roleInOrg": org["roleInOrg"],
        }
        for org in call.accounts.whoami(call.user)["orgs"]
    ]
    return _facts(call, call.user) | ({"orgs": orgs} if "profile" in call.user.scopes else {})
