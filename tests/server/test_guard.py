"""Who is let in: hosts, pages of other sites, and the token; over HTTP and WebSockets."""

import socket
from pathlib import Path

import pytest
from fastapi import FastAPI, WebSocket
from fastapi.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from earful.errors import ConfigError
from earful.server.guard import COOKIE, Guard, our_names
from earful.server.run import address, run
from earful.server.settings import Settings, is_loopback, new_token

TOKEN = "a-token-of-some-length"


def guarded(settings: Settings, host: str = "127.0.0.1:8700") -> TestClient:
    """A client of an application with one route and one WebSocket behind the guard."""
    app = FastAPI()

    @app.get("/v1/models")
    def models() -> dict[str, str]:
        return {}

    @app.post("/v1/models")
    def change() -> dict[str, str]:
        return {}

    @app.websocket("/v1/realtime")
    async def realtime(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_text("heard")

    app.add_middleware(Guard, settings=settings)
    return TestClient(app, base_url=f"http://{host}", follow_redirects=False)


@pytest.fixture
def local() -> TestClient:
    return guarded(Settings())


@pytest.fixture
def remote() -> TestClient:
    return guarded(Settings(host="0.0.0.0", token=TOKEN), "192.168.1.7:8700")


@pytest.mark.parametrize("host", ["127.0.0.1:8700", "localhost", "localhost:9999", "[::1]:8700", "LOCALHOST:8700"])
def test_this_machine_may_ask_for_itself(local: TestClient, host: str) -> None:
    assert local.get("/v1/models", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8700", "localhost.evil.example", "192.168.1.7:8700", "", "[", "127.0.0.1@x"]
)
def test_a_name_that_was_turned_to_this_machine_is_refused(local: TestClient, host: str) -> None:
    answer = local.get("/v1/models", headers={"host": host})
    assert answer.status_code == 403 and answer.json()["error"]["code"] == "host"


def test_two_hosts_are_refused(local: TestClient) -> None:
    headers = [("host", "127.0.0.1"), ("host", "evil.example")]
    assert local.get("/v1/models", headers=headers).status_code == 403


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "null",
        "http://127.0.0.1:3000",
        "http://localhost:8700",
        "http://127.0.0.1:8700.evil.example",
    ],
)
def test_pages_of_other_sites_are_refused(local: TestClient, origin: str) -> None:
    for method in ("GET", "POST"):
        answer = local.request(method, "/v1/models", headers={"origin": origin})
        assert answer.status_code == 403 and answer.json()["error"]["code"] == "origin"
    with pytest.raises(WebSocketDisconnect), local.websocket_connect("/v1/realtime", headers={"origin": origin}):
        pass


def test_its_own_page_may_ask(local: TestClient) -> None:
    headers = {"origin": "http://127.0.0.1:8700", "host": "127.0.0.1:8700"}
    assert local.post("/v1/models", headers=headers).status_code == 200
    with local.websocket_connect("/v1/realtime", headers=headers) as socket:
        assert socket.receive_text() == "heard"


def test_what_another_site_embeds_is_refused_and_a_link_is_not(local: TestClient) -> None:
    embedded = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}
    assert local.get("/v1/models", headers=embedded).status_code == 403
    assert local.get("/v1/models", headers=embedded | {"sec-fetch-mode": "navigate"}).status_code == 200


def test_with_a_token_nobody_is_let_in_without(remote: TestClient) -> None:
    for headers in (
        {},
        {"authorization": "Bearer wrong"},
        {"authorization": f"Basic {TOKEN}"},
        {"cookie": f"{COOKIE}=x"},
    ):
        answer = remote.get("/v1/models", headers=headers)
        assert answer.status_code == 401 and answer.json()["error"]["type"] == "authentication_error"
        with pytest.raises(WebSocketDisconnect), remote.websocket_connect("/v1/realtime", headers=headers):
            pass


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": f"Bearer {TOKEN}"},
        {"authorization": f"bearer {TOKEN}"},
        {"cookie": f"other=1; {COOKIE}={TOKEN}"},
        {"sec-websocket-protocol": f"realtime, openai-insecure-api-key.{TOKEN}"},
    ],
)
def test_with_the_token_one_is(remote: TestClient, headers: dict[str, str]) -> None:
    assert remote.get("/v1/models", headers=headers).status_code == 200


