#!/usr/bin/env bash
# Ends what start.sh started in FOLDER, jobs included, by its process ids, and removes FOLDER.
set -uo pipefail
folder=$1
conf=/etc/slurm/slurm.conf
[ "$(readlink "$conf")" = "$folder/slurm.conf" ] || exit 0 # nothing of ours runs
if [ -e "$folder/slurmctld.pid" ]; then
  timeout 10 scancel --user=root 2>/dev/null
  timeout 10 scancel --full --signal=KILL --user=root 2>/dev/null
  for _ in $(seq 25); do
    [ -z "$(timeout 5 squeue -h -t running,completing 2>/dev/null)" ] && break
    sleep 0.2
  done
fi
for daemon in slurmd slurmctld munged; do
  pid=$(cat "$folder/$daemon.pid" 2>/dev/null) || continue
  kill "$pid" 2>/dev/null
  for _ in $(seq 50); do
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.2
  done
  kill -KILL "$pid" 2>/dev/null && echo "$daemon ($pid) had to be killed" >&2
done
# what outlives slurmd: the keepers of job steps (there is no other SLURM here), processes of jobs
for keeper in $(pgrep -x slurmstepd); do kill -KILL "$keeper"; done
for place in /proc/[0-9]*; do
  tr '\0' '\n' 2>/dev/null <"$place/environ" | grep -qx SLURM_CLUSTER_NAME=nearnd_test &&
    kill -KILL "${place#/proc/}"
done
rm -rf "$folder" "$conf"
