#!/usr/bin/env bash
# Restores a set made by backup.sh.   deploy/restore.sh SET_DIRECTORY [--force]
#
# Stop webserver, daemon and code server first. Restores into DIGEST_DATA_DIR and DAGSTER_HOME, and with DAGSTER_PG_* into
# PostgreSQL; run it as the service's user, whose the files are then. Refuses a directory that is not empty without --force, which then replaces what the set holds and leaves the rest.
set -euo pipefail
umask 027

set_directory=${1:?usage: restore.sh SET_DIRECTORY [--force]}
force=${2:-}
here=$(cd "$(dirname "$0")" && pwd)
data=${DIGEST_DATA_DIR:-$here/../data}
home=${DAGSTER_HOME:-$here/../.dagster_home}
python=${PYTHON:-python3}

(cd "$set_directory" && sha256sum --check --quiet SHA256SUMS) || { echo "restore.sh: the set is damaged; nothing was restored" >&2; exit 1; }

require_empty() {
    if [[ -d $1 && -n $(find "$1" -mindepth 1 ! -name README.md ! -name dagster.yaml -print -quit) && $force != --force ]]; then
        echo "restore.sh: $1 is not empty; nothing was restored (--force replaces what the set holds)" >&2
        exit 1
    fi
}

unpack() {  # unpack NAME DIRECTORY
    [[ -f $set_directory/$1.tar.gz ]] || return 0
    mkdir -p "$2"
    tar --extract --preserve-permissions --gzip --file "$set_directory/$1.tar.gz" --directory "$2"
    if [[ -d $set_directory/$1-sqlite ]]; then "$python" "$here/copy_sqlite.py" "$set_directory/$1-sqlite" "$2"; fi
}

if [[ -f $set_directory/data.tar.gz ]]; then require_empty "$data"; fi
if [[ -f $set_directory/dagster.tar.gz ]]; then require_empty "$home"; fi
if [[ -d $set_directory/answers-sqlite ]]; then require_empty "${DIGEST_ANSWERS_DIR:?the set holds paid answers of their own place: set it}"; fi
if [[ -f $set_directory/dagster.pgdump ]]; then
    : "${DAGSTER_PG_HOST:?the set holds a PostgreSQL dump: set DAGSTER_PG_HOST, DAGSTER_PG_USERNAME, DAGSTER_PG_PASSWORD, DAGSTER_PG_DB}"
fi
unpack data "$data"
unpack dagster "$home"
if [[ -d $set_directory/answers-sqlite ]]; then "$python" "$here/copy_sqlite.py" "$set_directory/answers-sqlite" "$DIGEST_ANSWERS_DIR"; fi
if [[ -f $set_directory/dagster.pgdump ]]; then
    read -ra pg_restore <<< "${PG_RESTORE:-pg_restore}"
    PGPASSWORD=${DAGSTER_PG_PASSWORD:-} "${pg_restore[@]}" --host "$DAGSTER_PG_HOST" --port "${DAGSTER_PG_PORT:-5432}" \
        --username "$DAGSTER_PG_USERNAME" --dbname "$DAGSTER_PG_DB" --clean --if-exists --no-owner --single-transaction < "$set_directory/dagster.pgdump"
fi
echo "restored $set_directory into $data and $home"
