#!/bin/sh
# As the official image: arguments alone are redis-server's.
[ "${1#-}" = "$1" ] || set -- redis-server "$@"
exec "$@"
