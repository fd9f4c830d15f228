"""The app: `Daebus`, its blueprints and container, and one run of it.

In come handlers, a container and settings; out comes an assembly, checked, and a runtime that opens the houses in order
and closes them in reverse.
"""
