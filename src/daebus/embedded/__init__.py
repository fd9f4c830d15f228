"""The embedded engine: the Valkey server of a project, for development and tests.

The input is the folder of a project. The output is the URL of a running server. A keeper process stops the server once
its last user is gone. `daebus.connection.find_server` and `daebus.testing` use this package.
"""
