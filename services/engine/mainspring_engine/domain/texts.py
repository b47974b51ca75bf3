"""Texts of others that are kept where there is little room. Pure."""


def cut(text: str, bytes_max: int) -> str:
    """As much of it as fits, in whole characters of its UTF-8."""
    return text.encode()[:bytes_max].decode(errors="ignore")
