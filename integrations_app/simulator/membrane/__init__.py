"""A pretend Membrane (formerly integration.app), at `/membrane`.

Sources: Membrane API reference ("List all integrations", "Errors"), "Authentication", the official SDK's query schema.
What those leave open is a switch in `switches.py`. One thing is simpler than the original: each tenant of the workspace
has integrations of its own (so that the demo's customers differ); a token without a tenant sees those of the first.
"""

from integrations_app.simulator.membrane.vendor import PretendMembrane

__all__ = ["PretendMembrane"]
