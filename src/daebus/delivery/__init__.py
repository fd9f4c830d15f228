"""Delivery: passes a message to its handler. Read this first.

The input is an endpoint and one message from a transport. The output is the encoded result of the handler, or its
failure. Every part that serves handlers calls `dispatch`, which decodes, injects, calls and encodes.
"""
