"""Keys of circuits and limits as they stand in a path."""


def wire_key(key: str) -> str:
    """One segment of a path: `provider:model`, with `~1` for a slash in the model's name."""
    provider, slash, model = key.partition("/")
    if not slash:
        return _escaped(provider)
    return f"{provider}:{_escaped(model)}"


def key_of(text: str) -> str:
    provider, colon, model = text.partition(":")
    if not colon:
        return _plain(text)
    return f"{provider}/{_plain(model)}"


def _escaped(text: str) -> str:
    return text.replace("~", "~0").replace("/", "~1")


def _plain(text: str) -> str:
    return text.replace("~1", "/").replace("~0", "~")
