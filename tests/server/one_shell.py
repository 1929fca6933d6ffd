"""Our routes on a port, as one of several servers: `python -m ... PORT`."""

from __future__ import annotations

import sys

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from medmodel.server import application, uploads


async def page(request: Request) -> Response:
    """What a page with an upload does: it asks for a ticket of its own server."""
    return JSONResponse({"port": sys.argv[1], "ticket": uploads.begin()})


if __name__ == "__main__":
    app = Starlette(
        routes=[Route("/page", page), *application.routes()],
        middleware=application.middleware(["127.0.0.1"]),
    )
    uvicorn.run(app, port=int(sys.argv[1]), log_level="warning", ws="websockets-sansio")
