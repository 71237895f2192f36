"""What is in deploy/ can be used as it stands: valid by its schema, and of one mind with the code it starts."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml

from digest_pipeline.settings import Settings, setting_name

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
PACKAGED = ROOT / "digest_pipeline" / "orchestration" / "dagster.yaml"


def load(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return content


def run(*command: str | Path, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(part) for part in command], env={**os.environ, **environ}, capture_output=True, text=True, check=False, timeout=120)


def image_references() -> set[str]:
    return set(
        re.findall(
            r"digest_pipeline(?:\.[a-z_]+)+",
            "\n".join(p.read_text(encoding="utf-8") for p in DEPLOY.rglob("*") if p.is_file() and p.suffix != ".lock"),
        )
    )


def test_compose_is_valid_by_the_compose_specification() -> None:
    checked = run(sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", DEPLOY / "compose" / "compose.yaml")
    assert checked.returncode == 0, checked.stdout


def test_only_the_code_server_gets_the_secrets() -> None:
    services = load(DEPLOY / "compose" / "compose.yaml")["services"]
    assert [name for name, service in services.items() if "env_file" in service] == ["code"]
    for name in ("webserver", "daemon"):
        assert not {key for key in services[name]["environment"] if re.search("KEY|ALERT|SMTP", key)}


def test_every_container_of_ours_runs_without_privileges() -> None:
    services = load(DEPLOY / "compose" / "compose.yaml")["services"]
    for name in ("code", "webserver", "daemon"):
        assert services[name]["read_only"] is True
        assert services[name]["cap_drop"] == ["ALL"]
    assert "\nUSER 10001:10001\n" in (DEPLOY / "Dockerfile").read_text(encoding="utf-8")


def test_only_nginx_is_reached_from_outside() -> None:
    services = load(DEPLOY / "compose" / "compose.yaml")["services"]
    assert [name for name, service in services.items() if "ports" in service] == ["nginx"]


def test_each_module_that_a_file_starts_exists() -> None:
    for name in image_references():
        path = ROOT.joinpath(*name.split("."))
        assert path.with_suffix(".py").is_file() or path.is_dir(), name


def test_every_setting_in_the_example_is_one() -> None:
    names = re.findall(r"^([A-Z_]+)=", (DEPLOY / "digest.env.example").read_text(encoding="utf-8"), re.M)
    ours = {setting_name(field) for field in Settings.model_fields}
    assert {name for name in names if not name.startswith("DAGSTER_PG_")} <= ours


def test_the_team_instance_differs_from_the_single_one_only_where_it_means_to() -> None:
    single, team = load(PACKAGED), load(DEPLOY / "dagster.postgres.yaml")
    for shared in ("telemetry", "nux", "run_monitoring", "run_retries", "retention", "freshness"):
        assert team[shared] == single[shared]
    assert team["concurrency"]["pools"] == single["concurrency"]["pools"]
    assert team["storage"]["postgres"]["postgres_db"]["scheme"] == "postgresql+psycopg2"


def test_dagster_accepts_the_team_instance(tmp_path: Path) -> None:
    """Dagster's own check of the file, up to the point where it would connect."""
    from dagster._core.instance.ref import InstanceRef

    shutil.copyfile(DEPLOY / "dagster.postgres.yaml", tmp_path / "dagster.yaml")
    reference = InstanceRef.from_dir(str(tmp_path))
    assert reference.storage_data.class_name == "DagsterPostgresStorage"


def test_every_code_location_has_the_same_name() -> None:
    """The schedule's switch is kept under this name; another name would forget it."""
    names = {entry["grpc_server"]["location_name"] for path in DEPLOY.rglob("workspace.yaml") for entry in load(path)["load_from"]}
    names |= set(
        re.findall(
            r'--location-name"?,? "?(\w+)',
            "\n".join(p.read_text() for p in (DEPLOY / "Dockerfile", DEPLOY / "compose/compose.yaml", DEPLOY / "helm/values.yaml")),
        )
    )
    assert names == {"digest_pipeline"}


def test_the_helm_values_configure_kubernetes_as_dagster_k8s_reads_it() -> None:
    """Dagster's chart passes these on to the K8sRunLauncher; where its library is installed, it judges them."""
    job = pytest.importorskip("dagster_k8s.job", reason="dagster-k8s is installed in the slow suite only")
    given = load(DEPLOY / "helm" / "values.yaml")["runLauncher"]["config"]["k8sRunLauncher"]["runK8sConfig"]
    made = job.UserDefinedDagsterK8sConfig.from_dict({re.sub("(?<!^)([A-Z])", r"_\1", key).lower(): value for key, value in given.items()})
    assert made.pod_spec_config
    assert made.container_config


