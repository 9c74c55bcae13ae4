"""Builds the page: header, four tabs, and what is remembered. Used by app.py at the repository's root, and by tests.

    labels = Labels(translations())
    build(connection, comparer, labels).queue(...).launch(..., **launch_arguments(labels))
"""

from functools import partial
from typing import Any
from urllib.parse import urlsplit

import gradio as gr
from starlette.middleware import Middleware

from lora_hub import settings
from lora_hub.ui import adapters_tab, compare_tab, early, finetune, render, runs_tab
from lora_hub.ui import page as shared
from lora_hub.ui.page import LIGHT, Labels, Page
from lora_hub.ui.warm import Looker, warm_up

TABS = ("finetune", "runs", "adapters", "compare")
# Uploads are copied to our own store at once; Gradio's copies go after an hour.
CLEAN_EVERY_SECONDS, CLEAN_AFTER_SECONDS = 900, 3600
# Of the server, for handlers: those that answer questions keep one each, and everything else still goes on beside them.
MOST_THREADS = compare_tab.MOST_QUESTIONS + 48
# The browser has its scripts by then; what it asks next is not kept waiting.
WARM_AFTER_SECONDS = 1.0
SYSTEM_FONTS = ("system-ui", "-apple-system", "Segoe UI", "Vazirmatn", "Noto Sans", "Noto Sans Arabic", "Tahoma", "sans-serif")
MONO_FONTS = ("ui-monospace", "SFMono-Regular", "Consolas", "Noto Sans Mono", "DejaVu Sans Mono", "monospace")


def build(connection: Any, comparer: Any, labels: Labels) -> gr.Blocks:
    """The page. connection: an `endpoint.HubConnection`, already made. comparer: a `compare.Comparer`."""
    with gr.Blocks(title="LoRA Hub", analytics_enabled=False, delete_cache=(CLEAN_EVERY_SECONDS, CLEAN_AFTER_SECONDS)) as blocks:
        language = gr.Textbox("en", visible="hidden", elem_id="lh-language")
        run_id = gr.Textbox(visible="hidden", elem_id="lh-run-id")
        shared.html(header(connection), elem_id="lh-header")
        names = gr.Dropdown(
            [], value=[], multiselect=True, allow_custom_value=True, max_choices=compare_tab.MOST_ADAPTERS, label=labels("compare_adapters"),
            info=labels("compare_adapters_info"), elem_id="lh-names", render=False,
        )  # fmt: skip
        with gr.Tabs(elem_id="lh-tabs") as tabs:
            page = Page(labels, language, run_id, names, tabs, connection.organization, comparer, Looker())
            with gr.Tab(labels("tab_finetune"), id="finetune") as finetune_tab:
                finetune.build(page, blocks)
            with gr.Tab(labels("tab_runs"), id="runs") as runs_tab_:
                timer = runs_tab.build(page)
            with gr.Tab(labels("tab_adapters"), id="adapters") as adapters_tab_:
                adapters_tab.build(page, adapters_tab_)
            with gr.Tab(labels("tab_compare"), id="compare") as compare_tab_:
                compare_tab.build(page, compare_tab_)
        _wire_address(blocks, page, timer, [finetune_tab, runs_tab_, adapters_tab_, compare_tab_])
    return blocks


