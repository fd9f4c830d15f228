"""The embedded engine: the Valkey server of a project, for development and tests.

In comes the folder of a project; out goes the URL of a running server, which a keeper process ends once its last user
is gone. `daebus.connection.find_server` and `daebus.testing` call it.
"""
