"""Actions: requests of the bus, served.

In come entries of an action's stream; out go replies, or items of a stream of replies. `daebus.app.runtime` opens it.
`serving` reads the streams, `requests` handles each request, `runs` has those that are under way.
"""
