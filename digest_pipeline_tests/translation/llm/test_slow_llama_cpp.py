"""A real llama.cpp server: our requests are in its protocol, and what a model without sense says ends the run in words.

Its package has no wheel; `make test-slow` compiles it (`requirements-llama.lock`) where there is a compiler, else this is skipped. The model is made here, of random weights over a vocabulary of bytes; the server's own grammar gives its rubbish the form of JSON.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path

import pytest

from digest_pipeline.errors import EndpointConfigurationError
from digest_pipeline.translation.languages import load_language
from digest_pipeline.translation.llm.capabilities import ResponseFormat
from digest_pipeline.translation.run import translate_papers
from digest_pipeline_tests.support.translators import MODEL, papers, translator_for

gguf = pytest.importorskip("gguf", reason="requirements-llama.lock is not installed")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(find_spec("llama_cpp") is None, reason="requirements-llama.lock is not installed")]

WIDTH, HEADS, CONTEXT = 32, 2, 8192


def write_model(path: Path) -> None:
    """One layer of random weights; its tokens are the 256 bytes and three marks."""
    import numpy as np

    rng = np.random.default_rng(1)
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(1)
    writer.add_feed_forward_length(WIDTH)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    writer.add_tokenizer_model("llama")
    writer.add_token_list(tokens)
    writer.add_token_scores([0.0] * len(tokens))
    writer.add_token_types([gguf.TokenType.UNKNOWN, gguf.TokenType.CONTROL, gguf.TokenType.CONTROL, *[gguf.TokenType.BYTE] * 256])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    square = ("blk.0.attn_q", "blk.0.attn_k", "blk.0.attn_v", "blk.0.attn_output", "blk.0.ffn_gate", "blk.0.ffn_up", "blk.0.ffn_down")
    for name, shape in {**dict.fromkeys(("token_embd", "output"), (len(tokens), WIDTH)), **dict.fromkeys(square, (WIDTH, WIDTH))}.items():
        writer.add_tensor(f"{name}.weight", rng.normal(0, 0.3, shape).astype(np.float32))
    for name in ("blk.0.attn_norm", "blk.0.ffn_norm", "output_norm"):
        writer.add_tensor(f"{name}.weight", np.ones(WIDTH, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    folder = tmp_path_factory.mktemp("llama")
    write_model(folder / "tiny.gguf")
    with closing(socket.socket()) as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    options = ["--model", str(folder / "tiny.gguf"), "--port", str(port), "--n_ctx", str(CONTEXT), "--n_threads", "1", "--model_alias", MODEL]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-m", "llama_cpp.server", *options], stdout=log, stderr=subprocess.STDOUT)
    try:
        until = time.monotonic() + 60
        while time.monotonic() < until and process.poll() is None:
            with closing(socket.socket()) as trial:
                if trial.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.2)
        assert process.poll() is None, (folder / "log").read_text()[-2000:]
        yield f"http://127.0.0.1:{port}/v1", folder / "log"
    finally:
        process.terminate()
        process.wait(30)


def test_rubbish_in_the_right_form_is_never_shipped_and_the_run_ends_in_words(server: tuple[str, Path], tmp_path: Path) -> None:
    """The server answers 500 to `json_schema` and holds to the schema in `json_object`, by its own grammar; the model never comes to an end."""
    url, log = server
    with translator_for(url, tmp_path, at_once=1, paper_timeout_seconds=120.0) as translator:
        with pytest.raises(EndpointConfigurationError, match=r"none of 3 papers could be translated .*asked for as json_object_with_schema"):
            translate_papers(papers(3), [load_language("zh")], translator)
        memory = translator.store.endpoint_memory(translator.endpoint, MODEL)
        kept, rejected = list(translator.store.every_answer()), [answer for answer, _ in translator.store.every_rejected()]
    assert memory["rung"] == ResponseFormat.JSON_OBJECT_WITH_SCHEMA
    assert log.read_text().count("POST /v1/chat/completions") <= 40
    assert kept == []
    assert rejected
    assert all(not answer.tokens_estimated and answer.input_tokens > 500 and answer.output_tokens > 0 for answer in rejected), "as the server counts"
    assert "length" in {answer.finish_reason for answer in rejected}
