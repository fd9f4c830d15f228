"""The wire of daebus 0.0.31: services that speak it are called, and callers that speak it are served.

In comes a process on the bus; out goes a `dialect` for the two seams, `bus.dialect` and `app.runtime`. The bus and the
app ask for one where they open. To end it, remove this folder, both seams, and the setting ``legacy``.
"""
