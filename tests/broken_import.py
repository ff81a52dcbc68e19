"""A plugin's module whose import raises."""

1 / 0  # noqa: B018
