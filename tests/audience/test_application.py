"""What the audience address answers, asked over real sockets, and what it refuses."""

from __future__ import annotations

import json
import random
import resource
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from medmodel.audience import application
from medmodel.audience.application import host_and_port
from medmodel.audience.slide import Image, Slide
from tests.audience.conftest import CODE, SLIDE, Address, Follower

PAGE = f"/{CODE}/"
WRONG = "c0de-of-22_characters-"
FILES = ("", "audience.js", "audience.css", "slide.js", "slide.css")


@pytest.fixture(autouse=True)
def no_delay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(application, "DELAY_SECONDS", 0)


@pytest.mark.parametrize("name", FILES)
def test_the_page_and_its_files_are_served_and_never_kept(
    lasting_address: Address, name: str
) -> None:
    status, headers, content = lasting_address.ask(PAGE + name)
    assert status == 200 and content
    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-content-type-options"] == "nosniff"
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy and "script-src 'self';" in policy
    assert "unsafe" not in policy and "http" not in policy
    assert "set-cookie" not in headers and "server" not in headers


def test_the_page_has_no_script_of_its_own_and_the_disclaimer(
    lasting_address: Address,
) -> None:
    page = lasting_address.ask(PAGE)[2].decode()
    assert "Not for clinical use." in page
    assert "<script>" not in page and "style=" not in page and "//" not in page


def test_a_link_without_its_last_stroke_leads_to_the_page(
    lasting_address: Address,
) -> None:
    status, headers, _ = lasting_address.ask(f"/{CODE}")
    assert status == 308 and headers["location"] == f"{CODE}/"


@pytest.mark.parametrize(
    "path",
    [
        *(
            "/",
            "/train",
            "/runs?run=1",
            "/healthz",
            "/vendor/plotly.js",
            "/favicon.ico",
        ),
        *("/_stcore/health", "/_stcore/stream", "/_stcore/host-config", "/media/a.png"),
        *("/live/20260101-000000-abcdef", "/upload/ticket", "/static/index.html"),
        *(
            f"/{WRONG}/",
            f"/{WRONG}/events",
            f"/{WRONG}",
            f"/{CODE}x/",
            f"/{CODE[:-1]}/",
        ),
        *(f"/{CODE.upper()}/", f"//{CODE}/", f"/./{CODE}/", f"/x/../{CODE}/"),
        *(f"{PAGE}../", f"{PAGE}../../app.py", f"{PAGE}..%2f..%2fapp.py", f"{PAGE}%2e"),
        *(f"{PAGE}/", f"{PAGE}audience.html", f"{PAGE}app.py", f"{PAGE}live_chart.js"),
        *(f"{PAGE}image/", f"{PAGE}image/{'0' * 64}", f"{PAGE}image/../audience.js"),
        *(f"{PAGE}events/", f"{PAGE}events?x=1", f"{PAGE}audience.js?x=1"),
        *(f"/{WRONG}/?x=1", f"/?{CODE}", f"/x?/{CODE}/"),
        *(
            f"{PAGE}audience.js%00",
            f"{PAGE}AUDIENCE.JS",
            f"{PAGE}vote",
            f"/%63{CODE[1:]}/",
        ),
        *(f"{PAGE}\\..\\app.py", f"{PAGE};x", f"{PAGE}index"),
    ],
)
def test_nothing_else_is_there(lasting_address: Address, path: str) -> None:
    status, headers, content = lasting_address.ask(path)
    assert (status, content) == (404, b"There is nothing here.")
    assert headers["cache-control"] == "no-store"
    assert CODE not in str(headers)


@pytest.mark.parametrize("query", ["?", "?x=1", "?utm_source=chat&fbclid=1%202", "??"])
def test_a_link_that_was_sent_on_may_have_parameters(
    lasting_address: Address, query: str
) -> None:
    plain = lasting_address.ask(PAGE)
    status, _headers, content = lasting_address.ask(f"{PAGE}{query}")
    assert (status, content) == (plain[0], plain[2]) and status == 200
    status, headers, _content = lasting_address.ask(f"/{CODE}{query}")
    assert (status, headers["location"]) == (308, f"{CODE}/")


