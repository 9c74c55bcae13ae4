"""Builds the page: header, tabs, and what the browser remembers. Used by app.py at the repository's root, and by tests.

labels = Labels()
endpoints = Endpoints(Comparer(), Looker())
build(connection, endpoints, labels).queue(...).launch(..., **launch_arguments(labels, endpoints))
"""

import json
from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import gradio as gr
from fastapi.exceptions import RequestValidationError
from starlette.middleware import Middleware

from lora_hub.api import Endpoints
from lora_hub.core import settings
from lora_hub.core.languages import autonym, tag
from lora_hub.core.messages import Message, _
from lora_hub.core.schema import MOST_ADAPTERS
from lora_hub.hub import hub_kind, hub_url, look_up, reaches_hub
from lora_hub.people import Sessions
from lora_hub.ui.frame import asking, doors, early, guard, notices, person, programs, sessions_kept, sign_in
from lora_hub.ui.frame import page as shared
from lora_hub.ui.frame.nested import Nested
from lora_hub.ui.frame.outside import Outside
from lora_hub.ui.frame.page import LIGHT, Labels, Page
from lora_hub.ui.frame.warm import warm_up
from lora_hub.ui.render import render
from lora_hub.ui.tabs import data_tab, matrix_tab, organization_tab
from lora_hub.ui.tabs.compare import compare_tab
from lora_hub.ui.tabs.finetune import finetune
from lora_hub.ui.tabs.runs import runs_tab
from lora_hub.ui.tabs.shelf import adapters_tab
from lora_hub.ui.tabs.test_sets import test_sets_tab

# In display order: the name in the address, the title, and the function that draws and wires the tab inside the current
# context. The first tab opens if the address names none.
TABS: dict[str, tuple[Message, Callable[[Page, gr.Tab], None]]] = {
    "finetune": (_("Fine-tune"), finetune.build),
    "runs": (_("Runs"), runs_tab.build),
    "adapters": (_("Adapters"), adapters_tab.build),
    "compare": (_("Compare"), compare_tab.build),
    "tests": (_("Test sets"), test_sets_tab.build),
    "matrix": (_("Matrix"), matrix_tab.build),
    "data": (_("Data"), data_tab.build),
    "organization": (_("Organization"), organization_tab.build),
}
# Uploads are copied to our own store at once; Gradio's copies are deleted after an hour.
CLEAN_EVERY_SECONDS, CLEAN_AFTER_SECONDS = 900, 3600
# Server threads for handlers: each running answer occupies one, and everything else must still go on.
MOST_THREADS = compare_tab.MOST_QUESTIONS + 48
# By then the browser has its scripts, so its next requests are not delayed.
WARM_AFTER_SECONDS = 1.0
SYSTEM_FONTS = (
    "system-ui",
    "-apple-system",
    "Segoe UI",
    "Vazirmatn",
    "Noto Sans",
    "Noto Sans Arabic",
    "Tahoma",
    "sans-serif",
)
CLAIM = _("Drop in a dataset, get a small adapter for your task: trained, measured, shared, compared.")
MONO_FONTS = ("ui-monospace", "SFMono-Regular", "Consolas", "Noto Sans Mono", "DejaVu Sans Mono", "monospace")