CLOSED_IN_THE_CHART = {
    "dagsterWebserver": "replicaCount image nameOverride pathPrefix service workspace env envConfigMaps envSecrets deploymentLabels labels nodeSelector affinity"
    " tolerations podSecurityContext securityContext resources readinessProbe livenessProbe startupProbe annotations enableReadOnly dbStatementTimeout"
    " dbPoolRecycle logLevel schedulerName volumeMounts volumes initContainerResources",
    "dagsterWebserver.service": "type port annotations",
    "computeLogManager": "type config",
    "runLauncher": "type config",
    "runLauncher.config.k8sRunLauncher": "image imagePullPolicy jobNamespace loadInclusterConfig kubeconfigFile envConfigMaps envSecrets envVars volumeMounts"
    " volumes labels failPodOnRunFailure resources schedulerName securityContext runK8sConfig",
    "runLauncher.config.k8sRunLauncher.runK8sConfig": "containerConfig podSpecConfig podTemplateSpecMetadata jobSpecConfig jobMetadata",
    "dagsterDaemon": "enabled image runCoordinator heartbeatTolerance env envConfigMaps envSecrets deploymentLabels labels nodeSelector affinity tolerations"
    " podSecurityContext securityContext resources livenessProbe readinessProbe startupProbe annotations runMonitoring runRetries sensors schedules"
    " schedulerName volumeMounts volumes initContainerResources",
    "dagsterDaemon.runCoordinator": "enabled type config",
    "concurrency": "enabled pools runs",
    "concurrency.pools": "defaultLimit granularity opGranularityRunBuffer",
    "concurrency.runs": "maxConcurrentRuns tagConcurrencyLimits",
    "retention": "enabled sensor schedule autoMaterialize",
    "retention.sensor.purgeAfterDays": "skipped success failure started",
    "telemetry": "enabled",
}
"""Objects of Dagster's chart that take these keys and no other: `helm upgrade` fails on one that is misspelt there."""


def test_the_helm_values_have_no_key_that_the_chart_refuses() -> None:
    values = load(DEPLOY / "helm" / "values.yaml")
    for path, known in CLOSED_IN_THE_CHART.items():
        given = values
        for name in path.split("."):
            given = given[name]
        assert set(given) <= set(known.split()), path
    code = values["dagster-user-deployments"]["deployments"][0]
    assert {"name", "image", "port"} <= set(code)
    numbers = [
        values["dagsterWebserver"]["replicaCount"],
        values["dagsterWebserver"]["service"]["port"],
        values["postgresql"]["service"]["port"],
        code["port"],
    ]
    assert all(type(number) is int for number in numbers)
    assert all(type(days) is int for days in values["retention"]["sensor"]["purgeAfterDays"].values())
    assert values["computeLogManager"]["type"] in ("NoOpComputeLogManager", "S3ComputeLogManager")


def test_the_helm_values_meet_arxiv_one_step_at_a_time() -> None:
    values = load(DEPLOY / "helm" / "values.yaml")
    assert values["concurrency"]["pools"]["defaultLimit"] == 1
    assert values["ingress"]["enabled"] is False


def test_secrets_from_files_reach_the_command_and_an_unreadable_one_stops_it(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("sk-from-file\n")
    script = DEPLOY / "bin" / "with-secrets"
    shown = run("sh", script, "sh", "-c", 'echo "$OPENAI_API_KEY|${OPENAI_API_KEY_FILE:-gone}"', OPENAI_API_KEY_FILE=str(tmp_path / "key"))
    assert shown.stdout == "sk-from-file|gone\n"
    refused = run("sh", script, "true", DIGEST_SMTP_URL_FILE=str(tmp_path / "nowhere"))
    assert refused.returncode == 1
    assert "DIGEST_SMTP_URL_FILE" in refused.stderr


@pytest.mark.parametrize("name", ["backup.sh", "restore.sh"])
def test_the_scripts_are_sound_shell(name: str) -> None:
    assert run("bash", "-n", DEPLOY / name).returncode == 0


# -- back-up and restore ----------------------------------------------------------------------------


@pytest.fixture
def busy_data(tmp_path: Path) -> Iterator[Path]:
    """A data directory and a Dagster home whose database another thread keeps writing to, in write-ahead mode."""
    data = tmp_path / "data"
    (data / "papers" / "date=2026-06-02").mkdir(parents=True)
    (data / "papers" / "date=2026-06-02" / "papers.parquet").write_bytes(b"PAR1 rows PAR1")
    (data / "papers" / ".tmp-half").write_bytes(b"half")
    (data / "answers").mkdir()
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    database = data / "answers" / "answers.sqlite"
    with closing(sqlite3.connect(database)) as db:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("CREATE TABLE answers (n INTEGER)")
        db.executemany("INSERT INTO answers VALUES (?)", [(n,) for n in range(1000)])
        db.commit()
    shutil.copyfile(database, tmp_path / "home" / "runs.db")
    stop = threading.Event()

    def write() -> None:
        with closing(sqlite3.connect(database, timeout=30)) as db:
            while not stop.wait(0.01):
                with db:
                    db.execute("INSERT INTO answers VALUES (0)")

    writer = threading.Thread(target=write)
    writer.start()
    yield data
    stop.set()
    writer.join()


def back_up(tmp_path: Path, **more: str) -> Path:
    done = run(
        "bash",
        DEPLOY / "backup.sh",
        tmp_path / "sets",
        DIGEST_DATA_DIR=str(tmp_path / "data"),
        DAGSTER_HOME=str(tmp_path / "home"),
        PYTHON=sys.executable,
        **more,
    )
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.split("  ")[0])


