"""``make demo``: one material from a file to reuse under a grant and an offline verdict, told as a story."""

from api.demo.story import run_demo

__all__ = ["run_demo"]