def build(connection: Any, endpoints: Endpoints, labels: Labels) -> gr.Blocks:
    """The page. connection: an existing `endpoint.HubConnection`. endpoints: the functions for programs, and what page
    and programs share."""
    with gr.Blocks(
        title="LoRA Hub", analytics_enabled=False, delete_cache=(CLEAN_EVERY_SECONDS, CLEAN_AFTER_SECONDS)
    ) as blocks:
        programs.add_endpoints(endpoints)  # first, so that no handler of the page takes one of their names
        language = gr.Textbox("en", visible="hidden", elem_id="lh-language")
        run_id = gr.Textbox("", visible="hidden", elem_id="lh-run-id")
        adapter_id = gr.Textbox("", visible="hidden", elem_id="lh-adapter-id")
        start_from = gr.Textbox("", visible="hidden", elem_id="lh-start-from")
        shared.html(header(connection, labels), elem_id="lh-header")
        if settings.signs_in():
            shared.html(person.door(labels), elem_id="lh-door")
        names = gr.Dropdown(
            [],
            value=[],
            multiselect=True,
            allow_custom_value=True,
            max_choices=MOST_ADAPTERS,
            label=labels(_("Adapters (1 to 8)")),
            info=labels(_("From the list, or type a repository, a repository@version or a run")),
            elem_id="lh-names",
            render=False,
        )
        timer = gr.Timer(runs_tab.TICK_SECONDS, active=False)
        with gr.Tabs(elem_id="lh-tabs") as tabs:
            page = Page(
                labels,
                language,
                run_id,
                adapter_id,
                names,
                tabs,
                blocks,
                timer,
                connection.organization,
                endpoints.comparer,
                endpoints.looker,
                endpoints.room,
                start_from=start_from,
            )
            drawn = []
            for name, (title, draw) in tabs_here().items():
                # page.js writes the id of the tab that is shown into the address.
                with gr.Tab(labels(title), id=name, elem_id=f"lh-tab-{name}") as tab:
                    draw(page, tab)
                drawn.append(tab)
        _wire_address(page, drawn)
        notices.wire(page)
    _hush(blocks)
    return blocks


def _hush(blocks: gr.Blocks) -> None:
    """What shows no progress tells no component of it. Gradio's page else writes every word about an event, three or
    more for each, into every component that any event has had as an output so far, and looks each of them up in the
    whole page: three seconds of the browser for a question that is answered in one."""
    for one in blocks.fns.values():
        if one.show_progress_on is None and (one.fn is None or one.show_progress == "hidden"):
            one.show_progress_on = []


def tabs_here() -> dict[str, tuple[Message, Callable[[Page, gr.Tab], None]]]:
    """The tabs of this page. Without sign-in there is no Organization tab."""
    return {name: tab for name, tab in TABS.items() if name != "organization" or settings.signs_in()}


def _wire_address(page: Page, tabs: list[gr.Tab]) -> None:
    """The address names the open tab, run and adapters, so that a reload, another language and Back show them again."""
    came_back, known = gr.Textbox("", visible="hidden", elem_id="lh-address"), [*tabs_here()]
    first = known[0]
    changed = [page.tabs, page.run_id, page.adapter_id, page.compare_names, page.timer]

    def show_address(where: str, is_opening: bool, is_shown: bool = False) -> list[Any]:
        """where: JSON of tab, run, adapters to compare (comma-separated) and adapter (page.js writes it). is_shown: all
        but the compared adapters is shown already, and may be something else again by now."""
        tab, run_id, names, adapter = (str(one)[:4000] for one in json.loads(where))
        chosen = [name for name in names.split(",") if name][:MOST_ADAPTERS]
        wanted = tab if tab in known else first
        # Going back to another tab does not clear the compared adapters.
        is_told = chosen and (is_opening or wanted == "compare")
        compared = gr.Dropdown(choices=chosen, value=chosen) if is_told else gr.skip()
        if is_shown:
            return [gr.skip(), gr.skip(), gr.skip(), compared, gr.skip()]
        shown = gr.skip() if is_opening and wanted == first else gr.Tabs(selected=wanted)
        return [shown, run_id[:160], adapter[:200], compared, gr.Timer(active=wanted == "runs")]

    def open_address(where: str) -> list[Any]:
        return show_address(where, True)

    def go_back(told: str) -> list[Any]:
        where, _when, is_shown = json.loads(told)
        return show_address(where, False, bool(is_shown))

    page.blocks.load(None, None, page.language, js="() => window.loraHub.language", **LIGHT)
    restored = _keep_choices(page)
    opened = restored.then(open_address, came_back, changed, js="() => window.loraHub.where()", **LIGHT)
    opened.then(None, None, None, js="() => window.loraHub.wired('address')", api_visibility="private")
    shown = came_back.change(go_back, came_back, changed, **LIGHT, trigger_mode="always_last")
    told_of = [came_back, page.compare_names]
    shown.then(None, told_of, None, js="(...told) => window.loraHub.returned(...told)", api_visibility="private")

    def rest_or_tick(event: gr.SelectData) -> Any:
        return gr.Timer(active=known[event.index] == "runs")

    # The page opens on the first tab and then goes to the tab in the address; the last of the two wins.
    gr.on([one.select for one in tabs], rest_or_tick, None, page.timer, **LIGHT, trigger_mode="always_last")


