"""The commands of `nearnd`, a file for each: HELP, `add` its options, `run` it."""
