"""The four vendors, pretended: for trying the console without an account of theirs, and for tests.

Standard library only, and nothing shared with `integrations_app.vendors`: it must not make the clients' mistakes.
"""
