"""The answer store on an S3-compatible server: the promises of the local one, kept by other means."""

from __future__ import annotations

import subprocess
import sys
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from upath import UPath

from digest_pipeline.translation.cache.lease_owner import LeaseOwner
from digest_pipeline.translation.cache.object_store import ObjectStoreCache
from digest_pipeline.translation.cache.protocol import ResponseCache
from digest_pipeline.translation.cache.records import CachedAnswer, Lease
from digest_pipeline.translation.languages import load_language
from digest_pipeline.translation.run import translate_papers
from digest_pipeline_tests.support.fake_openai import FakeOpenAI, fake_openai
from digest_pipeline_tests.support.s3 import KEEPS_THE_FIRST, SERVERS, s3_server
from digest_pipeline_tests.support.translators import papers, translator_for
from digest_pipeline_tests.translation.cache.test_cache import (  # noqa: F401 - the same stories, told of this store
    KEY,
    Clock,
    Opener,
    answer,
    keys,
    test_a_batch_holds_its_questions_until_it_is_closed,
    test_a_discarded_answer_moves_to_the_rejected_and_is_not_counted_twice,
    test_a_key_is_claimed_by_one_owner_at_a_time,
    test_a_lease_taken_over_can_be_taken_over_again,
    test_a_store_is_carried_whole_and_taken_in_once,
    test_an_answer_comes_back_as_it_was_put,
    test_an_answer_ends_the_lease_and_tells_who_claims_next,
    test_many_keys_are_looked_up_at_once,
    test_money_is_set_aside_up_to_the_limit_and_freed_when_the_answer_is_kept,
    test_of_many_claims_at_the_same_moment_one_is_granted,
    test_spending_is_by_calendar_month_and_knows_what_it_does_not_know,
    test_the_lease_of_a_killed_process_is_void_at_once,
    test_the_lease_of_another_machine_lasts_as_long_as_its_signs_of_life,
)
from digest_pipeline_tests.translation.cache.test_earlier_store import (  # noqa: F401 - likewise
    earlier_store,
    holder,
    test_an_earlier_versions_objects_are_read_and_nothing_is_paid_again,
    test_what_an_earlier_version_learned_holds_and_its_killed_run_blocks_nobody,
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def bucket(server: str) -> Iterator[str]:
    with s3_server(server):
        import s3fs

        name = f"answers-{uuid.uuid4().hex[:12]}"
        s3fs.S3FileSystem(skip_instance_cache=True).mkdir(name)
        yield f"s3://{name}"


@pytest.fixture
def root(bucket: str) -> str:
    return f"{bucket}/{uuid.uuid4().hex}"


@pytest.fixture
def opener(root: str, clock: Clock) -> Iterator[Opener]:
    opened: list[ResponseCache] = []

    def open_as(owner: LeaseOwner | None = None) -> ResponseCache:
        opened.append(ObjectStoreCache(UPath(root), clock, owner))
        return opened[-1]

    yield open_as
    for store in opened:
        store.close()


def test_a_server_that_lets_a_second_creation_replace_the_first_is_noticed_and_told(
    server: str, opener: Opener, caplog: pytest.LogCaptureFixture
) -> None:
    store = opener()
    assert store.claim(KEY) is Lease.GRANTED
    assert isinstance(store, ObjectStoreCache)
    assert store.leases_are_exclusive() is KEEPS_THE_FIRST[server]
    assert ("second creation" in caplog.text) is not KEEPS_THE_FIRST[server]


def test_one_alone_gets_each_of_the_keys_that_several_processes_claim_the_same_keys(bucket: str) -> None:
    script = (
        "import sys\n"
        "from upath import UPath\n"
        "from digest_pipeline_tests.translation.cache.test_cache import NOON, keys\n"
        "from digest_pipeline.translation.cache.object_store import ObjectStoreCache\n"
        "store = ObjectStoreCache(UPath(sys.argv[1]), lambda: NOON)\n"
        "print(sum(store.claim(key) == 'granted' for key in keys(20)), flush=True)\n"
        "sys.stdin.read()\n"
    )
    root = f"{bucket}/{uuid.uuid4().hex}"
    claimants = [subprocess.Popen([sys.executable, "-c", script, root], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    try:
        granted = [int(process.stdout.readline()) for process in claimants if process.stdout]
    finally:
        for process in claimants:
            process.communicate("")
    assert sum(granted) == 20


def test_two_runs_over_one_bucket_pay_once(bucket: str) -> None:
    root, zh = f"{bucket}/{uuid.uuid4().hex}", load_language("zh")

    def run(endpoint: FakeOpenAI) -> bool:
        with translator_for(endpoint.url, root, at_once=4, paper_timeout_seconds=60.0) as translator:
            return all(row.is_translated for row in translate_papers(papers(20), [zh], translator).summaries["zh"])

    with fake_openai() as endpoint:
        endpoint.latency_seconds = 0.2
        with ThreadPoolExecutor(2) as pool:
            assert list(pool.map(run, [endpoint] * 2)) == [True, True]
        assert endpoint.requests == 20
        assert run(endpoint)
        assert endpoint.requests == 20


def test_answers_put_from_many_threads_are_all_there(opener: Opener) -> None:
    store = opener()
    made: list[CachedAnswer] = [answer(key) for key in keys(30)]
    with ThreadPoolExecutor(store.threads) as pool:
        list(pool.map(store.put, made))
    assert opener().answers(keys(30)) == {one.key: one for one in made}
    assert opener().spending("2026-06").answers == 30
    assert store.claim(KEY) is Lease.GRANTED