@pytest.mark.parametrize("near", [TOKEN[:-1], TOKEN + "x", TOKEN.upper(), TOKEN[0], "", " "])
def test_nearly_the_token_is_not_it(remote: TestClient, near: str) -> None:
    assert remote.get("/v1/models", headers={"authorization": f"Bearer {near}"}).status_code == 401
    assert remote.get("/v1/models", headers={"cookie": f"{COOKIE}={near}"}).status_code == 401


def test_a_token_that_is_no_ascii_is_wrong_and_no_fault(remote: TestClient) -> None:
    assert remote.get("/v1/models", headers={"authorization": b"Bearer \xe9"}).status_code == 401


def test_the_address_that_was_printed_leaves_a_cookie_and_no_token_in_the_history(remote: TestClient) -> None:
    answer = remote.get(f"/?token={TOKEN}&x=1")
    assert answer.status_code == 303 and answer.headers["location"] == "/?x=1"
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie and "samesite=strict" in cookie
    assert remote.get("/v1/models").status_code == 200, "the client sends the cookie now"
    assert remote.get("/?token=wrong", headers={"cookie": ""}).status_code != 303


def test_the_address_leads_to_no_other_host(remote: TestClient) -> None:
    answer = remote.get(f"http://192.168.1.7:8700//evil.example/?token={TOKEN}")
    assert answer.status_code == 303 and answer.headers["location"] == "/evil.example/"


def test_what_is_answered_keeps_to_itself(local: TestClient) -> None:
    for answer in (local.get("/v1/models"), local.get("/v1/models", headers={"host": "evil.example"})):
        assert "default-src 'self'" in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "access-control-allow-origin" not in answer.headers


def test_names_that_were_given_may_be_asked_for() -> None:
    settings = Settings(host="0.0.0.0", token=TOKEN, names=("Talks.local",))
    key = {"authorization": f"Bearer {TOKEN}"}
    assert guarded(settings, "talks.local:8700").get("/v1/models", headers=key).status_code == 200
    assert guarded(settings, "evil.example").get("/v1/models", headers=key).status_code == 403
    assert "talks.local" in our_names(settings)


def test_what_is_this_machine_alone() -> None:
    assert all(map(is_loopback, ("127.0.0.1", "127.8.8.8", "::1", "[::1]", "localhost")))
    assert not any(map(is_loopback, ("0.0.0.0", "::", "192.168.1.7", "example.org", "")))


def test_other_machines_are_not_served_without_a_token(tmp_path) -> None:
    with pytest.raises(ConfigError, match="token"):
        run(Settings(host="0.0.0.0", home=tmp_path), print)


def test_who_serves_all_addresses_is_told_one_that_others_can_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody can open 0.0.0.0 from a telephone."""
    for host in ("0.0.0.0", "::"):
        shown = address(Settings(host=host, token="t"))
        assert "0.0.0.0" not in shown and "[::]" not in shown and shown.endswith(":8700/?token=t")

    class Nowhere(socket.socket):
        def connect(self, address: object) -> None:
            raise OSError("Network is unreachable")

    monkeypatch.setattr(socket, "socket", Nowhere)
    assert socket.gethostname() in address(Settings(host="0.0.0.0", token="t"))


def test_the_address_is_told_when_it_can_be_opened_and_not_before(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port, said = taken.getsockname()[1], list[str]()
        with pytest.raises(ConfigError, match=rf"port {port} of 127\.0\.0\.1 cannot be used \(.+\); give another"):
            run(Settings(home=tmp_path / "home", port=port), said.append)
        assert not said and capfd.readouterr() == ("", "") and not (tmp_path / "home").exists()


@pytest.mark.parametrize(
    ("host", "said"),
    [
        ("nowhere.invalid", r"host 'nowhere\.invalid': .+; give an address of this machine with --host"),
        ("192.0.2.1", r"host '192\.0\.2\.1': this machine has no such address"),  # of documentation (RFC 5737)
    ],
)
def test_a_host_that_is_not_here_is_named(tmp_path: Path, host: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        run(Settings(home=tmp_path, host=host, token="t"), print)


def test_the_address_has_the_token() -> None:
    assert address(Settings(host="::1", token="t")) == "http://[::1]:8700/?token=t"
    assert len(new_token()) >= 32 and new_token() != new_token()
