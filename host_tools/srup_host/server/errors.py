"""Why a request is not answered with what it asks for."""

from srup_host.console import Failure


class Missing(Failure):
    """There is no such thing."""


class NotLoggedIn(Failure):
    """Nobody knows who is asking."""


class Forbidden(Failure):
    """Whoever is asking may not."""


class Unavailable(Failure):
    """Something that the server needs has gone, for now."""


class TooMany(Failure):
    """Too many requests. seconds: to wait."""

    def __init__(self, seconds: int):
        super().__init__("too many requests", f"try again in {seconds} s")
        self.seconds = seconds
