"""Actions: serving requests of the bus.

The input is entries of an action's stream. The output is replies, or the items of a stream of replies.
`daebus.app.running.bus_parts` opens the package. `serving` reads the streams, `requests` handles each request, `runs`
holds the requests in progress.
"""
