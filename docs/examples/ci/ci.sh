#!/bin/sh
# Lets the solutions of this repository run against a Headwater of its own, and Headwater check their answers.
#
#     ./ci.sh [RESULTS]     JUnit goes to RESULTS, results.xml without
#
# It ends with 0 if every challenge of the list passes, with 1 if one does not, with 2 if nothing could be checked.

# The challenges that count here. solutions/c01.py is the solution of c01.
CHALLENGES=${CHALLENGES:-c01 c02 c04}
# Another seed is another town. A virtual clock of speed 0 stands still behind two hours of history: the same records in every run.
SEED=${SEED:-7}
# Seconds that a solution may take.
LIMIT=${LIMIT:-120}
# Where the broker listens. `headwater` reads these two by itself, workshop.py the third.
export HEADWATER_LISTEN="${HEADWATER_LISTEN:-127.0.0.1:9092}" HEADWATER_HTTP="${HEADWATER_HTTP:-127.0.0.1:8080}"
export HEADWATER_SERVER="http://$HEADWATER_HTTP"

here=$(cd "$(dirname "$0")" && pwd)
results=${1:-results.xml}
work=$(mktemp -d) || exit 2
broker='' solution=''

stop() {
    for process in $solution $broker; do
        kill "$process" 2>/dev/null && wait "$process"
    done
    rm -rf "$work"
}
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

give_up() {
    echo "ci.sh: $1" >&2
    exit 2
}

# What this machine and this repository have to have.
for tool in headwater python3 curl timeout; do
    command -v "$tool" >/dev/null || give_up "there is no $tool on PATH; README.md says what is needed"
done
python3 -c 'import confluent_kafka' || give_up "the Kafka client cannot be loaded: python3 -m pip install -r requirements.txt"
missing=''
for id in $CHALLENGES; do
    [ -f "$here/solutions/$id.py" ] || missing="$missing solutions/$id.py"
done
[ -z "$missing" ] || give_up "missing:$missing; add it, or take it out of CHALLENGES in ci.sh"
! headwater health >/dev/null 2>&1 ||
    give_up "another Headwater answers at $HEADWATER_HTTP; stop it, or set HEADWATER_HTTP and HEADWATER_LISTEN to free ports"

# Results of an earlier run would pass for those of this one.
rm -f "$results"
# On a laptop that has joined a class the solutions would find that one.
export HEADWATER_HOME="$work/home" PYTHONPATH="$work" PYTHONUNBUFFERED=1

headwater serve --seed "$SEED" --clock virtual --speed 0 --data-dir "$work/data" >"$work/broker.log" 2>&1 &
broker=$!
waited=0
# Healthy, and the history is written.
until headwater health >/dev/null 2>&1 && curl -fsS "$HEADWATER_SERVER/api/generators" | grep -q '"phase":"live"'; do
    if ! kill -0 "$broker" 2>/dev/null || [ "$waited" -ge 60 ]; then
        tail -n 20 "$work/broker.log" >&2
        give_up "the broker did not start; the lines above are its own"
    fi
    waited=$((waited + 1))
    sleep 1
done

# What all solutions import, as it fits this broker.
curl -fsS "$HEADWATER_SERVER/api/challenges/c01/workshop.py" >"$work/workshop.py" || give_up "the broker has no workshop.py"

crashed=''
for id in $CHALLENGES; do
    echo "== solutions/$id.py"
    # In the background, so that a signal to this script is heard while it runs.
    (cd "$here/solutions" && exec timeout "$LIMIT" python3 "$id.py") &
    solution=$!
    wait "$solution"
    code=$?
    solution=''
    case $code in
    0) continue ;;
    124) echo "ci.sh: solutions/$id.py did not end within $LIMIT s" >&2 ;;
    *) echo "ci.sh: solutions/$id.py ended with status $code" >&2 ;;
    esac
    crashed="$crashed $id"
done

echo "== check"
# Those of the list have to pass; of the others, those that were tried.
# shellcheck disable=SC2086 # one word a challenge
headwater check --all --junit "$results" $CHALLENGES
status=$?
[ -f "$results" ] || give_up "there are no results in $results"
[ -z "$crashed" ] || status=1
exit "$status"
