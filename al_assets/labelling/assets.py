"""The asset `labelling_project`: tasks to a connected Label Studio, its answers back. How, labelling_sync knows."""

import dagster as dg

from al_assets.automation import RETRY
from al_assets.labelling_sync import synchronise
from al_assets.selection.assets import labelling_tasks
from al_assets.settings import Settings
from resources.archive import Archive
from resources.labelling_tool import LabelStudio
from resources.labelling_tool_errors import LabellingToolError, ToolUnreachableError

REQUEST_SECONDS = 60.0
ATTEMPTS = 5
"""Tries of a request, with growing waits: about as long as a server takes to start."""


@dg.asset(
    group_name="selection",
    kinds={"labelstudio"},
    deps=[labelling_tasks],
    retry_policy=RETRY,
    code_version="1",
)
def labelling_project(
    context: dg.AssetExecutionContext,
    archive: Archive,
    settings: dg.ResourceParam[Settings],
    labelling_tool: LabelStudio,
) -> dg.MaterializeResult:
    """The project of a connected Label Studio: every open task is in it once, and its answers are fetched when due.

    Answers go to `label_exports/label_studio/` and come back as any export does. Without a server nothing is done,
    and the files under `labelling_tasks/` are the way.
    """
    if not labelling_tool.is_configured:
        return dg.MaterializeResult(metadata={"why": "no labelling tool is connected (AL_LABEL_STUDIO_URL)"})
    try:
        with labelling_tool.connect(timeout_seconds=REQUEST_SECONDS, attempts=ATTEMPTS) as server:
            return dg.MaterializeResult(
                metadata=synchronise(archive, settings, labelling_tool, server, context.log)
            )
    except ToolUnreachableError:
        raise
    except LabellingToolError as error:
        # Trying again at once would meet the same answer.
        raise dg.Failure(str(error), allow_retries=False) from None
