"""Sessions: run OpenQASM text or a circuit with parameters, singly, in batches and in the background."""

from qsim.pauli import Pauli, SparsePauliOp
from session.errors import JobCancelledError, JobError, JobTimeoutError, ProgramTypeError, SessionError
from session.execution import ExecutionSession
from session.jobs import ExecutionJob, JobStatus
from session.preferences import BackendNames, ExecutionPreferences
from session.results import EstimationResult, ExecutionDetails, SampledState

__all__ = [
    "BackendNames",
    "EstimationResult",
    "ExecutionDetails",
    "ExecutionJob",
    "ExecutionPreferences",
    "ExecutionSession",
    "JobCancelledError",
    "JobError",
    "JobStatus",
    "JobTimeoutError",
    "Pauli",
    "ProgramTypeError",
    "SampledState",
    "SessionError",
    "SparsePauliOp",
]
