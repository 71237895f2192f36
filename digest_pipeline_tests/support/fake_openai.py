"""An OpenAI-compatible endpoint on loopback: translates anything into plausible Chinese, and misbehaves on demand.

What lives here: `FakeOpenAI` (chat completions, files, batches) and the replies a test can order. Answers keep every
placeholder and number of what they were asked, so that they pass the checks. Standard library only; stops by itself.
As a process of its own, `python -m digest_pipeline_tests.support.fake_openai LATENCY JITTER` prints its address and
serves until its standard input ends.
"""

from __future__ import annotations

import json
import random
import re
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

from digest_pipeline_tests.support.serving import serving

_SENTENCES = (
    "本文研究了一个长期受到关注的问题，并给出了新的解决思路。",
    "作者首先分析了现有方法的局限，指出其在规模扩大时效率下降。",
    "随后提出一种结构简单的方案，在不增加成本的前提下提升了质量。",
    "大量实验表明，该方案在多个数据集上优于以往的做法。",
    "进一步的分析揭示了各个组成部分的作用以及它们之间的关系。",
    "最后讨论了适用范围，并指出未来值得探索的方向。",
    "与已有工作相比，所需的训练时间明显缩短。",
    "理论部分证明了收敛性质，并给出了误差的上界。",
    "案例研究展示了系统在真实场景中的表现。",
    "代码与数据将会公开，便于他人复现与改进。",
)

WORD = "OK"
"""In the place of a title: the question was for this word only."""


@dataclass(frozen=True)
class Reply:
    """What the endpoint does with one request. `body` as bytes is sent as it is; blank lines come before it."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/json"
    wait_seconds: float = 0.0
    blank_lines_for: float = 0.0


@dataclass(frozen=True)
class Asked:
    """One chat request as a test's `behave` sees it."""

    number: int
    """Counting from 1 over all chat requests."""
    attempt: int
    """Counting from 1 for this paper."""
    body: dict[str, Any]
    title: str
    running: int
    """Requests under way, this one included."""

    @property
    def format(self) -> str:
        return str((self.body.get("response_format") or {}).get("type", "plain"))


def error(status: int, message: str, code: str = "", headers: dict[str, str] | None = None, **more: str) -> Reply:
    return Reply(status, {"error": {"message": message, "code": code, **more}}, headers or {})


def completion(text: str | None, *, model: str = "fake-model", finish_reason: str = "stop", usage: dict[str, Any] | None = None) -> dict[str, Any]:
    """A chat completion's body; `usage={}` leaves the usage out."""
    counted = {"prompt_tokens": 600, "completion_tokens": 400, "total_tokens": 1000} if usage is None else usage
    return {
        "id": f"chatcmpl-{abs(hash(text)) % 10**10}",
        "object": "chat.completion",
        "created": 1,
        "model": model,
        "choices": [{"index": 0, "finish_reason": finish_reason, "message": {"role": "assistant", "content": text}}],
        **({"usage": counted} if counted else {}),
    }


def good_answer(body: dict[str, Any]) -> str:
    """A faithful-looking answer to a chat request: the fields asked for, in Chinese, with all placeholders and numbers."""
    paper = asked_paper(body)
    title, abstract = paper["title"], paper["abstract"]
    fields = {
        "translated_title": _named(title) + "关于该问题的一项研究" + "".join(_marks(title)),
        "translated_abstract": _chinese(abstract) + _aside(_marks(abstract)) + _aside(_numbers(abstract)),
        "tldr": "本文提出一种简单的方案并验证了效果。",
        "tldr_en": "The paper proposes a simple scheme and validates it.",
        **dict.fromkeys(("motivation", "method", "result", "conclusion"), "该部分说明了主要内容。"),
    }
    schema = ((body.get("response_format") or {}).get("json_schema") or {}).get("schema")
    wanted = schema["properties"] if schema else ("translated_title", "translated_abstract", "tldr", "tldr_en")
    return json.dumps({name: fields[name] for name in wanted}, ensure_ascii=False)


def asked_paper(body: dict[str, Any]) -> dict[str, Any]:
    """The paper in the first user message."""
    content = next(message["content"] for message in body["messages"] if message["role"] == "user")
    found: dict[str, Any] = json.loads(content[content.index('{"title"') :])  # behind the instructions, where a model knows no system message
    return found


def is_one_word(body: dict[str, Any]) -> bool:
    """True for the question by which a key is tried before a run."""
    return str(body["messages"][-1]["content"]).startswith("Answer with the one word")


def _chinese(source: str) -> str:
    text, number = "", 0
    while len(text) < 0.33 * len(source):
        text += _SENTENCES[number % len(_SENTENCES)]
        number += 1
    return text


def _named(title: str) -> str:
    head, colon, _ = title.partition(":")
    return f"{head}：" if colon else ""


