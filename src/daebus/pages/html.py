"""A page of a reference: plain HTML without a script or a style of its own in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape

import msgspec

from .examples import example_of
from .reference import Group, Operation, Part, Reference, Schema
from .schema import show_fields, show_row
from .text import anchor, inline, paragraphs

__all__ = ["POLICY", "Link", "render"]

POLICY = "default-src 'none'; style-src 'self'; script-src 'self'; base-uri 'none'; form-action 'none'"
"""The Content-Security-Policy of a page."""


class Link(msgspec.Struct, frozen=True):
    """A link to another page, or to a file; ``is_here``: it is the page itself."""

    text: str
    to: str
    is_here: bool = False


def render(reference: Reference, *, pages: Sequence[Link], files: Sequence[Link], assets: str) -> str:
    """The page.

    Args:
        reference: What it shows.
        pages: The pages that belong together.
        files: The documents.
        assets: The relative URL of the folder of the style and the script; empty: that of the page.
    """
    title = f"{reference.title} · {reference.subject}"
    return "".join(
        [
            f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="color-scheme" content="light dark">',
            f'<link rel="stylesheet" href="{escape(assets)}page.css"><script defer src="{escape(assets)}page.js">',
            '</script></head><body><a class="skip" href="#content">To the operations</a>',
            _header(reference, pages, files),
            f'<div class="frame">{_contents(reference)}<main id="content">',
            *(_group(group, reference.schemas) for group in reference.groups),
            "" if reference.groups else '<p class="empty">There are no operations.</p>',
            _schemas(reference.schemas),
            '<p class="empty" id="nothing" hidden>Nothing has this name.</p></main></div></body></html>',
        ]
    )


def _header(reference: Reference, pages: Sequence[Link], files: Sequence[Link]) -> str:
    tabs = "".join(map(_tab, pages))
    downloads = "".join(f'<a href="{escape(file.to)}">{escape(file.text)}</a>' for file in files)
    search = '<input id="filter" type="search" placeholder="Filter ( / )" aria-label="Filter operations" hidden>'
    return (
        f'<header><h1>{escape(reference.title)}</h1><nav class="tabs" aria-label="Documents">{tabs}</nav>'
        f'{search}<div class="files">{downloads}</div></header>'
    )


def _tab(page: Link) -> str:
    if page.is_here:
        return f'<a href="#content" aria-current="page">{escape(page.text)}</a>'
    return f'<a href="{escape(page.to)}">{escape(page.text)}</a>'


def _contents(reference: Reference) -> str:
    parts: list[str] = []
    for group in reference.groups:
        links = "".join(
            f'<li><a href="#{escape(one.id)}">{_badge(one)}<span>{escape(one.address)}</span></a>'
            for one in group.operations
        )
        parts.append(f"<h2>{escape(group.name)}</h2><ul>{links}</ul>")
    if reference.schemas:
        links = "".join(
            f'<li><a href="#{escape(anchor(name))}"><span>{escape(name)}</span></a>' for name in reference.schemas
        )
        parts.append(f"<h2>Schemas</h2><ul>{links}</ul>")
    nav = f'<nav aria-label="Contents">{"".join(parts)}</nav>'
    return f'<details class="contents" open><summary>Contents</summary>{nav}</details>'


def _badge(operation: Operation) -> str:
    return f'<b class="badge {escape(operation.badge.lower())}">{escape(operation.badge)}</b>'


def _group(group: Group, schemas: Mapping[str, Schema]) -> str:
    operations = "".join(_operation(one, schemas) for one in group.operations)
    return f'<section><h2 class="group">{escape(group.name)}</h2>{operations}</section>'


def _operation(operation: Operation, schemas: Mapping[str, Schema]) -> str:
    old = '<span class="required">deprecated</span>' if operation.is_deprecated else ""
    notes = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{inline(text)}</dd></div>" for name, text in operation.notes.items()
    )
    rows = "".join(
        show_row(one.name, one.schema, {}, is_required=one.is_required, place=one.place, description=one.description)
        for one in operation.parameters
    )
    parameters = f'<h4>Parameters</h4><table class="fields"><tbody>{rows}</tbody></table>' if rows else ""
    return (
        f'<article id="{escape(operation.id)}"><h3>{_badge(operation)}<a href="#{escape(operation.id)}">'
        f"{escape(operation.address)}</a>{old}</h3>"
        f'<p class="summary">{inline(operation.summary)}</p>{paragraphs(operation.description)}'
        f"{f'<dl>{notes}</dl>' if notes else ''}{parameters}{''.join(_parts(operation.parts, schemas))}</article>"
    )


def _parts(parts: Sequence[Part], schemas: Mapping[str, Schema]) -> Iterator[str]:
    first = {kind: next((part for part in parts if part.kind == kind), None) for kind in ("in", "out")}
    for part in parts:
        head = f'<span class="code {part.kind}">{escape(part.title)}</span> {inline(part.description)}'
        form = f'<span class="form">{escape(part.form)}</span>' if part.form else ""
        if part.schema is None:
            yield f'<div class="part">{head}</div>'
            continue
        example = msgspec.json.format(msgspec.json.encode(example_of(part.schema, schemas)), indent=2).decode()
        opened = " open" if part is first.get(part.kind) else ""
        yield (
            f'<details class="part"{opened}><summary>{head}{form}</summary><div class="both"><div>'
            f'{show_fields(part.schema, schemas)}</div><pre tabindex="0" aria-label="Example"><code>{escape(example)}'
            "</code></pre></div></details>"
        )


def _schemas(schemas: Mapping[str, Schema]) -> str:
    if not schemas:
        return ""
    shown = "".join(
        f'<article id="{escape(anchor(name))}"><h3><a href="#{escape(anchor(name))}">{escape(name)}</a></h3>'
        f"{show_fields(schema, {})}</article>"
        for name, schema in schemas.items()
    )
    return f'<section><h2 class="group">Schemas</h2>{shown}</section>'
