#!/bin/sh
# The page: who answers, under which addresses, since when.
read -r seconds rest </proc/uptime
printf 'Content-Type: text/plain; charset=utf-8\r\nCache-Control: no-store\r\n\r\n'
echo "host $(hostname)"
ip -o addr show scope global | awk '{print "address " $4}'
ip -o addr show scope link | awk '{print "address " $4}'
echo "uptime $seconds"
