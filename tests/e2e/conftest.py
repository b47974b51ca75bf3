from tests.e2e.sdk import base_url, client

__all__ = ["base_url", "client"]
