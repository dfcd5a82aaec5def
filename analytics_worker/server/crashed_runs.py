"""Keep runs Crashed that were declared dead: their process may come back and report another end.

Prefect lets a run leave Crashed for any state but Crashed. Here a process can't change it: only who starts
the run again (Scheduled), or forces a state, can. Other reasons of a crash are left to Prefect. Changes the
orchestration policy of this process, once.
"""

from collections.abc import Sequence
from typing import Any

from prefect.server.database.orm_models import FlowRun
from prefect.server.orchestration.core_policy import CoreFlowPolicy
from prefect.server.orchestration.dependencies import ORCHESTRATION_DEPENDENCIES
from prefect.server.orchestration.policies import FlowRunOrchestrationPolicy
from prefect.server.orchestration.rules import FlowRunOrchestrationRule, OrchestrationContext
from prefect.server.schemas.core import FlowRunPolicy
from prefect.server.schemas.states import State, StateType
from typing_extensions import override

from analytics_worker.prefect_support.heartbeat_timeout import CRASH_MESSAGE


class KeepDeclaredCrashes(FlowRunOrchestrationRule):
    """Refuse the states that a process of a run reports after the run was declared crashed."""

    FROM_STATES: set[StateType | None] = {StateType.CRASHED}  # noqa: RUF012  # as Prefect declares it
    TO_STATES: set[StateType | None] = {  # noqa: RUF012
        StateType.RUNNING,
        StateType.COMPLETED,
        StateType.FAILED,
    }

    @override
    async def before_transition(
        self,
        initial_state: State | None,
        proposed_state: State | None,
        context: OrchestrationContext[FlowRun, FlowRunPolicy],
    ) -> None:
        """Abort the transition, which ends the process that requests it."""
        if initial_state is not None and initial_state.message == CRASH_MESSAGE:
            await self.abort_transition(f"The run was declared crashed. {CRASH_MESSAGE}")


class FencedFlowPolicy(FlowRunOrchestrationPolicy):
    """Prefect's rules for runs of flows, after this project's one."""

    @staticmethod
    @override
    def priority() -> Sequence[Any]:  # pyright: ignore[reportIncompatibleMethodOverride]  # as Prefect's own policies
        """Return the rules in their order."""
        return [KeepDeclaredCrashes, *CoreFlowPolicy.priority()]


async def _policy() -> type[FlowRunOrchestrationPolicy]:
    return FencedFlowPolicy


def keep_declared_crashes() -> None:
    """Let the server of this process refuse what a run reports that was declared crashed."""
    ORCHESTRATION_DEPENDENCIES["flow_policy_provider"] = _policy
