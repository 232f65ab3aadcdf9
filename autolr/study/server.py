"""Optuna's storage on a PostgreSQL server that may restart during a study."""

import functools
from collections.abc import Callable
from typing import Any

import sqlalchemy
from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.storages import RDBStorage
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from autolr.study.session import PATIENCE, Session, connect_args, lock_key

_ATTEMPTS = 3  # a server that breaks three connections in one call is not merely restarting
_SHUTDOWN = ("08", "57P")  # SQLSTATE: connection errors, and an operator's shutdown
_REPEATED = (
    "get_all_studies",
    "get_study_directions",
    "get_study_id_from_name",
    "get_study_name_from_id",
    "get_study_system_attrs",
    "get_study_user_attrs",
    "get_trial",
    "get_trial_id_from_study_id_trial_number",
    "set_study_system_attr",
    "set_study_user_attr",
    "set_trial_intermediate_value",
    "_set_trial_param",
    "set_trial_state_values",
    "set_trial_system_attr",
    "set_trial_user_attr",
    "_get_trials",
)  # idempotent methods; Optuna itself repeats the creation of a trial


class PatientStorage(RDBStorage):
    """Repeats a call that the server did not confirm because the connection broke.

    `Session.connect` waits for the new connection.
    """

    def __init__(self, url: str, engine_kwargs: dict[str, Any], **kwargs: Any) -> None:
        super().__init__(url, engine_kwargs, **kwargs)
        sqlalchemy.event.listen(self.engine, "handle_error", _note_end)


def _patient(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def patient(*args: Any, **kwargs: Any) -> Any:
        for attempt in range(_ATTEMPTS):
            try:
                return method(*args, **kwargs)
            except UpdateFinishedTrialError:
                if not attempt:
                    raise
                return True  # the first attempt succeeded, but its confirmation was lost
            except StorageInternalError as error:
                if attempt == _ATTEMPTS - 1 or not _broken(error.__cause__):
                    raise
        raise AssertionError

    return patient


for _name in _REPEATED:
    setattr(PatientStorage, _name, _patient(getattr(RDBStorage, _name)))


def _note_end(context: sqlalchemy.engine.ExceptionContext) -> None:
    """Mark a connection as broken if its server announces a shutdown, though it may be open."""
    state = getattr(context.original_exception, "sqlstate", None) or ""
    context.is_disconnect = context.is_disconnect or state.startswith(_SHUTDOWN)


def _broken(cause: BaseException | None) -> bool:
    return isinstance(cause, DBAPIError) and cause.connection_invalidated


def open_on_server(url: URL, template: str, session: Session | None) -> RDBStorage:
    """Open the storage on a PostgreSQL server; create its tables if they do not exist.

    Processes that create tables at the same time wait for each other.

    Args:
        url: The storage.
        template: The same, escaped for Optuna.
        session: The only connection to use; None: connections are opened as needed.
    """
    settings = {"pool_pre_ping": True, "connect_args": connect_args(url)}
    engine = sqlalchemy.create_engine(url, poolclass=NullPool, **settings)
    with engine.connect() as turn:
        turn.execute(sqlalchemy.text(f"set lock_timeout = '{PATIENCE:g}s'"))
        turn.execute(sqlalchemy.text(f"select pg_advisory_xact_lock({lock_key('tables')})"))
        storage = PatientStorage(template, settings)
    if session is None:
        return storage
    storage.engine.dispose()
    own = {"creator": session.connect, "pool_size": 1, "max_overflow": 0, "pool_pre_ping": True}
    return PatientStorage(template, own, skip_table_creation=True, skip_compatibility_check=True)
