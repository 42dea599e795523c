#!/usr/bin/env bash
# make test-slurm: installs SLURM where it is missing, starts it on this machine, runs the tests in
# this folder through it, and stops what it started, whatever happened.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

missing=()
for program in slurmctld slurmd sbatch munged; do
  command -v "$program" >/dev/null || missing+=("$program")
done
if [ "$(id -u)" != 0 ]; then
  echo "make test-slurm starts daemons and links /etc/slurm/slurm.conf: run it as root" >&2
  exit 1
fi
if [ ${#missing[@]} -gt 0 ]; then
  if ! command -v apt-get >/dev/null; then
    echo "make test-slurm needs ${missing[*]}: install SLURM and munge (Debian: slurm-wlm munge)" >&2
    exit 1
  fi
  echo "make test-slurm: ${missing[*]} missing, installing the packages slurm-wlm and munge"
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends slurm-wlm munge >/dev/null
fi

folder=$(mktemp -d)
tests=
finish() {
  trap - EXIT INT TERM
  [ -z "$tests" ] || kill -KILL -- "-$tests" 2>/dev/null || true # and what they started
  "$here/stop.sh" "$folder"
  rm -rf "$folder"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

"$here/start.sh" "$folder"
# in the background, so that a signal to this script is seen at once; in a session of their own
NEARND_SLURM=$folder setsid "${PYTHON:-python3}" -m pytest "$here/test_slurm.py" "$@" &
tests=$!
wait "$tests"