def restore(tmp_path: Path, from_set: Path, into: str, *options: str) -> subprocess.CompletedProcess[str]:
    target = tmp_path / into
    return run(
        "bash",
        DEPLOY / "restore.sh",
        from_set,
        *options,
        DIGEST_DATA_DIR=str(target / "data"),
        DAGSTER_HOME=str(target / "home"),
        PYTHON=sys.executable,
    )


def test_a_back_up_taken_while_answers_arrive_restores_whole(tmp_path: Path, busy_data: Path) -> None:
    made = back_up(tmp_path)
    assert restore(tmp_path, made, "new").returncode == 0
    restored = tmp_path / "new" / "data"
    assert (restored / "papers" / "date=2026-06-02" / "papers.parquet").read_bytes() == b"PAR1 rows PAR1"
    assert not (restored / "papers" / ".tmp-half").exists()
    for database in (restored / "answers" / "answers.sqlite", tmp_path / "new" / "home" / "runs.db"):
        with closing(sqlite3.connect(database)) as db:
            assert db.execute("SELECT count(*) >= 1000 FROM answers").fetchone() == (1,)
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert (tmp_path / "new" / "home" / "dagster.yaml").is_file()


def test_a_damaged_set_restores_nothing(tmp_path: Path, busy_data: Path) -> None:
    made = back_up(tmp_path)
    with (made / "data.tar.gz").open("ab") as file:
        file.write(b"x")
    refused = restore(tmp_path, made, "new")
    assert refused.returncode == 1
    assert "nothing was restored" in refused.stderr
    assert not (tmp_path / "new").exists()


def test_a_restore_replaces_nothing_unasked(tmp_path: Path, busy_data: Path) -> None:
    made = back_up(tmp_path)
    (tmp_path / "new" / "data").mkdir(parents=True)
    (tmp_path / "new" / "data" / "precious").write_text("mine")
    assert restore(tmp_path, made, "new").returncode == 1
    assert [path.name for path in (tmp_path / "new" / "data").iterdir()] == ["precious"]
    assert restore(tmp_path, made, "new", "--force").returncode == 0
    assert (tmp_path / "new" / "data" / "precious").read_text() == "mine"


def test_only_the_newest_sets_are_kept_and_nothing_at_all_is_refused(tmp_path: Path, busy_data: Path) -> None:
    (tmp_path / "sets").mkdir()
    for day in range(1, 5):
        (tmp_path / "sets" / f"digest-2020010{day}T000000Z").mkdir()
    made = back_up(tmp_path, KEEP="2")
    assert sorted(path.name for path in (tmp_path / "sets").iterdir()) == ["digest-20200104T000000Z", made.name]
    refused = run("bash", DEPLOY / "backup.sh", tmp_path / "sets", DIGEST_DATA_DIR="s3://bucket/digest", DAGSTER_HOME=str(tmp_path / "none"))
    assert refused.returncode == 2
    assert "nothing to copy" in refused.stderr


def test_paid_answers_in_a_place_of_their_own_are_backed_up_and_restored(tmp_path: Path, busy_data: Path) -> None:
    (tmp_path / "lab").mkdir()
    with closing(sqlite3.connect(tmp_path / "lab" / "answers.sqlite")) as db, db:
        db.execute("CREATE TABLE answers (n INTEGER)")
    made = back_up(tmp_path, DIGEST_ANSWERS_DIR=str(tmp_path / "lab"))
    there = {"DIGEST_DATA_DIR": str(tmp_path / "new" / "data"), "DAGSTER_HOME": str(tmp_path / "new" / "home"), "PYTHON": sys.executable}
    refused = run("bash", DEPLOY / "restore.sh", made, **there)
    assert refused.returncode == 1
    assert "DIGEST_ANSWERS_DIR" in refused.stderr
    assert not (tmp_path / "new").exists()
    assert run("bash", DEPLOY / "restore.sh", made, **there, DIGEST_ANSWERS_DIR=str(tmp_path / "new" / "lab")).returncode == 0
    with closing(sqlite3.connect(tmp_path / "new" / "lab" / "answers.sqlite")) as db:
        assert db.execute("SELECT count(*) FROM answers").fetchone() == (0,)
