#!/usr/bin/env bash
# Backs up what cannot be had again: paid answers, data, Dagster's records.   deploy/backup.sh TARGET_DIRECTORY
#
# Reads DIGEST_DATA_DIR (default data/), DAGSTER_HOME (default .dagster_home/) and, where dagster.yaml there names PostgreSQL
# (or there is no dagster.yaml and DAGSTER_PG_HOST is set), DAGSTER_PG_* for pg_dump. Writes nowhere but in TARGET_DIRECTORY.
# PG_DUMP is the command for that where pg_dump itself is not here, or older than the server: "docker compose exec -T postgres pg_dump".
# KEEP (default 14) sets are kept; older ones are deleted. Safe while runs are under way: SQLite files are copied by
# SQLite's own backup, every other file is replaced whole by the pipeline, never changed in place.
# Paid answers that lie elsewhere (DIGEST_ANSWERS_DIR) are copied too. Data in an object store is not: switch on its versioning.
# Secrets (digest.env) are not copied either.
set -euo pipefail
umask 077

target=${1:?usage: backup.sh TARGET_DIRECTORY}
here=$(cd "$(dirname "$0")" && pwd)
data=${DIGEST_DATA_DIR:-$here/../data}
answers=${DIGEST_ANSWERS_DIR:-}
home=${DAGSTER_HOME:-$here/../.dagster_home}
python=${PYTHON:-python3}
keep=${KEEP:-14}

is_local() { [[ $1 != *://* ]]; }

if is_local "$data"; then
    [[ -d $data ]] || { echo "backup.sh: there is no $data (DIGEST_DATA_DIR)" >&2; exit 2; }
else
    echo "backup.sh: $data is an object store: switch on its versioning; of this machine only Dagster's records are copied" >&2
fi
mkdir -p "$target"
partial=$target/.partial-$$
mkdir "$partial"
trap 'rm -rf "$partial"' EXIT

archive() {  # archive NAME DIRECTORY: everything but SQLite files and half-written ones; a file that is replaced meanwhile is no error
    local status=0
    tar --create --gzip --file "$partial/$1.tar.gz" --directory "$2" \
        --exclude='*.sqlite*' --exclude='*.db' --exclude='*.db-*' --exclude='.tmp-*' --exclude='*.lock' \
        --warning=no-file-changed --warning=no-file-removed . || status=$?
    (( status <= 1 )) || { echo "backup.sh: tar ended with $status" >&2; exit 1; }
}

uses_postgres() {
    if [[ -f $home/dagster.yaml ]]; then grep -Eq '^[[:space:]]*postgres:|dagster_postgres' "$home/dagster.yaml"; else [[ -n ${DAGSTER_PG_HOST:-} ]]; fi
}

if [[ -n $answers ]] && is_local "$answers"; then "$python" "$here/copy_sqlite.py" "$answers" "$partial/answers-sqlite"; fi
if is_local "$data"; then
    "$python" "$here/copy_sqlite.py" "$data" "$partial/data-sqlite"      # the paid answers first
    archive data "$data"
fi
if uses_postgres; then
    : "${DAGSTER_PG_HOST:?dagster.yaml names PostgreSQL: set DAGSTER_PG_HOST, DAGSTER_PG_USERNAME, DAGSTER_PG_PASSWORD, DAGSTER_PG_DB}"
    read -ra pg_dump <<< "${PG_DUMP:-pg_dump}"
    PGPASSWORD=${DAGSTER_PG_PASSWORD:-} "${pg_dump[@]}" --host "$DAGSTER_PG_HOST" --port "${DAGSTER_PG_PORT:-5432}" \
        --username "$DAGSTER_PG_USERNAME" --format custom "$DAGSTER_PG_DB" > "$partial/dagster.pgdump"
fi
if [[ -d $home ]]; then
    "$python" "$here/copy_sqlite.py" "$home" "$partial/dagster-sqlite"
    archive dagster "$home"
fi

[[ -n $(find "$partial" -type f -print -quit) ]] || { echo "backup.sh: there was nothing to copy" >&2; exit 2; }
sums=$(cd "$partial" && find . -type f -print0 | sort -z | xargs -0 sha256sum)
printf '%s\n' "$sums" > "$partial/SHA256SUMS"
finished=$target/digest-$(date -u +%Y%m%dT%H%M%SZ)
mv "$partial" "$finished"
trap - EXIT
mapfile -t sets < <(find "$target" -maxdepth 1 -type d -name 'digest-*' | sort -r)
for old in "${sets[@]:keep}"; do rm -rf "$old"; done
echo "$finished  $(du -sh "$finished" | cut -f1)"
