#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The API's HTTP side: routes, bodies, clients that are slow, hostile, many or gone, rights, TCP."""
import contextlib
import grp
import http.client
import json
import os
import re
import select
import signal
import socket
import subprocess
import time

from http_fake import FAKE, JSON, NOBODY, UUID, Fake, as_nobody, at_a_port, error_of, read_all
from tap import eventually, main

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "FROB"]
BODIES = {"/v1/parents": {"name": "x", "driver": "null"}, "/v1/definitions": {"parent": "cpu0", "type": "compute-2g"},
          "/v1/devices": {"parent": "cpu0", "type": "compute-2g"}}


def routes():
    """{path with names in it: its methods}"""
    text = subprocess.run([FAKE, "--routes"], capture_output=True, text=True, check=True).stdout
    found = {}
    for line in text.splitlines():
        method, path = line.split()
        path = path.replace("/v1/types/*/*", "/v1/types/cpu0/compute-2g").replace("parents/*", "parents/cpu0").replace("*", UUID)
        found.setdefault(path, []).append(method)
    return found


def test_every_route_every_method():
    """What there is answers; what there is not says what there is."""
    found = routes()
    assert len(found) > 15 and sum(map(len, found.values())) > 25, found
    with Fake() as f, f.connect() as c:
        for path, methods in found.items():
            if path == "/v1/events":
                continue
            allow = set(methods) | ({"HEAD"} if "GET" in methods else set())
            for method in METHODS:
                body = BODIES.get(path, {"vm": "x"}) if method in ("POST", "PATCH", "PUT") else None
                status, headers, data = answer = c.ask(method, path, body)
                if method in allow:
                    assert status in (200, 201, 204), (method, path, answer)
                    assert method != "HEAD" or (data == b"" and int(headers["Content-Length"]) > 0), (path, dict(headers))
                else:
                    assert status == 405 and (method == "HEAD" or error_of(answer) == "MethodNotAllowed"), (method, path, answer)
                    assert set(headers["Allow"].split(", ")) == allow, (path, headers["Allow"])
                assert c.sock, f"the connection is not kept after {method} {path}"


