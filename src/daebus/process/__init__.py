"""The process of a service: its signals, its children, its event loop, and its end.

`daebus run` and `app.run()` use it: workers that share a port, the reloader, the watchdog of the event loop, and the
guard that ends a process that does not stop.
"""