def _keep_choices(page: Page) -> Any:
    """Keeps the choices of the tabs' small fields for this browser tab, as typed text is kept. Returns the event that
    restores them with the page."""
    chosen = page.choices
    names = json.dumps([one.elem_id for one in chosen])
    # An address may name any choice, and Gradio refuses every event of a field whose value is none of its choices.
    known = {
        one.elem_id: [value for _title, value in one.choices]
        for one in chosen
        if hasattr(one, "choices") and not getattr(one, "allow_custom_value", False)
    }
    keeping = f"(...values) => window.loraHub.chose({names}, values)"
    gr.on([one.input for one in chosen], None, chosen, None, js=keeping, api_visibility="private")
    bringing = f"(...values) => window.loraHub.chosen({names}, values, {json.dumps(known)})"
    return page.blocks.load(None, chosen, chosen, js=bringing, api_visibility="private")


# Which Hub is used, and why: by `HubConnection.kind`.
HUBS = {
    "embedded": (
        _("Embedded Hub"),
        _("Adapters are published to the Hub that runs on this machine. Nothing leaves it."),
    ),
    "public": (_("Public Hub"), _("Adapters are published to the public Hub with your token.")),
    "other": (
        _("Hub"),
        _("Adapters are published with your token to the Hub at this address, which HF_ENDPOINT names."),
    ),
}


def header(connection: Any, labels: Labels) -> str:
    """Name, purpose, Hub, organization, and the languages."""
    hub, said = HUBS[connection.kind]
    name, why = labels.both(hub), labels.both(said)
    if connection.kind == "other":  # a team's, or any other: shown by its address
        name += f' <bdi dir="ltr">{render.escape(urlsplit(connection.url).netloc.rpartition("@")[2])}</bdi>'
    if connection.token_aside:
        aside = _("HF_TOKEN is not used: LORA_HUB_HUB=embedded names this Hub, which has a token of its own.")
        why += f"<br>{labels.both(aside)}"
    return (
        '<header class="lh-header"><div class="lh-brand"><svg viewBox="0 0 32 32" aria-hidden="true">'
        '<rect x="3" y="3" width="18" height="18" rx="5"/>'
        '<rect class="lh-brand-b" x="15" y="15" width="14" height="14" rx="4"/></svg><div><h1>LoRA Hub</h1>'
        f'<p>{labels.both(CLAIM)}</p></div></div><div class="lh-where">'
        f'<span class="lh-hub lh-{"good" if connection.kind == "embedded" else "live"}" tabindex="0"><b>{name}</b>'
        f'<span class="lh-tip" role="tooltip">{why}<br><code dir="ltr">{render.escape(connection.url)}</code></span>'
        f'</span><span class="lh-org">{labels.both(_("Organization"))} '
        f"<b><bdi>{render.escape(connection.organization)}</bdi></b></span>"
        f"{person.badge(labels) if settings.signs_in() else ''}"
        '<nav class="lh-languages" aria-labelledby="lh-choose">'
        f'<span id="lh-choose">{labels.both(_("Language"))}</span>'
        f"{''.join(map(_language_button, labels.languages))}</nav></div></header>"
    )


def _language_button(language: str) -> str:
    """A language by its own name for itself."""
    return (
        f'<button type="button" data-language="{language}" lang="{tag(language)}">'
        f"{render.escape(autonym(language))}</button>"
    )


