"""A visitor of the page without a browser: what a page's scripts send, by hand.

visitor = HttpVisitor(app_url)
visitor.sign_in(hub_url, token)
    visitor.call("lh-ask", "click", {"lh-names": ["lora-hub/spam"], "lh-prompt": "Win!"})
"""

import json
import re
import secrets
from collections.abc import Iterator
from typing import Any

import httpx


class HttpVisitor:
    """One page of one visitor. Raises httpx's errors; `Refused` where the server would not take an event."""

    def __init__(self, url: str, timeout: float = 180.0) -> None:
        self.url = url
        self.client = httpx.Client(base_url=url, timeout=timeout, trust_env=False)
        self.session = secrets.token_hex(8)
        self._config: dict[str, Any] | None = None

    def sign_in(self, hub: str, token: str) -> None:
        """As a person does: to the Hub, where they type their token, and back."""
        asked = self.client.get("/login/huggingface").headers["location"]
        with httpx.Client(timeout=60, trust_env=False) as at_hub:
            page = at_hub.get(asked)
            fields = dict(re.findall(r'<input[^>]*name="([^"]+)"[^>]*value="([^"]*)"', page.text))
            query = dict(httpx.URL(asked).params)
            back = at_hub.post(f"{hub}/oauth/authorize", data={**query, **fields, "token": token})
        assert back.status_code == 303, back.text
        assert self.client.get(back.headers["location"]).status_code == 303

    @property
    def config(self) -> dict[str, Any]:
        """What the page's scripts know of its components and events."""
        if self._config is None:
            self._config = self.client.get("/config").json()
        return self._config

    def component(self, name: str) -> dict[str, Any]:
        return next(one for one in self.config["components"] if one["props"].get("elem_id") == name)

    def events(self, name: str, kind: str) -> list[dict[str, Any]]:
        """The events of a component that its server handles, in the order in which they were wired."""
        wanted = self.component(name)["id"]
        return [
            one
            for one in self.config["dependencies"]
            if one["backend_fn"] and any(target[0] == wanted and target[1] == kind for target in one["targets"])
        ]

    def inputs(self, event: dict[str, Any], values: dict[str, Any]) -> list[Any]:
        """What the page would send: the components' own values, and those that are given by their names."""
        by_id = {one["id"]: one for one in self.config["components"]}
        found = []
        for number in event["inputs"]:
            props = by_id[number]["props"]
            found.append(values.get(props.get("elem_id"), props.get("value")))
        return found

    def call(self, name: str, kind: str, values: dict[str, Any] | None = None, place: int = 0) -> list[Any]:
        """The outputs of the event's last answer. Raises Refused."""
        event = self.events(name, kind)[place]
        return self.send(event["id"], self.inputs(event, values or {}))

    def send(self, number: int, data: list[Any], event_data: Any = None) -> list[Any]:
        """The same for an event by its number, with any inputs."""
        last: list[Any] = []
        for told in self.stream(number, data, event_data):
            if told.get("msg") in ("process_generating", "process_completed"):
                last = told.get("output", {}).get("data", last) or last
            if told.get("msg") == "process_completed" and not told.get("success", True):
                raise Refused(json.dumps(told.get("output"))[:500])
        return last

    def stream(self, number: int, data: list[Any], event_data: Any = None) -> Iterator[dict[str, Any]]:
        """What the server says of an event, until it is done."""
        joined = self.client.post(
            "/gradio_api/queue/join",
            json={
                "data": data,
                "fn_index": number,
                "session_hash": self.session,
                "event_data": event_data,
                "trigger_id": None,
            },
        )
        if joined.status_code != 200:
            raise Refused(f"{joined.status_code}: {joined.text[:300]}")
        with self.client.stream("GET", "/gradio_api/queue/data", params={"session_hash": self.session}) as lines:
            for line in lines.iter_lines():
                if not line.startswith("data: "):
                    continue
                told = json.loads(line[6:])
                yield told
                if told.get("msg") in ("process_completed", "close_stream", "unexpected_error"):
                    return


class Refused(Exception):
    """The server did not take an event, or its handler failed."""
