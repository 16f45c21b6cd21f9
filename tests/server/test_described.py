"""Requests as the routes say that they take them, and others (schemathesis): no answer is a fault of the server."""

import io

import httpx
import pytest
import schemathesis
import soundfile
from hypothesis import HealthCheck
from hypothesis import settings as drawn
from schemathesis.specs.openapi.schemas import OpenApiSchema

ENDLESS = "/api/events"
FEW = drawn(max_examples=6, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
MANY = drawn(max_examples=200, deadline=None, database=None, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def described(client: httpx.Client) -> OpenApiSchema:
    return schemathesis.openapi.from_url(f"{client.base_url}/openapi.json")


@pytest.fixture(scope="module")
def real(client: httpx.Client, tones) -> dict[str, str]:
    """A project, a recording, a segment and a model that there are."""
    project = client.post("/api/projects", json={"name": "real"}).json()["id"]
    sound = io.BytesIO()
    soundfile.write(sound, tones("abba cab"), 16_000, format="WAV")
    files = {"file": ("a.wav", sound.getvalue())}
    recording = client.post(f"/api/projects/{project}/recordings", files=files).json()["id"]
    span = {"start_s": 0.1, "end_s": 1.0}
    segment = client.post(f"/api/recordings/{recording}/segments", json=span).json()["id"]
    return {"p": project, "r": recording, "s": segment, "name": "tiny", "job": "none"}


schema = schemathesis.pytest.from_fixture("described").exclude(path=ENDLESS)


def ask(case: schemathesis.Case, client: httpx.Client) -> None:
    answer = case.call(base_url=str(client.base_url), timeout=120)
    assert answer.status_code < 500, f"{case.as_curl_command()}\n{answer.text[:500]}"


@schema.parametrize()
@FEW
def test_no_answer_is_a_fault(case: schemathesis.Case, client: httpx.Client) -> None:
    ask(case, client)


@schema.exclude(method="DELETE").parametrize()
@FEW
def test_no_answer_of_what_there_is_is_a_fault(case, client: httpx.Client, real: dict[str, str]) -> None:
    case.path_parameters = {key: real.get(key, value) for key, value in (case.path_parameters or {}).items()}
    ask(case, client)


@pytest.mark.slow
@schema.exclude(method="DELETE").parametrize()
@MANY
def test_no_answer_to_many_is_a_fault(case, client: httpx.Client, real: dict[str, str]) -> None:
    ask(case, client)
    case.path_parameters = {key: real.get(key, value) for key, value in (case.path_parameters or {}).items()}
    ask(case, client)
