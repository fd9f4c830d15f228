"""The user service: accounts, logins, and who is online."""
