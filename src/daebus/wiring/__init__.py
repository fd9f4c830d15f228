"""Wiring: what happens when a blueprint is registered.

In come specs and a container; out come endpoints, compiled, or every mistake at once. Handlers are not called here, and
providers are called by `daebus.delivery` when a message needs them.
"""
