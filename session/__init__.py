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
from session.estimates import EstimationResult, GradientResult, MinimizationResult
from session.execution import ExecutionSession
from session.jobs import ExecutionJob, get_execution_jobs
from session.outputs import OutputType
from session.preferences import BackendNames, ExecutionPreferences
from session.quantum_program import QuantumProgram
from session.results import ExecutionDetails, SampledState
from session.statevectors import SimulatedState, StateVectorResult
from session.store.records import JobStatus

#: The simulators by the name that programs from elsewhere know them by.
ClassiqSimulatorBackendNames = BackendNames

__all__ = [
    "BackendNames",
    "ClassiqSimulatorBackendNames",
    "EstimationResult",
    "ExecutionDetails",
    "ExecutionJob",
    "ExecutionPreferences",
    "ExecutionSession",
    "GradientResult",
    "JobCancelledError",
    "JobError",
    "JobFailedError",
    "JobNotFoundError",
    "JobStatus",
    "JobTimeoutError",
    "MinimizationResult",
    "OutputType",
    "Pauli",
    "ProgramTypeError",
    "QuantumProgram",
    "SampledState",
    "SessionError",
    "SimulatedState",
    "SparsePauliOp",
    "StateVectorResult",
    "StorageFullError",
    "StoreAccessError",
    "StoreCorruptError",
    "StoreError",
    "StoreVersionError",
    "get_execution_jobs",
]