@pytest.mark.parametrize(
    "method",
    [
        *("HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"),
        *("PROPFIND", "get", "GETX"),
    ],
)
def test_it_can_only_be_read(lasting_address: Address, method: str) -> None:
    for path in (PAGE, f"{PAGE}events", "/"):
        status, headers, _ = lasting_address.ask(path, method)
        assert status == 405 and headers["allow"] == "GET"


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:{port}", 200),
        ("192.168.7.7:{port}", 200),
        ("demo.clinic", 200),
        ("DEMO.clinic:443", 200),
        *(("127.0.0.1", 400), ("localhost:{port}", 400), ("evil.example:{port}", 400)),
        *(("demo.clinic.evil", 400), ("", 400), ("127.0.0.1:{port}, x", 400)),
        *(("[::1]:{port}", 400), ("127.0.0.1:1", 400), ("demo.clinic:8443", 400)),
    ],
)
def test_only_the_names_of_this_address_are_answered(
    lasting_address: Address, host: str, status: int
) -> None:
    name = host.format(port=lasting_address.port)
    assert lasting_address.ask(PAGE, headers={"Host": name})[0] == status


def test_a_request_with_two_names_or_none_is_refused(lasting_address: Address) -> None:
    host = f"Host: {lasting_address.host}\r\n"
    target = f"GET http://{lasting_address.host}{PAGE} HTTP/1.1\r\n{host}\r\n"
    assert lasting_address.raw(target.encode())[9:12] == b"404"  # a proxy's question
    for hosts in ("", f"{host}Host: x\r\n", f"Host: x\r\n{host}"):
        answer = lasting_address.raw(f"GET {PAGE} HTTP/1.1\r\n{hosts}\r\n".encode())
        assert answer.startswith(b"HTTP/1.1 400 "), hosts
    assert (
        lasting_address.raw(f"GET {PAGE} HTTP/1.1\r\n{host}\r\n".encode())[9:12]
        == b"200"
    )


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://127.0.0.1:{port}", 200),
        ("https://demo.clinic", 200),
        *(
            ("null", 403),
            ("http://evil.example", 403),
            ("https://127.0.0.1:{port}", 403),
        ),
        *(("http://demo.clinic", 403), ("http://127.0.0.1", 403), ("", 403)),
    ],
)
def test_pages_of_other_servers_are_refused(
    lasting_address: Address, origin: str, status: int
) -> None:
    headers = {"Origin": origin.format(port=lasting_address.port)}
    assert lasting_address.ask(f"{PAGE}slide.js", headers=headers)[0] == status


@pytest.mark.parametrize(
    "headers",
    [{"Content-Length": "3"}, {"Transfer-Encoding": "chunked"}, {"Upgrade": "h2c"}],
    ids=str,
)
def test_a_message_is_not_taken(
    lasting_address: Address, headers: dict[str, str]
) -> None:
    assert lasting_address.ask(PAGE, headers=headers, body=b"")[0] == 400


