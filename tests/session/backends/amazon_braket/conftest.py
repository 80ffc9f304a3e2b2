"""S3 by moto, Braket by `braket_server`, and AWS's environment made safe: no credentials but these, no metadata service.

Servers and boto3's clients are made once, which takes the most time; each test begins with a server that knows nothing.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from braket_server import BUCKET, SECRET, BraketServer, simulator_capabilities


@pytest.fixture(scope="session")
def aws_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    folder = tmp_path_factory.mktemp("aws")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_REGION", "AWS_SESSION_TOKEN"):
            patch.delenv(name, raising=False)
        patch.setenv("AWS_ACCESS_KEY_ID", "AKIATEST")
        patch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        patch.setenv("AWS_CONFIG_FILE", str(folder / "config"))
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(folder / "credentials"))
        yield


@pytest.fixture(scope="session")
def s3_url() -> Iterator[str]:
    pytest.importorskip("moto")
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="session")
def one_service(s3_url: str, aws_environment: None) -> Iterator[Any]:
    pytest.importorskip("braket.default_simulator")
    boto3 = pytest.importorskip("boto3")

    client = boto3.client("s3", endpoint_url=s3_url, region_name="us-east-1")
    client.create_bucket(Bucket=BUCKET)
    with BraketServer(client, simulator_capabilities()) as server:
        yield server


@pytest.fixture
def service(one_service: Any) -> Iterator[Any]:
    one_service.reset()
    yield one_service
    one_service.__dict__.pop("_CreateQuantumTask", None)


@pytest.fixture(scope="session")
def one_client(one_service: Any, s3_url: str) -> Iterator[Any]:
    """boto3's clients as the adapter makes them, with no waits between their tries."""
    from botocore.retries import standard

    from session.backends.braket import BraketOptions
    from session.backends.braket.client import BraketClient

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(standard.ExponentialBackoff, "delay_amount", lambda self, context: 0.0)
        options = BraketOptions(
            target="sv1", bucket=BUCKET, region="us-east-1", endpoint=one_service.url, s3_endpoint=s3_url
        )
        yield BraketClient(options)


@pytest.fixture
def backend(service: Any, one_client: Any) -> Any:
    """The adapter."""
    from session.backends.braket import BraketBackend

    return BraketBackend(one_client._options, client=one_client)
