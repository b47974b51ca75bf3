"""Errors of model providers, where a request itself waits for one."""

from mainspring_kernel.errors import MainspringError


class ProviderFailed(MainspringError):
    """A model provider refused, or gave no usable answer. The detail is what it said."""

    code = "provider_failed"
    status = 502
    title = "The provider did not answer as it should"
