"""Requests as the routes say that they take them, and others (schemathesis): no answer is a fault of the server, nor of
a status that the description does not have."""

import io

import httpx
import pytest
import schemathesis
import soundfile
from hypothesis import HealthCheck, given
from hypothesis import settings as drawn
from schemathesis.specs.openapi.checks import status_code_conformance
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


def ask_all(described: OpenApiSchema, client: httpx.Client, how: drawn, real: dict[str, str] | None = None) -> int:
    """Ask what every route says that it takes; `real` are names of what there is, for paths. Answers how many asked."""
    asked = 0
    for found in described.get_all_operations():
        operation = found.ok()
        if operation.path == ENDLESS or (real and operation.method == "delete"):
            continue

        @how
        @given(case=operation.as_strategy())
        def one(case: schemathesis.Case) -> None:
            nonlocal asked
            if real:
                case.path_parameters = {key: real.get(key, value) for key, value in case.path_parameters.items()}
            answer = case.call(base_url=str(client.base_url), timeout=120)
            assert answer.status_code < 500, f"{case.as_curl_command()}\n{answer.text[:500]}"
            case.validate_response(answer, checks=[status_code_conformance])
            asked += 1

        one()
    return asked


def test_no_answer_is_a_fault(described: OpenApiSchema, client: httpx.Client) -> None:
    assert ask_all(described, client, FEW) > 60


def test_no_answer_of_what_there_is_is_a_fault(described, client: httpx.Client, real: dict[str, str]) -> None:
    assert ask_all(described, client, FEW, real) > 60


@pytest.mark.slow
@pytest.mark.parametrize("of_real", [False, True])
def test_no_answer_to_many_is_a_fault(described, client: httpx.Client, real: dict[str, str], of_real: bool) -> None:
    assert ask_all(described, client, MANY, real if of_real else None) > 1000
