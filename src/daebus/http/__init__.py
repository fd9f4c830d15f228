"""HTTP: routes on Litestar.

In come ASGI's calls; out go responses, and errors as problem documents. Routes that need nothing of Litestar but its
routing take the fast path. `daebus.app.web` builds the application. Only import it where a service has routes.
"""
