"""Delivery: where a message meets its handler. Read this first.

In comes an endpoint and what a transport knows of one message; out goes what the handler returned, encoded, or why it
failed. Every house that serves handlers calls `dispatch`, which decodes, injects, calls and encodes.
"""
