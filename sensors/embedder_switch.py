"""Asks for what a switch of embedders needs: fitting a projection, then a model on the new vectors. No vectors here.

`video_arrivals` brings the vectors themselves, video by video; the gate decides whether the new model is to serve.
"""

from dataclasses import dataclass

import dagster as dg

from al_assets import jobs
from al_assets.automation import Decision, counted
from al_assets.embedder_choice import wanted_embedder
from al_assets.projections import decide_projection, projection_state
from al_assets.settings import Settings
from resources.archive import Archive
from sensors.runs import busy, digest, ended, request


@dataclass(frozen=True)
class SwitchState:
    """wanted: the embedder that every video shall have; newest: the one that the newest model reads, None without one.

    behind: videos that a model to serve sees and that lack the wanted embedder's vectors.
    """

    wanted: str
    newest: str | None
    behind: int = 0


def decide_switch(state: SwitchState) -> Decision:
    """One `learn` run when the wanted vectors are there for all that is seen now, and no model was trained on them."""
    if state.newest is None:
        return Decision(False, "no model yet; the first one comes with labels")
    if state.newest == state.wanted:
        return Decision(False, f"the newest model reads {state.wanted}")
    if state.behind:
        lack = counted(state.behind, "video lacks", "videos lack")
        return Decision(False, f"{lack} vectors by {state.wanted}; until then models read {state.newest}")
    return Decision(
        True, f"every video has vectors by {state.wanted}, and the newest model reads {state.newest}"
    )


def switch_state(archive: Archive, settings: Settings) -> SwitchState:
    """How the switch stands, from SQL."""
    wanted, newest = wanted_embedder(archive, settings.embeddings), archive.models.latest()
    if newest is None or newest.embedder_id == wanted:
        return SwitchState(wanted, newest.embedder_id if newest else None)
    seen = archive.models.target() or archive.models.serving() or newest
    return SwitchState(wanted, newest.embedder_id, len(archive.embedders.behind(seen.embedder_id, wanted)))


def make_embedder_switch(settings: Settings) -> dg.SensorDefinition:
    """The sensor, with the owner's interval."""

    @dg.sensor(
        name="embedder_switch",
        jobs=[jobs.learn, jobs.score],
        minimum_interval_seconds=settings.sensors.interval_seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Asks for a projection once there are vectors enough for smaller ones, and for a model once every "
        "video has vectors by the embedder in the settings.",
    )
    def embedder_switch(context: dg.SensorEvaluationContext, archive: Archive) -> dg.SensorResult:
        fit = projection_state(archive, settings.embeddings)
        switch = switch_state(archive, settings)
        fitting, learning = decide_projection(fit), decide_switch(switch)
        # A model on vectors that are about to be replaced would be trained for nothing.
        job, decision = (jobs.SCORE, fitting) if fitting.go else (jobs.LEARN, learning)
        newest = archive.models.latest()
        work = digest([job, switch.wanted, fit.dimensions, newest.checkpoint_id if newest else ""])
        if decision.go and busy(context.instance, *jobs.ONE_AT_A_TIME):
            decision = Decision(False, f"{decision.reason}; waits for the run in progress")
        if decision.go and (how := ended(context.instance, job, work)):
            decision = Decision(False, f"{decision.reason}; {job} {how} on exactly this, see its run")
        message = decision.reason if decision.go else f"{fitting.reason}; {learning.reason}"
        if not decision.go and decision not in (fitting, learning):
            message = decision.reason
        context.log.info(message)
        if not decision.go:
            return dg.SensorResult(skip_reason=message)
        return dg.SensorResult(run_requests=[request(job, decision.reason, work)])

    return embedder_switch
