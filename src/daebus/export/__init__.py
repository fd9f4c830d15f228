"""The contracts of an app as documents for others: an `Assembly` comes in, OpenAPI and AsyncAPI go out, for the CLI."""
