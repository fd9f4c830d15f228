from __future__ import annotations

from daebus.core.context import Context
from daebus.delivery.endpoint import Incoming


def test_a_message_has_no_body_part_or_keywords_unless_given() -> None:
    context = Context(request_id="r", service="s", handler="h")
    message = Incoming(context)
    assert (message.body, message.part, dict(message.keywords)) == (None, None, {})
