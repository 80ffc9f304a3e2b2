"""Sessions: run OpenQASM text or a circuit with parameters, singly, in batches and in the background."""

from qsim.pauli import Pauli, SparsePauliOp
from session.errors import JobCancelledError, JobError, JobTimeoutError, ProgramTypeError, SessionError
from session.estimates import EstimationResult, GradientResult, MinimizationResult
from session.execution import ExecutionSession
from session.jobs import ExecutionJob, JobStatus
from session.outputs import OutputType
from session.preferences import BackendNames, ExecutionPreferences
from session.quantum_program import QuantumProgram
from session.results import ExecutionDetails, SampledState
from session.statevectors import SimulatedState, StateVectorResult

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
]
