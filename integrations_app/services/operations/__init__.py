"""The operations by which the console changes things at vendors, one module each, and their table in `registry.py`."""
