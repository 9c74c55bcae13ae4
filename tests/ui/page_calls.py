"""Calls the page's server without a page: every event by its number, with inputs that no widget would send."""

import json
import os
import re
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx

from lora_hub.ui.frame.programs import PAGE_HEADER


class Caller:
    """A program in the place of a browser. name: who it signs in as, with their token of the Hub; empty: a stranger.
    host: the name of a Space, whose proxy speaks https to the world and http to the app."""

    def __init__(self, url: str, name: str = "", token: str = "", host: str = "") -> None:
        self.client = httpx.Client(base_url=url, timeout=120, headers={PAGE_HEADER: "1"})
        if host:
            self.client.headers.update({"Host": host, "X-Forwarded-Proto": "https", "X-Forwarded-Host": host})
            self.client.event_hooks["response"] = [lambda answer: self._keep_cookies()]
        self.heard: list[str] = []  # all that was ever answered
        if name:
            self._sign_in(token)
        config = self.client.get("/config").json()
        self.components = {one["id"]: one for one in config["components"]}
        self.events = [one for one in config["dependencies"] if one["backend_fn"]]

    def _sign_in(self, token: str) -> None:
        asked = self.client.get("/login/huggingface").headers["location"]
        form = dict(parse_qsl(urlsplit(asked).query)) | {"token": token}
        back = urlsplit(httpx.post(asked.partition("?")[0], data=form, timeout=60).headers["location"])
        assert self.client.get(f"{back.path}?{back.query}").status_code == 303

    def _keep_cookies(self) -> None:
        """A cookie for https is sent on, as it is where a proxy takes the s away."""
        for cookie in self.client.cookies.jar:
            cookie.secure = False

    def name_of(self, component: int | None) -> str:
        return self.components.get(component, {}).get("props", {}).get("elem_id") or ""

    def names_of(self, event: dict[str, Any]) -> list[str]:
        """The components that an event is of; none for a function for programs."""
        return [self.name_of(target) for target, _kind in event["targets"]]

    def post(self, path: str, **named: Any) -> tuple[int, str]:
        answer = self.client.post(path, **named)
        self.heard.append(answer.text)
        return answer.status_code, answer.text

    def ask(
        self,
        name: str,
        event: str,
        values: dict[str, Any] | None = None,
        hidden: Any = None,
        data: Any = None,
        writes: str = "",
        session: str = "",
    ):
        """Calls the handler of a component's event and returns all that it says. values: of inputs by their names.
        hidden: for hidden texts without a name. data: the event's own. writes: of several handlers the one that writes
        into this component. session: the page's; a new one for each call where none is given."""
        found = next(
            one
            for one in self.events
            for target, kind in one["targets"]
            if self.name_of(target) == name and kind == event
            if not writes or writes in map(self.name_of, one["outputs"])
        )
        given = values or {}

        def value_of(component: int) -> Any:
            known, props = self.name_of(component), self.components[component]["props"]
            if known in given:
                is_list = props.get("file_count") == "multiple"  # of files dropped together
                return [given[known]] if is_list and isinstance(given[known], dict) else given[known]
            if self.components[component]["type"] != "textbox":
                return props.get("value")
            return hidden if not known and hidden is not None else props.get("value") or ""

        return self.call(found, [value_of(one) for one in found["inputs"]], data, session)

    def call(self, event: dict[str, Any], values: list[Any], data: Any = None, session: str = "") -> str:
        session = session or os.urandom(6).hex()
        body = {"data": values, "fn_index": event["id"], "session_hash": session, "event_data": data}
        status, said = self.post("/gradio_api/queue/join", json=body)
        if status != 200:
            return f"{status} {said}"
        told = []
        with self.client.stream("GET", "/gradio_api/queue/data", params={"session_hash": session}) as lines:
            for line in lines.iter_lines():
                message = json.loads(line.removeprefix("data:")) if line.startswith("data:") else {}
                if message.get("msg") in ("log", "process_completed", "process_generating"):
                    told.append(json.dumps(message, ensure_ascii=False))
                if message.get("msg") == "process_completed":
                    break
        self.heard += told
        return "\n".join(told)

    def upload(self, name: str, content: bytes) -> dict[str, Any]:
        """A file as the page sends it, for an input that takes one."""
        status, said = self.post("/gradio_api/upload", files={"files": (name, content)})
        assert status == 200, said
        return as_file(json.loads(said)[0])


def as_file(path: str) -> dict[str, Any]:
    return {"path": path, "orig_name": path.rpartition("/")[2], "meta": {"_type": "gradio.FileData"}}


def words(said: str) -> str:
    """What an answer says, without its HTML."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>|[\u2066-\u2069]", "", said.replace("\\n", " ")))