def theme() -> gr.themes.Base:
    """System fonts only, so that the page loads nothing from other sites."""
    base = gr.themes.Default(
        primary_hue=gr.themes.colors.teal,
        secondary_hue=gr.themes.colors.teal,
        neutral_hue=gr.themes.colors.slate,
        radius_size=gr.themes.sizes.radius_md,
        font=SYSTEM_FONTS,
        font_mono=MONO_FONTS,
    )
    # Every text has a contrast of at least 4.5:1, hints and placeholders included (tests/ui/test_page_access.py
    # measures it).
    quiet = {
        "body_text_color_subdued": "*neutral_600",
        "block_info_text_color": "*neutral_600",
        "block_label_text_color": "*neutral_600",
        "input_placeholder_color": "*neutral_500",
    }
    quiet_dark = {f"{name}_dark": "*neutral_400" for name in quiet}
    return base.set(
        body_background_fill="*neutral_50",
        block_border_width="1px",
        block_shadow="none",
        color_accent="*primary_700",
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_hover="*primary_800",
        button_primary_text_color="white",
        button_primary_background_fill_dark="*primary_700",
        button_primary_background_fill_hover_dark="*primary_800",
        link_text_color="*primary_700",
        link_text_color_hover="*primary_800",
        link_text_color_visited="*primary_700",
        link_text_color_dark="*primary_300",
        link_text_color_visited_dark="*primary_300",
        **quiet,
        **quiet_dark,
    )


def launch_arguments(labels: Labels, endpoints: Endpoints, sessions: Sessions | None = None) -> dict[str, Any]:
    """Arguments of `launch` besides address and port. sessions: who is signed in, if people sign in. What a first file
    needs is imported after the first page was sent. Raises SpecError if people are to sign in and no Hub to sign in
    with is configured."""
    if settings.in_space():
        guarding = Middleware(guard.Guard, frames=guard.HUB_FRAMES)
    else:
        names = (*guard.LOOPBACK, *settings.hosts())
        guarding = Middleware(guard.Guard, hosts=names, addresses=settings.is_open_to_others())
    outside = Middleware(Outside, root_path=settings.root_path(), hub_kind=hub_kind(hub_url()), reaches_hub=reaches_hub)
    people = _sign_in(sessions) if sessions is not None else []
    if settings.has_endpoint() and not settings.has_zero_gpu():  # there a question borrows the GPU by the page
        from lora_hub.models import LocalEngine, OpenShelf
        from lora_hub.serve import Beside, Door

        door = Door(OpenShelf(), LocalEngine(endpoints.comparer.bases), asking.who_asks_in)
        people.append(Middleware(Beside, door=door))
    people += [Middleware(doors.Doors)] if settings.signs_in() else []
    people += [Middleware(Nested)]
    if settings.has_mcp():
        from lora_hub.api.mcp_door import McpDoor  # takes half a second, where it is wanted

        people.append(Middleware(McpDoor, endpoints=endpoints, who_asks=asking.who_asks_in))
    head = Middleware(
        early.EarlyHead,
        head=early.head(labels.languages),
        after=partial(warm_up, WARM_AFTER_SECONDS),
        of_request=_facts if settings.signs_in() else None,
    )
    return {
        "i18n": labels.i18n,
        "theme": theme(),
        "footer_links": ["api"],
        "run_history": False,
        "max_file_size": settings.max_upload_bytes(),
        "show_error": False,
        "allowed_paths": [],
        "max_threads": MOST_THREADS,
        "state_session_capacity": sessions_kept.MOST_SESSIONS,
        "ssr_mode": False,
        "enable_monitoring": False,
        "mcp_server": False,
        "pwa": False,
        "root_path": settings.root_path() or None,  # None: Gradio's own GRADIO_ROOT_PATH
        "app_kwargs": {
            "middleware": [outside, guarding, *people, head],
            "exception_handlers": {
                TypeError: programs.tell_misnamed,
                RequestValidationError: programs.tell_malformed,
            },
        },
    }


def _sign_in(sessions: Sessions) -> list[Middleware]:
    """Nobody can sign in to a Space without `hf_oauth`, so everybody is a stranger there."""
    if not settings.has_sign_in():
        return []
    provider = sign_in.Provider.from_environment()
    return [Middleware(sign_in.SignIn, provider=provider, sessions=sessions, look_up=look_up)]


def _facts(scope: dict[str, Any]) -> str:
    return person.facts(asking.who_asks_in(scope))
