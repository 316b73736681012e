#!/bin/sh
# Prints how many compilers to run at a time: one per processor, but 1.5 GB of free memory for each.
set -eu

# Without what OpenMP is told, to which nproc listens: clusters often set it to 1, and compilers use no OpenMP.
processors=$(env -u OMP_NUM_THREADS -u OMP_THREAD_LIMIT nproc 2>/dev/null || sysctl -n hw.ncpu 2>/dev/null || echo 1)
jobs=$processors

limit_to() { # KIBIBYTES: what this much memory allows
  fitting=$(($1 / 1500000))
  [ "$fitting" -ge 1 ] || fitting=1
  [ "$fitting" -ge "$jobs" ] || jobs=$fitting
}

if [ -r /proc/meminfo ]; then
  available=$(awk '$1 == "MemAvailable:" { print $2 }' /proc/meminfo)
  [ -z "$available" ] || limit_to "$available"
fi
# A container may have less than the machine.
if [ -r /sys/fs/cgroup/memory.max ]; then
  allowed=$(cat /sys/fs/cgroup/memory.max)
  [ "$allowed" = max ] || limit_to "$((allowed / 1024))"
fi
echo "$jobs"
