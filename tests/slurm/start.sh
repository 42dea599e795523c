#!/usr/bin/env bash
# Starts SLURM on this machine, all of it inside FOLDER: start.sh FOLDER; stop.sh FOLDER ends it.
# Outside of it there is one link, /etc/slurm/slurm.conf: SLURM's commands look there, and the
# executor plugin takes SLURM_CONF out of the environment of a job's steps.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
folder=$1
conf=/etc/slurm/slurm.conf
if ! { mkdir -p "${conf%/*}" && ln -s "$folder/slurm.conf" "$conf"; }; then
  echo "cannot make $conf: a SLURM is set up here, or another test runs, or you are not root." >&2
  echo "If a test that was killed left it: tests/slurm/stop.sh '$(dirname "$(readlink "$conf")")'" >&2
  exit 1
fi
mkdir -p "$folder"/{state,spool,munge}
chmod 755 "$folder" "$folder/munge" # munge wants to know that nobody else can write there

host=$(hostname -s)
cpus=$(getconf _NPROCESSORS_ONLN) # nproc would follow OMP_NUM_THREADS
[ "$cpus" -ge 2 ] || cpus=2     # the tests have two jobs beside each other
read -r port1 port2 < <(python3 -c '
import socket
sockets = [socket.socket() for _ in range(2)]
for s in sockets: s.bind(("", 0))
print(*[s.getsockname()[1] for s in sockets])')
sed -e "s|@FOLDER@|$folder|g; s|@HOST@|$host|g; s|@CPUS@|$cpus|g" \
  -e "s|@PORT1@|$port1|; s|@PORT2@|$port2|" "$here/slurm.conf" >"$folder/slurm.conf"

head -c 1024 /dev/urandom >"$folder/munge/key"
chmod 400 "$folder/munge/key"
# a daemon must not hold what the caller has open, such as a lock
exec </dev/null 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-
munged --force --socket="$folder/munge/socket" --key-file="$folder/munge/key" \
  --pid-file="$folder/munged.pid" --log-file="$folder/munged.log" --seed-file="$folder/munge/seed"
slurmctld -c >>"$folder/slurmctld.log" 2>&1
slurmd -c -N "$host" >>"$folder/slurmd.log" 2>&1

for _ in $(seq 100); do
  [ "$(sinfo -h -o %T -p main 2>/dev/null)" = idle ] && exit 0
  sleep 0.2
done
echo "SLURM did not come up; the ends of its logs:" >&2
tail -n 5 "$folder"/*.log >&2
exit 1
