"""Amazon's own SDK against the contract server: ``python sdk_driver.py BRAKET_URL DEVICE BUCKET ARN`` prints JSON.

It makes a task of its own, reads it, cancels another, and reads the task `ARN` that this package's adapter made.
"""

import json
import sys


def run(url: str, device: str, bucket: str, arn: str) -> dict[str, object]:
    """What the SDK sees."""
    import boto3
    from braket.aws import AwsDevice, AwsQuantumTask, AwsSession
    from braket.circuits import Circuit

    boto = boto3.Session(region_name="us-east-1")
    session = AwsSession(boto_session=boto, braket_client=boto.client("braket", endpoint_url=url))
    place = AwsSession.S3DestinationFolder(bucket, "sdk")
    circuit = Circuit().x(2).cnot(2, 0).z(1)
    task = AwsQuantumTask.create(session, device, circuit, place, shots=20, poll_interval_seconds=0.05)
    result = task.result()
    other = AwsQuantumTask.create(session, device, circuit, place, shots=20)
    other.cancel()
    ours = AwsQuantumTask(arn, session, poll_interval_seconds=0.05)
    read = ours.result()
    return {
        "device": AwsDevice(device, session).name,
        "counts": dict(result.measurement_counts),
        "cancelled": other.state() in ("CANCELLING", "CANCELLED"),
        "ours": dict(read.measurement_counts),
        "qubits": list(read.measured_qubits),
    }


if __name__ == "__main__":
    print(json.dumps(run(*sys.argv[1:])))
