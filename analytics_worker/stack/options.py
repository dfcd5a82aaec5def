"""Define the options of `analytics-worker up`. Reads and writes nothing."""

from dataclasses import dataclass, field
from typing import Any

from analytics_worker.stack.seed_definitions import Definitions
from analytics_worker.stack.task_process import ErrorText
from analytics_worker.stack_address import new_marker


@dataclass(frozen=True)
class Options:
    """The options of `analytics-worker up`."""

    pipeline: bool = True
    sample_scale: float = 1.0
    sample_opportunities: int | None = None
    definitions: Definitions = field(default_factory=dict[str, Any])
    error_text: ErrorText = str
    debug: bool = False
    marker: str = field(default_factory=new_marker)
    """What every process of the stack has in its environment."""
