"""``serve`` and ``demo``."""

from pathlib import Path
from typing import Annotated

import typer

from api.cli.options import DEFAULT_WORKSPACE, WorkspaceOption, open_workspace


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(serve)
    app.command()(demo)


def serve(
    host: Annotated[str | None, typer.Option(help="监听地址 · address (default: the settings')")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="端口 · port (default: the settings')")] = None,
    workspace: WorkspaceOption = None,
) -> None:
    """启动 HTTP 服务与上链任务。 · Run the HTTP service; it anchors in the background."""
    from api.http.app import serve as run_service  # FastAPI is loaded for this command only

    with open_workspace(workspace) as opened:
        opened.keyring.connect()  # a wrong PIN ends this here, not at the first signature
        settings = opened.settings.service
        run_service(opened, host=host or settings.host, port=settings.port if port is None else port)


def demo(
    workspace: Annotated[
        Path, typer.Option("--workspace", "-w", help="演示工作区 · folder of the demonstration")
    ] = DEFAULT_WORKSPACE,
) -> None:
    """演示全流程：签发、上链、授权、跨省复用、离线核验。 · The whole way as a story, on the embedded defaults."""
    from api.demo import run_demo

    run_demo(workspace)
