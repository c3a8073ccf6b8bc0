#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The command of cowchain-prometheus.service, and what systemd says to the units where it is. TAP.
# shellcheck disable=SC2016,SC2034	# check evaluates lines
set -u
here=$(cd "$(dirname "$0")" && pwd) || exit 1
units=$here/../../units
dir=$(mktemp -d /tmp/cowchain-units-XXXXXX) || exit 1
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1
mkdir bin data

n=0
failed=0
# check TEXT LINE: a line of shell
check() {
	n=$((n + 1))
	if (eval "$2") >out 2>&1; then
		echo "ok $n - $1"
	else
		failed=1
		echo "not ok $n - $1"
		sed 's/^/# /' out
	fi
}
# As systemd runs it, but elsewhere.
command=$(sed -n 's/^ExecStart=//p' "$units/cowchain-prometheus.service" | sed 's/\$\$/$/g; s|/var/lib/prometheus/node-exporter|'"$dir/data"'|g')
cowchain() { printf '#!/bin/sh\n%s\n' "$1" >bin/cowchain; chmod +x bin/cowchain; }
PATH=$dir/bin:$PATH
cowchain 'echo "$*"'
check 'the state gets to its place' 'eval "$command" && [ "$(cat data/cowchain.prom)" = "status --prometheus" ] && [ "$(ls data)" = cowchain.prom ]'
check 'everybody may read it' '[ "$(stat -c %a data/cowchain.prom)" = 644 ]'
cowchain 'echo half; exit 1'
check 'after a failure, the old one stays, and no other' '! eval "$command" && [ "$(cat data/cowchain.prom)" = "status --prometheus" ] && [ "$(ls data)" = cowchain.prom ]'
if command -v systemd-analyze >/dev/null; then
	check 'systemd understands the units' \
		'! SYSTEMD_LOG_LEVEL=warning systemd-analyze verify --man=no "$units"/cowchain-prometheus.* 2>&1 | grep cowchain-prometheus'
fi

echo "1..$n"
exit "$failed"