@pytest.mark.parametrize("path", [PAGE, f"{PAGE}events", "/_stcore/stream", "/live/x"])
def test_no_socket_opens(lasting_address: Address, path: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        connect(f"ws://{lasting_address.host}{path}", open_timeout=30)
    assert refused.value.response.status_code == 400


def test_images_are_there_only_while_their_slide_is(address: Address) -> None:
    image = Image("As uploaded", "An image", b"\x89PNG of a test")
    path = f"{PAGE}image/{image.digest}"
    assert address.ask(path)[0] == 404
    address.publish(Slide("Diagnose", "T", images=(image,)))
    status, headers, content = address.ask(path)
    assert (status, content) == (200, image.png)
    assert headers["content-type"] == "image/png"
    assert address.ask(f"/{WRONG}/image/{image.digest}")[0] == 404
    address.publish(SLIDE)
    assert address.ask(path)[0] == 404


def test_a_follower_sees_each_slide_and_the_end(address: Address) -> None:
    phone = Follower(address)
    assert phone.answer.status == 200
    assert phone.answer.headers["content-type"].startswith("text/event-stream")
    assert phone.answer.headers["cache-control"] == "no-store"
    name, data = phone.event()
    assert name == "slide" and json.loads(data) == SLIDE.facts()
    assert address.look()["followers"] == 1
    # A line break or a byte of another alphabet breaks no event.
    address.publish(Slide("Data", "节\n\nevent: end", "<b>"))
    assert json.loads(phone.event()[1])["title"] == "节\n\nevent: end"
    address.end()
    assert phone.event() == ("end", "")
    assert phone.event() == ("", "")
    phone.close()


def test_a_silent_line_beats(address: Address, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(application, "BEAT_SECONDS", 0.05)
    phone = Follower(address)
    assert [phone.event()[0] for _ in range(3)] == ["slide", "beat", "beat"]
    phone.close()


def test_who_leaves_follows_no_more(
    address: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    phones = [Follower(address) for _ in range(3)]
    for phone in phones:
        phone.event()
    assert address.look()["followers"] == 3
    for phone in phones:
        phone.close()
    while address.look()["followers"]:
        pass


def test_there_is_room_for_so_many(
    address: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(application, "MOST_FOLLOWERS", 2)
    phones = [Follower(address) for _ in range(2)]
    assert [phone.event()[0] for phone in phones] == ["slide", "slide"]
    status, _, content = address.ask(f"{PAGE}events")
    assert status == 503 and b"no room" in content
    for phone in phones:
        phone.close()


def test_two_hundred_follow(address: Address) -> None:
    with ThreadPoolExecutor(20) as threads:
        phones = list(threads.map(lambda _: Follower(address), range(200)))
    for phone in phones:
        assert phone.event()[0] == "slide"
    assert address.look()["followers"] == 200
    address.publish(Slide("Train", "Next"))
    for phone in phones:
        assert json.loads(phone.event()[1])["title"] == "Next"
        phone.close()


def test_wrong_codes_are_counted_and_slowed_and_nobody_else_waits(
    address: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in ("/", "/favicon.ico", f"{PAGE}none"):  # these bring no wrong code
        assert address.ask(path)[0] == 404
    assert address.look()["wrong_codes"] == 0
    monkeypatch.setattr(application, "DELAY_SECONDS", 60)
    monkeypatch.setattr(application, "MOST_DELAYED", 1)
    slowed = socket.create_connection(("127.0.0.1", address.port))
    request = f"GET /{WRONG}/ HTTP/1.1\r\nHost: {address.host}\r\n\r\n"
    slowed.sendall(request.encode())
    while not address.look()["wrong_codes"]:
        pass
    status, _, content = address.ask(f"/{WRONG}/")
    assert status == 429 and b"wrong codes" in content
    assert address.look()["wrong_codes"] == 2
    assert address.ask(PAGE)[0] == 200
    slowed.settimeout(0.2)
    with pytest.raises(TimeoutError):
        slowed.recv(1)
    slowed.close()


def malformed(random_source: random.Random) -> bytes:
    """Bytes that are no request, or nearly one."""
    good = f"GET {PAGE} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()
    kind = random_source.randrange(5)
    if kind == 0:
        return random_source.randbytes(random_source.randrange(1, 400))
    if kind == 1:
        return b"\x16\x03\x01" + random_source.randbytes(60)  # TLS
    if kind == 2:
        return good[: random_source.randrange(len(good))]
    changed = bytearray(good)
    for _ in range(random_source.randrange(1, 9)):
        changed[random_source.randrange(len(changed))] = random_source.randrange(256)
    return bytes(changed) * (1 if kind == 3 else 3)


def test_ten_thousand_malformed_messages_change_nothing(
    address: Address, capfd: pytest.CaptureFixture[str]
) -> None:
    random_source = random.Random(0)
    messages = [malformed(random_source) for _ in range(10_000)]
    phone = Follower(address)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(address.raw, messages))
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert not [a for a in answers if b" 200 " in a[:20] or b" 500 " in a[:20]]
    assert grown < 64_000  # KiB
    assert phone.event()[0] == "slide"
    assert address.ask(PAGE)[0] == 200
    assert capfd.readouterr().err == ""
    phone.close()


def test_a_name_without_a_port_is_of_the_usual_one() -> None:
    assert host_and_port("Demo.Clinic", "http") == "demo.clinic:80"
    assert host_and_port("demo.clinic", "https") == "demo.clinic:443"
    assert host_and_port("demo.clinic:8443", "https") == "demo.clinic:8443"


@pytest.mark.parametrize(
    ("asked", "lang"), [("", "en"), ("zh-CN,zh;q=0.9", "zh-Hans"), ("fr", "en")]
)
def test_the_page_is_in_the_phones_language(
    lasting_address: Address, asked: str, lang: str
) -> None:
    status, headers, content = lasting_address.ask(
        PAGE, headers={"accept-language": asked}
    )
    page = content.decode()
    assert status == 200 and headers["content-type"].startswith("text/html")
    assert f'<html lang="{lang}" ' in page and "$" not in page
    english = "What the presenter shows will appear here." in page
    assert english or lang != "en"