def _wire_address(blocks: gr.Blocks, page: Page, timer: gr.Timer, tabs: list[gr.Tab]) -> None:
    """The address names the tab, the run and the adapters that are shown, so that a reload shows them again."""

    def open_address(tab: str, run_id: str, names: str) -> Any:
        chosen = [name for name in names.split(",") if name][: compare_tab.MOST_ADAPTERS]
        compared = gr.Dropdown(choices=chosen, value=chosen) if chosen else gr.skip()
        return gr.Tabs(selected=tab) if tab in TABS[1:] else gr.skip(), run_id[:160], compared, gr.Timer(active=tab == "runs")

    blocks.load(None, None, page.language, js="() => window.loraHub.language", **LIGHT)
    tab, names = (gr.Textbox(visible=False) for _ in range(2))
    blocks.load(
        open_address, [tab, page.run_id, names], [page.tabs, page.run_id, page.compare_names, timer], **LIGHT,
        js="() => { const read = window.loraHub.read; return [read('tab') || (read('run') ? 'runs' : ''), read('run'), read('adapters')]; }",
    )  # fmt: skip
    for name, one in zip(TABS, tabs, strict=True):
        note = f"() => {{ window.loraHub.address('tab', '{'' if name == TABS[0] else name}'); }}"
        one.select(None, None, None, js=note, api_visibility="private")

    def rest_or_tick(event: gr.SelectData) -> Any:
        return gr.Timer(active=TABS[event.index] == "runs")

    # The page opens on the first tab and then goes where the address says: the last of the two counts.
    gr.on([one.select for one in tabs], rest_or_tick, None, timer, **LIGHT, trigger_mode="always_last")


def header(connection: Any) -> str:
    """Name, what this is, which Hub and which organization, and the languages."""
    key = f"hub_{connection.kind}"
    name = render.both(key)
    if connection.kind == "other":  # a team's, or anybody's: it is called by its address
        name += f' <bdi dir="ltr">{render.escape(urlsplit(connection.url).netloc.rpartition("@")[2])}</bdi>'
    why = render.both(f"{key}_why") + ("<br>" + render.both("hub_token_aside") if connection.token_aside else "")
    return (
        f'<header class="lh-header"><div class="lh-brand"><svg viewBox="0 0 32 32" aria-hidden="true"><rect x="3" y="3" width="18" height="18" rx="5"/>'
        f'<rect class="lh-brand-b" x="15" y="15" width="14" height="14" rx="4"/></svg><div><h1>LoRA Hub</h1><p>{render.both("tagline")}</p></div></div>'
        f'<div class="lh-where"><span class="lh-hub lh-{"good" if connection.kind == "embedded" else "live"}" tabindex="0"><b>{name}</b>'
        f'<span class="lh-tip" role="tooltip">{why}<br><code dir="ltr">{render.escape(connection.url)}</code></span></span>'
        f'<span class="lh-org">{render.both("organization")} <b><bdi>{render.escape(connection.organization)}</bdi></b></span>'
        f'<nav class="lh-languages" aria-label="Language"><button type="button" data-language="en" class="lh-say-en" lang="en">English</button>'
        f'<button type="button" data-language="fa" class="lh-say-fa" lang="fa">فارسی</button></nav></div></header>'
    )


def theme() -> gr.themes.Base:
    """System fonts only: the page asks nobody else for anything."""
    base = gr.themes.Default(
        primary_hue=gr.themes.colors.teal, secondary_hue=gr.themes.colors.teal, neutral_hue=gr.themes.colors.slate,
        radius_size=gr.themes.sizes.radius_md, font=SYSTEM_FONTS, font_mono=MONO_FONTS,
    )  # fmt: skip
    return base.set(
        body_background_fill="*neutral_50", block_border_width="1px", block_shadow="none", button_primary_background_fill="*primary_700",
        button_primary_background_fill_hover="*primary_800", button_primary_text_color="white", button_primary_background_fill_dark="*primary_600",
    )  # fmt: skip


def launch_arguments(labels: Labels) -> dict[str, Any]:
    """What `launch` needs besides address and port. What a first file needs is made ready once the first page is out."""
    return {
        "i18n": labels.i18n, "theme": theme(), "footer_links": [], "run_history": False, "max_file_size": settings.max_upload_bytes(), "show_error": False,
        "allowed_paths": [], "max_threads": MOST_THREADS, "ssr_mode": False, "enable_monitoring": False, "mcp_server": False, "pwa": False,
        "app_kwargs": {"middleware": [Middleware(early.EarlyHead, head=early.head(), after=partial(warm_up, WARM_AFTER_SECONDS))]},
    }  # fmt: skip
