"""A pretend Celigo integrator.io: `/celigo/v1` is the US region, `/celigo/eu/v1` the EU one.

Sources: Celigo help centre, "Integration API endpoints"; developer.celigo.com, pagination, rate limits, errors. What
those leave open is a switch in `switches.py`.
"""

from integrations_app.simulator.celigo.vendor import PretendCeligo

__all__ = ["PretendCeligo"]