def test_paths():
    """Decoded word by word: an encoded slash is none, and what is no text or too long is nowhere."""
    with Fake() as f, f.connect() as c:
        assert c.ask("GET", "/v1/%70arents/%63pu0")[2]["name"] == "cpu0"
        assert c.ask("GET", "http://elsewhere/v1/parents/cpu0")[2]["name"] == "cpu0"
        for path, status in [("/v2", 404), ("/v1/", 404), ("//v1", 404), ("/v1/parents%2Fcpu0", 404), ("/v1/parents/", 404),
                             ("/v1/parents/x/y/z", 404), ("/v1/parents/" + "a" * 200, 404), ("/v1/parents/%ff", 404), ("/v1/parents/%", 400),
                             ("/v1/parents/%zz", 400), ("/v1/parents/%00", 400), ("/v1/parents/..", 404), ("/a/b/c/d/e/f/g/h", 404)]:
            answer = c.ask("GET", path)
            assert answer[0] == status, (path, answer[0])
            error_of(answer)
        for raw in (b"/v1/parents/\x1b[2J", b"/v1/parents/\xc3\xa4"):
            with f.raw() as s:
                s.sendall(b"GET " + raw + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                assert read_all(s).startswith(b"HTTP/1.1 400 "), raw


def test_query():
    with Fake() as f, f.connect() as c:
        assert b"\n  " in read_pretty(c, "/v1?pretty") and b"\n  " in read_pretty(c, "/v1?pretty=1") and b"\n  " not in read_pretty(c, "/v1")
        assert c.ask("GET", "/v1/types?parent=cpu0")[0] == 200
        assert c.ask("GET", "/v1/types?parent=cpu1")[0] == 404
        assert c.ask("DELETE", f"/v1/devices/{UUID}?policy=for%63e&timeout_ms=+5")[0] == 204
        assert json.loads(f.about()["last_query"]) == {"policy": "force", "timeout_ms": " 5"}
        for query in ["x=1", "policy", "parent=cpu0&parent=cpu0", "parent=%zz", "parent=" + "a" * 2000, "%00=1", "parent=%ff"]:
            answer = c.ask("GET", "/v1/types?" + query)
            assert answer[0] == 400 and error_of(answer) in ("BadQuery", "UnknownQuery"), (query, answer)


def read_pretty(c, path):
    c.request("GET", path)
    return c.getresponse().read()


def test_bad_bodies():
    deep = '{"a":' * 1000 + "1" + "}" * 1000
    with Fake() as f, f.connect() as c:
        for body in ["{", "[]", "1", "null", '"x"', "{'a':1}", '{"a":1,"a":2}', '{"a":1} x', '{"a":"\\u0000"}', '{"a":"\x01"}', deep, "[" * 30000, "\0", " ",
                     '{"a":1e999}', "{}}", "", '{"a":"\ud800"}'.encode("utf-8", "surrogatepass"), b"{\"\xff\":1}"]:
            answer = c.ask("POST", "/v1/devices", body, JSON)
            assert answer[0] == 400 and error_of(answer) in ("BadJson", "NoBody"), (body[:40], answer)
        assert error_of(c.ask("POST", "/v1/devices")) == "NoBody"
        # A refusal that the manager gives at once, and one that it gives later.
        for kind in ("refuse", "late-refuse"):
            answer = c.ask("POST", "/v1/devices", {"type": kind})
            assert answer[0] == 507 and error_of(answer) == "NoCapacity" and answer[2]["error"]["errno"] == "EUSERS", answer
        assert c.ask("POST", "/v1/devices", {"type": "x"})[0] == 201


def test_content_types():
    with Fake() as f, f.connect() as c:
        for kind in ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", "multipart/form-data; boundary=x", ""]:
            answer = c.ask("POST", "/v1/definitions", "{}", {"Content-Type": kind})
            assert answer[0] == 415 and error_of(answer) == "NotJson", (kind, answer)
        assert c.ask("POST", "/v1/definitions", "{}", {**JSON, "Content-Encoding": "gzip"})[0] == 415
        for kind in ["application/json", "Application/JSON; charset=utf-8"]:
            assert c.ask("POST", "/v1/definitions", "{}", {"Content-Type": kind})[0] == 201
        assert c.ask("POST", "/v1/reload", "whatever", {"Content-Type": "text/plain"})[0] == 204


def post(extra, body=b"", path="/v1/definitions"):
    return f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n{extra}\r\n".encode() + body


def test_large_bodies():
    """64 KiB are taken, more is refused: announced, or as it comes."""
    fits = json.dumps({"vm": "x" * (65536 - 10)}).encode()
    assert len(fits) == 65536
    with Fake() as f:
        assert f.ask("POST", "/v1/definitions", fits, JSON)[0] == 201
        for raw in [post("Content-Length: 65537\r\n"), post("Content-Length: 99999999999999999999\r\n"),
                    post("Transfer-Encoding: chunked\r\n", b"10001\r\n" + b" " * 65537 + b"\r\n0\r\n\r\n"),
                    post("Expect: 100-continue\r\nContent-Length: 70000\r\n")]:
            with f.raw() as s:
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):    # answered before all was sent
                    s.sendall(raw)
                first = s.recv(100)
                assert first.startswith(b"HTTP/1.1 413 "), (raw[:100], first)
        with f.raw() as s:  # Endless: cut off.
            s.sendall(post("Transfer-Encoding: chunked\r\n"))
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                for _ in range(100):
                    s.sendall(b"8000\r\n" + b" " * 0x8000 + b"\r\n")
                assert False, "3 MiB of a body were taken"
        assert f.ask("GET", "/v1")[0] == 200


