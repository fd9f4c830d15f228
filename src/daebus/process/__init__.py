"""The process of a service: its signals, its children, its event loop, and its end.

`daebus run` and `app.run()` call it: workers that share a port, the reloader, the watchdog of the event loop, and the
guard that ends a process which does not stop.
"""
