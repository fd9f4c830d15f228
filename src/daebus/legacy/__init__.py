"""The wire format of daebus 0.0.31: calling services that speak it, and serving callers that speak it.

The input is a process on the bus. The output is a `dialect` for two interfaces, `bus.dialect` and `app.runtime`. The
bus and the app request one when they open. To remove the support, delete this folder, both interfaces, and the setting
``legacy``.
"""
