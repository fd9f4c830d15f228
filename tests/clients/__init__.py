"""The exported TypeScript client, in node and in a browser, against real services: `nox -s clients`."""
