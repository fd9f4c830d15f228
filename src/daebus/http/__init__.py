"""HTTP: routes on Litestar.

The input is ASGI calls. The output is responses, and errors as problem documents. Routes that only need Litestar's
routing take the fast path. `daebus.app.running.web` builds the application. Import this package only for a service with
routes.
"""