def test_chunked_and_continue():
    with Fake() as f:
        with f.raw() as s:
            s.sendall(post("Transfer-Encoding: chunked\r\nConnection: close\r\n"))
            for piece in (b"1\r\n{\r\n", b"1\r\n", b"}\r\n", b"0\r\n\r\n"):
                s.sendall(piece)
                time.sleep(0.02)
            assert read_all(s).startswith(b"HTTP/1.1 201 ")
        with f.raw() as s:
            s.sendall(post("Expect: 100-continue\r\nContent-Length: 2\r\nConnection: close\r\n"))
            assert s.recv(100).startswith(b"HTTP/1.1 100 ")
            s.sendall(b"{}")
            assert read_all(s).startswith(b"HTTP/1.1 201 ")


def test_pipelining():
    """Answers come in the order of the requests, also when one has to wait."""
    with Fake() as f, f.raw() as s:
        body = b'{"type":"slow"}'
        one = b"GET /v1/parents/cpu0 HTTP/1.1\r\nHost: x\r\n\r\n"
        s.sendall(one + post(f"Content-Length: {len(body)}\r\n", body, "/v1/devices") + one * 50 +
                  b"GET /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        statuses = re.findall(rb"HTTP/1\.1 (\d+) ", read_all(s))
        assert statuses == [b"200", b"201"] + [b"200"] * 50 + [b"404"], statuses


def test_malformed_http():
    with Fake("--head-ms", "1000") as f:
        for raw in [b"\r\n" * 5000, b"\0" * 100 + b"\r\n\r\n", b"GET\r\n\r\n", b"GET /v1 HTTP/9.9\r\n\r\n", b"GET /v1 HTTP/1.1\r\n: x\r\n\r\n",
                    b"GET /" + b"a" * 100000, b"GET /v1 HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 20000,
                    post("Content-Length: -1\r\n"), post("Content-Length: x\r\n"), post("Transfer-Encoding: chunked\r\n", b"zz\r\n")]:
            with f.raw() as s:
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    s.sendall(raw)
                s.shutdown(socket.SHUT_WR)
                first = read_all(s)[:12]
                assert not first.startswith(b"HTTP/1.1 2"), (raw[:40], first)
        assert f.ask("GET", "/v1")[0] == 200


def test_slow_clients():
    """Headers and body have a time in all; a byte now and then does not make it longer. Others notice nothing."""
    with Fake("--head-ms", "1500") as f:
        slow = [b"G", b"GET /v1 HTTP/1.1\r\nHost: x\r\nA: ", post("Content-Length: 1000\r\n", b"{")]
        sockets = [f.raw() for _ in slow]
        silent = f.raw()
        start = time.monotonic()
        for s, first in zip(sockets, slow):
            s.sendall(first)
            s.setblocking(False)
        closed, took = set(), []
        while len(closed) < len(sockets):
            assert time.monotonic() - start < 9, "slow clients are kept"
            for s in set(sockets) - closed:
                try:
                    s.send(b" ")
                    if s.recv(100) == b"":
                        closed.add(s)
                except BlockingIOError:
                    pass
                except OSError:
                    closed.add(s)
            begin = time.monotonic()
            assert f.ask("GET", "/v1")[0] == 200
            took.append(time.monotonic() - begin)
            time.sleep(0.1)
        # A busy machine may hold up some of them; slow clients would hold up the first one until they are closed.
        assert sorted(took)[len(took) // 2] < 0.5, took
        assert time.monotonic() - start > 1.4, "closed too early"
        assert silent.recv(1) == b""
        for s in [*sockets, silent]:
            s.close()


def test_idle_connections():
    with Fake("--idle-ms", "1000") as f, f.raw() as s:
        start = time.monotonic()
        s.sendall(b"GET /v1/parents HTTP/1.1\r\nHost: x\r\n\r\n")
        assert s.recv(65536).startswith(b"HTTP/1.1 200 ")
        assert s.recv(1) == b"" and 0.8 < time.monotonic() - start < 15


def test_thousand_connections():
    """As many as the configuration says; the next is told at once, and room is made by closing idle ones."""
    with Fake("--max", "1000") as f, contextlib.ExitStack() as stack:
        all_of_them = [stack.enter_context(f.raw()) for _ in range(1000)]
        with f.raw() as s:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):    # it is told without being asked
                s.sendall(b"GET /v1 HTTP/1.1\r\n\r\n")
            answer = read_all(s)
        assert answer.startswith(b"HTTP/1.1 503 ") and json.loads(answer.split(b"\r\n\r\n")[1])["error"]["name"] == "TooManyConnections", answer
        poll = select.poll()
        for s in all_of_them:
            poll.register(s, select.POLLIN)
        assert not poll.poll(0), "none of the others had to end before it was told"
        for s in all_of_them:  # All of them are served.
            s.sendall(b"GET /v1/parents HTTP/1.1\r\nHost: x\r\n\r\n")
        assert all(s.recv(65536).startswith(b"HTTP/1.1 200 ") for s in all_of_them)
        # Now they are idle: one of them goes.
        assert f.ask("GET", "/v1")[0] == 200
        assert len(eventually(lambda: poll.poll(0), "an idle connection is closed")) == 1
        text = f.ask("GET", "/metrics")[2].decode()
        assert re.search(r"^tranche_http_connections_refused_total 1$", text, re.M), text


def test_one_user_does_not_take_all():
    if os.geteuid() != 0:
        return
    with Fake("--max", "40") as f:
        def connect_many():
            sockets = [f.raw() for _ in range(40)]
            answers = f_answers(f)      # the last one that comes in: all others have been looked at by then
            refused = 0
            for s in sockets:
                s.setblocking(False)
                try:
                    refused += s.recv(100).startswith(b"HTTP/1.1 503 ")
                except BlockingIOError:
                    pass
            return [refused, answers]
        refused, answers = as_nobody(connect_many)
        assert refused == 10 and not answers, (refused, answers)


def f_answers(f):
    try:
        return f.ask("GET", "/v1")[0] == 200
    except (OSError, http.client.HTTPException):
        return False


def test_out_of_descriptors():
    """Nobody can be accepted; the loop does not spin, and those who are there are served."""
    with Fake() as f, f.connect() as c, contextlib.ExitStack() as stack:
        assert c.ask("GET", "/v1")[0] == 200
        pid = f.process.pid
        used = len(os.listdir(f"/proc/{pid}/fd"))
        subprocess.run(["prlimit", f"--pid={pid}", f"--nofile={used + 2}"], check=True)
        more = [stack.enter_context(f.raw()) for _ in range(10)]
        assert sum(s.recv(12).startswith(b"HTTP/1.1 503") for s in more[4:]) == 6
        before = cpu_ticks(pid)
        time.sleep(0.5)
        assert cpu_ticks(pid) - before < 10
        assert c.ask("GET", "/v1/parents")[0] == 200


def cpu_ticks(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
        return sum(map(int, stat.read().rsplit(")", 1)[1].split()[11:13]))


def test_client_gone():
    """A call is cancelled as soon as its client has gone; one that only said that it sends no more is answered."""
    with Fake() as f:
        for ask in [("POST", "/v1/devices", {"type": "never"}), ("DELETE", f"/v1/devices/{UUID}?policy=ask", None)]:
            before = f.about()["cancelled"]
            with f.connect() as c:
                body = json.dumps(ask[2]) if ask[2] else None
                c.request(ask[0], ask[1], body, JSON if body else {})
                eventually(lambda: f.about()["pending"] == 1, "the manager has the call")
                assert f.about()["has_pidfd"] or not has_peer_pidfd()
            eventually(lambda: f.about()["cancelled"] == before + 1, "the call is cancelled", within=10)
            assert f.about()["pending"] == 0
        with f.raw() as s:
            body = b'{"type":"slow"}'
            s.sendall(post(f"Content-Length: {len(body)}\r\nConnection: close\r\n", body, "/v1/devices"))
            s.shutdown(socket.SHUT_WR)
            assert read_all(s).startswith(b"HTTP/1.1 201 ")
        assert f.about()["cancelled"] == 2


def has_peer_pidfd():
    a, b = socket.socketpair()
    with a, b:
        try:
            a.getsockopt(socket.SOL_SOCKET, 77, 4)
            return True
        except OSError:
            return False


def test_end_with_calls():
    """The daemon ends while clients wait and listen: calls are cancelled, connections closed."""
    with Fake() as f, f.connect() as a, f.connect() as b, f.connect() as c:
        a.request("POST", "/v1/devices", '{"type":"never"}', JSON)
        b.request("GET", "/v1/events")
        b.getresponse()
        assert c.ask("GET", "/v1")[0] == 200
        eventually(lambda: f.about()["pending"] == 1, "the manager has the call")
        assert f.stop() == "cancelled 1 pending 0\n" and f.process.returncode == 0
        assert not os.path.exists(f.socket)


def test_rights():
    """Nobody in particular reads, or not even that; a group's members use; root administers."""
    if os.geteuid() != 0:
        return
    group = grp.getgrgid(NOBODY).gr_name

    def try_all(f):
        def run():
            return {"read": f.ask("GET", "/v1")[0], "page": f.ask("GET", "/")[0], "use": f.ask("POST", "/v1/devices", {"type": "x"})[0],
                    "stop": f.ask("DELETE", f"/v1/devices/{UUID}")[0], "reload": f.ask("POST", "/v1/reload")[0],
                    "schedule": f.ask("PATCH", "/v1/parents/cpu0/schedule", {"policy": "equal"})[0], "nothing": f.ask("GET", "/nothing")[0]}
        return as_nobody(run), run()

    everything = {"read": 200, "page": 200, "use": 201, "stop": 204, "reload": 204, "schedule": 200, "nothing": 404}
    reading = {"read": 200, "page": 200, "use": 403, "stop": 403, "reload": 403, "schedule": 403, "nothing": 404}
    for options, expected in [([], reading), (["--no-others"], dict.fromkeys(everything, 403)),
                              (["--use-group", group, "--no-others"], {**everything, "reload": 403, "schedule": 403}),
                              (["--admin-group", group], everything), (["--admin-group", "no-such-group"], reading)]:
        with Fake(*options) as f:
            nobody, root = try_all(f)
            assert nobody == expected, (options, nobody)
            assert root == everything, (options, root)
            if nobody["reload"] == 403:
                error = as_nobody(lambda f=f: f.ask("POST", "/v1/reload")[2])
                assert f"uid {NOBODY}" in error["error"]["message"], error
    with Fake(mode="0600") as f:
        assert as_nobody(lambda: f_answers(f)) is False


def test_rights_follow_reload():
    """A connection that is there has the rights of the new configuration."""
    if os.geteuid() != 0:
        return
    with Fake() as f:
        asked, has_asked = os.pipe()

        def run():
            with f.connect() as c:
                first = c.ask("GET", "/v1")[0]
                sock = c.sock
                os.write(has_asked, b"x")
                eventually(lambda: c.ask("GET", "/v1")[0] == 403, "the new rights", within=20)
                return [first, c.sock is sock]
        pid = os.fork()
        if pid == 0:
            os.read(asked, 1)
            os.kill(f.process.pid, signal.SIGHUP)
            os._exit(0)
        assert as_nobody(run) == [200, True]
        os.waitpid(pid, 0)
        os.close(asked)
        os.close(has_asked)


def test_tcp():
    """Reading only, for this machine's names only, and for no page but ours."""
    with at_a_port() as (f, p):
        def ask(method, path, headers=None, body=None):
            c = http.client.HTTPConnection("127.0.0.1", p, timeout=10)
            c.putrequest(method, path, skip_host=True)
            for key, value in {"Host": f"localhost:{p}", **(headers or {})}.items():
                c.putheader(key, value)
            c.endheaders(body)
            answer = c.getresponse()
            data = answer.read()
            c.close()
            return answer.status, dict(answer.headers), data
        for host in (f"localhost:{p}", "127.0.0.1", f"[::1]:{p}", "LOCALHOST"):
            status, headers, _ = ask("GET", "/v1", {"Host": host})
            assert status == 200 and not any(h.lower().startswith("access-control") for h in headers), (host, status, headers)
        for host in ("evil.example", f"evil.example:{p}", "localhost.evil.example", "127.0.0.1.evil.example", "localhost:", "localhost:x", "", "127.0.0.2"):
            assert ask("GET", "/v1", {"Host": host})[0] in (400, 403), host
        for origin in ("http://evil.example", "null", "https://localhost", f"http://127.0.0.1:{p}"):
            assert ask("GET", "/v1", {"Origin": origin})[0] == 403, origin
        assert ask("GET", "/v1", {"Origin": f"http://localhost:{p}"})[0] == 200
        for method, path in [("POST", "/v1/devices"), ("DELETE", f"/v1/devices/{UUID}"), ("POST", "/v1/reload"), ("PATCH", f"/v1/devices/{UUID}")]:
            status, _, data = ask(method, path, {"Content-Length": "0"})
            assert status == 403 and json.loads(data)["error"]["name"] == "ReadOnly", (method, path, status)
        assert json.loads(ask("GET", "/v1")[2])["rights"] == "read"
        assert f.about()["rights"] == "admin"
        # A browser to whom somebody forwards the Unix socket.
        for host, origin in [("localhost", "http://evil.example"), ("evil.example", "http://evil.example"), ("localhost", "null")]:
            assert f.ask("POST", "/v1/reload", headers={"Host": host, "Origin": origin})[0] == 403, (host, origin)
        assert f.ask("POST", "/v1/reload", headers={"Host": "localhost:1", "Origin": "http://localhost:1"})[0] == 204


def test_tcp_addresses():
    """Only the loopback interface can be listened at."""
    for text in ("0.0.0.0:7330", "192.0.2.1:7330", "[::]:7330", ":7330", "7330", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:99999", "127.0.0.1:x", "localhost:7330",
                 "[::1", "[", "[]:1", "127.0.0.1:-1", "x" * 300):
        with contextlib.suppress(AssertionError):
            with Fake("--listen", text):
                raise RuntimeError(f"listens at {text}")


def test_old_socket():
    """One that somebody listens at is left alone, one that nobody does is replaced; and so is nothing else."""
    with Fake() as f:
        second = subprocess.run([FAKE, f.socket], capture_output=True, text=True, timeout=20, check=False)
        assert second.returncode == 1 and f.socket in second.stderr, second
        assert f.ask("GET", "/v1")[0] == 200
        f.process.kill()
        f.process.wait()
        assert os.path.exists(f.socket)
        with f:
            assert f.ask("GET", "/v1")[0] == 200
    f = Fake()
    with open(f.socket, "w", encoding="ascii") as file:
        file.write("precious")
    second = subprocess.run(f.command, capture_output=True, text=True, timeout=20, check=False)
    assert second.returncode == 1 and os.path.getsize(f.socket) == 8


def test_socket_of_systemd():
    """A socket that was passed by the name "api" is used, and its file left."""
    path = os.path.join(os.path.dirname(Fake().socket), "passed.sock")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()

        def pass_it():
            os.dup2(listener.fileno(), 3)
            os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1", LISTEN_FDNAMES="api")
        f = Fake()
        code = "import os,sys; os.environ['LISTEN_PID']=str(os.getpid()); os.execv(sys.argv[1], sys.argv[1:])"
        with subprocess.Popen(["/usr/bin/python3", "-c", code, FAKE, f.socket], stdout=subprocess.PIPE, preexec_fn=pass_it, pass_fds=[3],
                              env={**os.environ, "LISTEN_FDS": "1", "LISTEN_FDNAMES": "api"}) as p:
            assert p.stdout.readline() == b"ready\n"
            assert not os.path.exists(f.socket)
            f.socket = path
            assert f.ask("GET", "/v1")[0] == 200
            p.terminate()
            p.wait(timeout=10)
    assert os.path.exists(path)
    os.unlink(path)


if __name__ == "__main__":
    main()
