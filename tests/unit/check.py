"""What tests/unit needs besides `assert`, on CPython and on MicroPython."""


def raises(error, function, *arguments):
    """Call function(*arguments) and return the `error` that it raises. Any other exception passes through."""
    try:
        result = function(*arguments)
    except error as caught:
        return caught
    raise AssertionError(f"{error.__name__} not raised: returned {result!r}")
