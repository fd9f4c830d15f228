"""Wiring: the compilation of handlers when a blueprint is registered.

The input is specs and a container. The output is compiled endpoints, or all mistakes at once. Handlers are not called
here; `daebus.delivery` calls providers when a message needs them.
"""
