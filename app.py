"""MedModel's launcher: `streamlit run app.py`."""

from __future__ import annotations

import functools
import logging
import sys
from pathlib import Path

from medmodel.core import installation
from medmodel.language import _, translate

# Before anything is imported that may be missing.
if missing := installation.missing_packages():
    sys.exit(installation.how_to_install(missing))

import streamlit as st
from streamlit import config, net_util

from medmodel.core.errors import (
    RIGHTS_ADVICE,
    MedModelError,
    StorageFault,
    storage_fault,
)
from medmodel.runs.failures import file_in_words, traced
from medmodel.server import application
from pages._shared.common.words import plain

ROOT = Path(__file__).resolve().parent

# Streamlit's own account of an error repeats what the error says, see `traced`.
logging.getLogger("streamlit.error_util").addFilter(
    lambda record: record.getMessage() != "Uncaught app execution"
)

# When a page of another site knocks, Streamlit would ask a host on the internet what
# address this machine has, and hold up everybody meanwhile.
net_util.get_external_ip = lambda: None

# Streamlit's port where none is named, and how many beyond it it tries.
USUAL_PORT, MORE_PORTS = 8501, 100


def listening_message() -> str:
    """Where `streamlit run` listens; "" where another server, which tells, serves."""
    if not getattr(config, "_server_mode", None):
        return ""
    port = int(st.get_option("server.port"))
    moved = not config.is_manually_set("server.port")
    return application.listening_message(
        st.get_option("server.address") or "",
        port,
        base_path=st.get_option("server.baseUrlPath"),
        tls=bool(st.get_option("server.sslCertFile")),
        taken_port=USUAL_PORT if moved and 0 < port - USUAL_PORT <= MORE_PORTS else 0,
    )


def show_failure(error: Exception) -> bool:
    """Says why a page failed; the details go to the log alone."""
    if isinstance(error, MedModelError):
        st.error(plain(translate(str(error))), icon=":material/error:")
        return True
    logging.getLogger("medmodel").error("A page failed.\n%s", traced(error))
    fault = storage_fault(error)
    if fault is None and isinstance(error, OSError) and error.strerror:
        fault = StorageFault(plain(error.strerror), RIGHTS_ADVICE)
    if fault is not None:
        file = file_in_words(error) if isinstance(error, OSError) else ""
        some_file = _("a file")
        st.error(
            _(
                "The server could not read or write {file}: {reason}. Nothing that "
                "was trained is lost. What to do: {advice}.",
                file=plain(file or some_file),
                reason=translate(fault.what),
                advice=translate(fault.advice),
            ),
            icon=":material/hard_drive:",
        )
        return True
    st.error(
        _(
            "Something went wrong in this program, not in what you did. "
            "Nothing that was trained is lost. Reload the page; if it happens "
            "again, the server's log says where."
        ),
        icon=":material/bug_report:",
    )
    return True


app = st.App(
    ROOT / "pages" / "menu.py",
    routes=application.routes(),
    middleware=application.middleware(
        st.get_option("server.allowedHosts"),
        st.get_option("server.corsAllowedOrigins"),
    ),
    lifespan=functools.partial(application.lifespan, message=listening_message()),
    on_script_error=show_failure,
)
