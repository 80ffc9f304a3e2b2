"""A variational loop that can be killed at any moment and started again: it goes on where it was.

Each step is a stored job; the ids and results so far are in a file. Run it, press Ctrl-C, run it again.
"""

import json
import sys
from pathlib import Path

from qsim import Circuit, Parameter
from session import ExecutionJob, ExecutionSession, Pauli

STEPS = 12
NOTES = Path(sys.argv[1] if len(sys.argv) > 1 else "long_jobs.json")

theta = Parameter("theta")
ansatz = Circuit(2).ry(theta, 0).cx(0, 1)
energy = -Pauli.Z(0) * Pauli.Z(1) - 0.5 * Pauli.X(0) * Pauli.X(1) - 0.3 * Pauli.Z(0)

notes = json.loads(NOTES.read_text()) if NOTES.exists() else []
with ExecutionSession(ansatz, random_seed=7) as session:
    while len(notes) < STEPS or "energies" not in notes[-1]:
        if notes and "energies" not in notes[-1]:
            job = ExecutionJob.from_id(notes[-1]["job"])  # submitted before this process began, perhaps
        else:
            best = min((min(zip(note["energies"], note["angles"], strict=True)) for note in notes), default=(0.0, 0.5))
            width = 1.0 / (1 + len(notes))
            angles = [best[1] - width, best[1], best[1] + width]
            job = session.submit_estimate(energy, [{"theta": angle} for angle in angles])
            notes.append({"job": job.id, "angles": angles})
            NOTES.write_text(json.dumps(notes))
        notes[-1]["energies"] = [result.value for result in job.get_batch_estimate_result()]
        NOTES.write_text(json.dumps(notes))

lowest, angle = min(min(zip(note["energies"], note["angles"], strict=True)) for note in notes)
print(f"lowest energy {lowest:.4f} at theta = {angle:.4f}, after {len(notes)} jobs")
