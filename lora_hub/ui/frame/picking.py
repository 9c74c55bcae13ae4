"""The two fields above a list of rows: which are shown, and in which order.

show, order = picking.draw(words, FILTERS, ORDERS, "lh-show", "lh-order")
"""

from collections.abc import Mapping

import gradio as gr

from lora_hub.core.messages import Message, _
from lora_hub.ui.frame.page import Labels


def draw(
    words: Labels,
    filters: Mapping[str, Message],
    orders: Mapping[str, Message],
    show_id: str,
    order_id: str,
    *,
    shown: str = "all",
    width: int = 220,
) -> tuple[gr.Radio, gr.Dropdown]:
    """Draws them in one row. filters, orders: value -> what it is called; the first order is chosen. shown: the filter
    that is chosen. width: pixels of the orders."""
    with gr.Row(elem_classes="lh-tight"):
        show = gr.Radio(
            [(words(said), one) for one, said in filters.items()],
            value=shown,
            label=words(_("Show")),
            container=False,
            show_label=False,
            elem_id=show_id,
        )
        order = gr.Dropdown(
            [(words(said), one) for one, said in orders.items()],
            value=next(iter(orders)),
            label=words(_("Order")),
            container=False,
            show_label=False,
            min_width=width,
            scale=0,
            elem_id=order_id,
        )
    return show, order
