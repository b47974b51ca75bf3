"""Addresses of servers, as people may read them."""

from urllib.parse import urlsplit


def host_of(url: str) -> str:
    """Host and port alone, for a password stands before them; "" where the URL has none."""
    return urlsplit(url if "://" in url else f"//{url}").netloc.rpartition("@")[2]
