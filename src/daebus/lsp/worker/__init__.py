"""The worker processes of the language server, which import the user's code; the server itself never does."""
