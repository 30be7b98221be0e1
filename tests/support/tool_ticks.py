"""Ticks of `labelling_tool` over an archive whose batches are out for labelling. No assertion about them here."""

from __future__ import annotations

from pathlib import Path

import dagster as dg

from resources.labelling_tool import LabelStudio
from sensors.labelling_tool import make_labelling_tool
from support.small_archives import empty_archive
from support.ticks import SUCCESS, Ticks
from support.tool_archives import ToolArchive


class ToolTicks(ToolArchive):
    """An archive with a labelling tool, looked at by its sensor; a run that is asked for may be done at once."""

    def __init__(self, folder: Path, tool: LabelStudio, instance: dg.DagsterInstance) -> None:
        archive = empty_archive(folder)
        super().__init__(archive, tool)
        self.ticks = Ticks(archive, instance)

    def tick(self) -> bool:
        """Whether a run is asked for."""
        sensor, resources = (
            make_labelling_tool(self.settings),
            {"archive": self.archive, "labelling_tool": self.tool},
        )
        with dg.build_sensor_context(instance=self.ticks.instance, resources=resources) as context:
            result = sensor(context)
        assert isinstance(result, dg.SensorResult)
        self.message = result.skip_reason.skip_message if result.skip_reason else ""
        for request in result.run_requests or []:
            self.ticks.launch(str(request.job_name), request.tags)
        return bool(result.run_requests)

    def run(self) -> None:
        """The run that was asked for is done."""
        self.sync()
        self.ticks.end(SUCCESS)

    def quiet(self, minutes: float) -> None:
        """How long answers must have stood still."""
        labelling = {**self.settings.labelling.model_dump(), "settle_minutes": minutes}
        self.settings = self.settings.model_validate({**self.settings.model_dump(), "labelling": labelling})
