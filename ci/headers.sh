#!/bin/sh
# Succeed where the Python that will run has the headers that compiled kernels need.
exec "$(sh "$(dirname "$0")/python.sh")" -c '
import os, sys, sysconfig
sys.exit(not os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")))'
