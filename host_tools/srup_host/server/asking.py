"""What handlers of requests ask for by the type of a parameter."""

from typing import Annotated

from fastapi import Depends, Path, Query, Request
from pydantic import BaseModel, ConfigDict

from srup_host.server.accounts import Actor
from srup_host.server.c2 import C2


def _c2(request: Request) -> C2:
    return request.app.state.c2


def _actor(request: Request) -> Actor:
    return request.state.actor


Here = Annotated[C2, Depends(_c2)]
Who = Annotated[Actor, Depends(_actor)]
Page = Annotated[int, Query(ge=1, le=1_000_000, description="Which page, from 1.")]
Size = Annotated[int, Query(ge=1, le=500, description="Entries a page.")]
Id = Annotated[int, Path(ge=1, le=2**53)]  # of a row: no database takes any number there is


class Body(BaseModel):
    """The JSON body of a request: what is not known in it is refused."""

    model_config = ConfigDict(extra="forbid", str_max_length=4096)
