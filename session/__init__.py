"""Sessions: run OpenQASM text or a circuit with parameters, singly, in batches and in the background."""

from qsim.pauli import Pauli, SparsePauliOp
from session.errors import (
    JobCancelledError,
    JobError,
    JobFailedError,
    JobNotFoundError,
    JobTimeoutError,
    ProgramTypeError,
    SessionError,
    StorageFullError,
    StoreAccessError,
    StoreCorruptError,
    StoreError,
    StoreVersionError,
)
from session.execution import ExecutionSession
from session.jobs import ExecutionJob, get_execution_jobs
from session.preferences import BackendNames, ExecutionPreferences
from session.results import EstimationResult, ExecutionDetails, SampledState
from session.store.records import JobStatus

__all__ = [
    "BackendNames",
    "EstimationResult",
    "ExecutionDetails",
    "ExecutionJob",
    "ExecutionPreferences",
    "ExecutionSession",
    "JobCancelledError",
    "JobError",
    "JobFailedError",
    "JobNotFoundError",
    "JobStatus",
    "JobTimeoutError",
    "Pauli",
    "ProgramTypeError",
    "SampledState",
    "SessionError",
    "SparsePauliOp",
    "StorageFullError",
    "StoreAccessError",
    "StoreCorruptError",
    "StoreError",
    "StoreVersionError",
    "get_execution_jobs",
]