def _marks(text: str) -> list[str]:
    return re.findall(r"⟦\d+⟧", text)


def _numbers(text: str) -> list[str]:
    return re.findall(r"\d[\d.,]*\d%?|\d%?", re.sub(r"⟦\d+⟧", " ", text))


def _aside(parts: list[str]) -> str:
    return f"（{' '.join(parts)}）" if parts else ""


def _vector_of(text: str) -> list[float]:
    words = Counter(re.findall(r"[a-z]+", text.lower()))
    vector = [0.0] * 64
    for word, count in words.items():
        rng = random.Random(word)
        for _ in range(4):
            vector[rng.randrange(64)] += count * rng.choice((-1, 1))
    return vector


class FakeOpenAI:
    """`behave` decides for each request; None (or no `behave`) means a good answer after `latency_seconds`."""

    def __init__(self) -> None:
        self.behave: Callable[[Asked], Reply | None] = lambda _: None
        self.latency_seconds = 0.0
        self.jitter = 0.0
        """Standard deviation of the latency, as a share of it."""
        self.asked: list[Asked] = []
        self.times: list[float] = []
        self.answered: Counter[str] = Counter()
        """Good answers by title: what a customer would have paid for."""
        self.peak = 0
        self.connections = 0
        """How many were opened, over all requests."""
        self.keys_seen: set[str] = set()
        self.has_batches = True
        self.batch_status = "completed"
        """What a batch becomes when it is looked at; `in_progress` keeps it open."""
        self.behave_in_batch: Callable[[Asked], Reply | None] = lambda _: None
        self.files: dict[str, bytes] = {}
        self.batches: dict[str, dict[str, Any]] = {}
        self.create_replies: list[Reply] = []
        """Replies to the next batch creations, each made after the batch came into being."""
        self.embedding_requests: list[dict[str, Any]] = []
        self.embedding_replies: list[Reply] = []
        """Replies to the next questions for embeddings."""
        self.embedded: Counter[str] = Counter()
        """Texts that got a vector: what a customer would have paid for."""
        self.over = threading.Event()
        self._lock = threading.Lock()
        self._running = 0
        self._attempts: Counter[str] = Counter()
        self.url = ""

    @property
    def requests(self) -> int:
        return len(self.asked)

    # -- chat -----------------------------------------------------------------------------------------

    def chat(self, body: dict[str, Any]) -> Reply:
        with self._lock:
            self._running += 1
            self.peak = max(self.peak, self._running)
            asked = self._note(body, self._running)
        try:
            reply = self.behave(asked) or self._good(asked)
            latency = max(0.0, random.gauss(self.latency_seconds, self.jitter * self.latency_seconds))
            self.over.wait(reply.wait_seconds or latency)
            return reply
        finally:
            with self._lock:
                self._running -= 1

    def _note(self, body: dict[str, Any], running: int) -> Asked:
        title = WORD if is_one_word(body) else asked_paper(body)["title"]
        self._attempts[title] += 1
        asked = Asked(len(self.asked) + 1, self._attempts[title], body, title, running)
        self.asked.append(asked)
        self.times.append(time.monotonic())
        return asked

    def _good(self, asked: Asked) -> Reply:
        if asked.title == WORD:
            return Reply(body=completion("OK", model=asked.body["model"]))
        with self._lock:
            self.answered[asked.title] += 1
        return Reply(body=completion(good_answer(asked.body), model=asked.body["model"]))

    # -- embeddings -----------------------------------------------------------------------------------

    def embed(self, body: dict[str, Any]) -> Reply:
        """A vector of 64 numbers a text, made of its words: texts that share words lie near each other."""
        texts = body["input"]
        self.embedding_requests.append(body)
        if self.embedding_replies:
            return self.embedding_replies.pop(0)
        with self._lock:
            self.embedded.update(texts)
        data = [{"object": "embedding", "index": number, "embedding": _vector_of(text)} for number, text in enumerate(texts)]
        tokens = sum(map(len, texts)) // 4
        return Reply(body={"object": "list", "data": data[::-1], "model": body["model"], "usage": {"prompt_tokens": tokens, "total_tokens": tokens}})

    # -- files and batches ------------------------------------------------------------------------------

    def upload(self, content: bytes, content_type: str) -> Reply:
        message = BytesParser(policy=HTTP).parsebytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + content)
        data = next(part.get_payload(decode=True) for part in message.iter_parts() if part.get_filename())
        file_id = f"file-{len(self.files) + 1}"
        self.files[file_id] = data
        return Reply(
            body={
                "id": file_id,
                "object": "file",
                "bytes": len(data),
                "created_at": 1,
                "filename": "batch.jsonl",
                "purpose": "batch",
                "status": "processed",
            }
        )

    def create_batch(self, body: dict[str, Any]) -> Reply:
        batch_id = f"batch_{len(self.batches) + 1}"
        self.batches[batch_id] = {
            "id": batch_id,
            "object": "batch",
            "endpoint": body["endpoint"],
            "input_file_id": body["input_file_id"],
            "completion_window": body["completion_window"],
            "status": "in_progress",
            "created_at": int(time.time()),
            "metadata": body.get("metadata"),
            "output_file_id": None,
            "error_file_id": None,
        }
        return self.create_replies.pop(0) if self.create_replies else Reply(body=self.batches[batch_id])

    def look_at(self, batch_id: str) -> Reply:
        batch = self.batches.get(batch_id)
        if batch is None:
            return error(404, "No such batch")
        if batch["status"] == "in_progress" and self.batch_status != "in_progress":
            self._end(batch)
        return Reply(body=batch)

    def _end(self, batch: dict[str, Any]) -> None:
        good, bad = [], []
        for line in self.files[batch["input_file_id"]].decode().splitlines():
            row = json.loads(line)
            asked = self._note(row["body"], 0)
            reply = self.behave_in_batch(asked) or self._good(asked)
            answer = {"custom_id": row["custom_id"], "response": {"status_code": reply.status, "body": reply.body}, "error": None}
            (good if reply.status == 200 else bad).append(json.dumps(answer, ensure_ascii=False))
        batch["status"] = self.batch_status
        for name, lines in (("output_file_id", good), ("error_file_id", bad)):
            if lines:
                batch[name] = f"{name}-{batch['id']}"
                self.files[batch[name]] = "\n".join(reversed(lines)).encode()  # the order of answers is not that of requests

    # -- routing --------------------------------------------------------------------------------------

    def route(self, method: str, path: str, content: bytes, content_type: str) -> Reply:
        if path.endswith("/chat/completions"):
            return self.chat(json.loads(content))
        if path.endswith("/embeddings"):
            return self.embed(json.loads(content))
        if not self.has_batches:
            return error(404, "Not Found")
        if path == "/v1/files":
            return self.upload(content, content_type)
        if path.startswith("/v1/files/"):
            file_id = path.split("/")[3]
            return Reply(body=self.files[file_id], content_type="application/octet-stream") if file_id in self.files else error(404, "No such file")
        if path == "/v1/batches" and method == "POST":
            return self.create_batch(json.loads(content))
        if path == "/v1/batches":
            return Reply(body={"object": "list", "data": list(reversed(self.batches.values())), "has_more": False})
        if path.startswith("/v1/batches/"):
            return self.look_at(path.split("/")[3])
        return error(404, "no such path")


