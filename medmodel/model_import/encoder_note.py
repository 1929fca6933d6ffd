"""encoder.json of a run: on whose features it was trained, for every later attempt."""

from __future__ import annotations

from dataclasses import asdict

from medmodel.core.environment import weights_folder
from medmodel.core.errors import WeightsError
from medmodel.core.storage import read_as, replacing, write_json
from medmodel.export.archive import LICENCE
from medmodel.language import _
from medmodel.model_import.encoders import Encoder, check_files, read_encoder
from medmodel.runs.run import Run

FILE = "encoder.json"


def noted_encoder(run: Run) -> Encoder | None:
    """The encoder that a run learns on, noted when it is first asked for.

    Returns:
        None for a run of another network.

    Raises:
        WeightsError: It is missing from the weights folder, or what stands there by
            its name is another one than when the run began.
    """
    if not run.config.encoder:
        return None
    encoder = read_encoder(run.config.encoder)
    check_files(encoder)
    noted = read_as(run.folder / FILE, Encoder)
    if noted is None:
        licence = (weights_folder() / encoder.licence).read_bytes()
        with replacing(run.folder / LICENCE, "wb") as file:
            file.write(licence)
        facts = {**asdict(encoder), "table": encoder.table}
        write_json(run.folder / FILE, facts)
    elif noted.fingerprint != encoder.fingerprint:
        raise WeightsError(
            _(
                "The encoder {name} in the weights folder is another one than when the "
                "run began (SHA-256 {digest}): put that one back, or train a new run.",
                name=noted.name,
                digest=noted.sha256,
            )
        )
    return encoder
