"""Corrections of code: its text, what a check knows of it, and edits.

The language server and ``daebus check --fix`` are built on it.
"""
