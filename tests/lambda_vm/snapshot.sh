#!/bin/sh
# What runs as Lambda's user: the engine makes a snapshot of the definitions.
export GCONV_PATH=/opt/lib/clamav/gconv
cd /tmp && mkdir tmp
/opt/bin/airlock-engine snapshot --config-file /given/clamd.conf --out /tmp/snapshot
/opt/bin/airlock-engine build > /tmp/build