class _Server(ThreadingHTTPServer):
    request_queue_size = 1024
    daemon_threads = True
    fake: FakeOpenAI

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hung up is what some tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # as uvicorn, nginx and Envoy do; else each answer waits 40 ms for the client's delayed ACK
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.server.fake.connections += 1

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        self._answer("GET", b"")

    def do_POST(self) -> None:
        self._answer("POST", self.rfile.read(int(self.headers.get("Content-Length") or 0)))

    def _answer(self, method: str, content: bytes) -> None:
        fake = self.server.fake
        fake.keys_seen.add(self.headers.get("Authorization", ""))
        reply = fake.route(method, self.path.partition("?")[0], content, self.headers.get("Content-Type", ""))
        body = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body, ensure_ascii=False).encode()
        if reply.blank_lines_for:
            self._drip(reply.blank_lines_for)
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.content_type)
        self.send_header("Content-Length", str(len(body)))
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _drip(self, seconds: float) -> None:
        """Headers at once, then a blank line now and then, as some proxies keep a connection alive."""
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        until = time.monotonic() + seconds
        while time.monotonic() < until and not self.server.fake.over.wait(0.05):
            self.wfile.write(b"1\r\n\n\r\n")
            self.wfile.flush()
        self.close_connection = True


@contextmanager
def fake_openai() -> Iterator[FakeOpenAI]:
    """The endpoint at `.url` (ends in /v1), for as long as the block runs."""
    fake = FakeOpenAI()
    with serving(_Handler, _Server) as server:
        cast(_Server, server).fake = fake
        fake.url = f"http://127.0.0.1:{server.server_port}/v1"
        try:
            yield fake
        finally:
            fake.over.set()


def main(latency_seconds: float, jitter: float) -> None:
    with fake_openai() as fake:
        fake.latency_seconds, fake.jitter = latency_seconds, jitter
        print(fake.url, flush=True)
        sys.stdin.read()
        print(json.dumps({"requests": fake.requests, "peak": fake.peak}), flush=True)


if __name__ == "__main__":
    main(float(sys.argv[1]), float(sys.argv[2]))
