#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# What the tool shows of chains that are in use.
# Quick: tree
# shellcheck source=selftests/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=selftests/lib/tool.sh
. "$HERE/lib/tool.sh"

# json FILE PROGRAM: perl, with what was read in $j
json() { perl -MJSON::PP -e '
	local $/; open(my $f, "<", shift) or die; my $j = decode_json(<$f>);
	sub is { my ($got, $want, $what) = @_; $got = JSON::PP->new->canonical->allow_nonref->encode($got);
		$got eq $want or die "$what: got $got, expected $want\n" }
	eval shift; die $@ if $@' "$1" "$2" || fail "$1: $(<"$1")"; }

# Two chains on the layers a and b, and one of them with a job.
two_chains() {
	need cowchain
	use abcd
	cowchain create e.qcow2 --backing b.qcow2 --backing-format qcow2
	cowchain attach cct "$T/d.qcow2"
	cowchain attach cct2 "$T/e.qcow2"
}

it "tree shows what two chains share, and who reads what" tree
tree() {
	two_chains
	cowchain stream cct --base none --speed 4K
	cowchain tree >text
	LC_ALL=C cowchain tree --noheadings --bytes >rows
	cowchain tree --json >tree.json
	cowchain tree --json "$T/b.qcow2" >image.json
	cowchain tree --json cct2 >one.json
	# shellcheck disable=SC2016	# perl
	json tree.json '
		my %l = map { ($_->{file} =~ m{([^/]*)$})[0] => $_ } @{$j->{layers}};
		is(scalar @{$j->{layers}}, 5, "layers");
		is($l{"a.raw"}{readers}, q(["cct","cct2"]), "readers of a");
		is($l{"b.qcow2"}{readers}, q(["cct","cct2"]), "readers of b");
		is($l{"c.qcow2"}{readers}, q(["cct"]), "readers of c");
		is($l{"e.qcow2"}{below}, $l{"b.qcow2"}{id}, "below e");
		is($l{"c.qcow2"}{below}, $l{"b.qcow2"}{id}, "below c");
		is($l{"a.raw"}{below}, "null", "below a");
		is($l{"e.qcow2"}{size}, 16777216, "size of e");
		my %c = map { $_->{name} => $_ } @{$j->{chains}};
		is($c{cct}{top}, $l{"d.qcow2"}{id}, "top of cct");
		is($c{cct2}{top}, $l{"e.qcow2"}{id}, "top of cct2");
		is($c{cct}{job}{job}, q("stream"), "job of cct");
		is($c{cct2}{job}, "null", "job of cct2");'
	# shellcheck disable=SC2016
	json image.json 'is([map { $_->{name} } @{$j->{chains}}], q(["cct","cct2"]), "chains of b");'
	# shellcheck disable=SC2016
	json one.json 'is([map { $_->{name} } @{$j->{chains}}], q(["cct2"]), "chains");
		is(scalar @{$j->{layers}}, 3, "layers");'
	matches "$(<rows)" "a.raw +raw +[0-9]+ +[0-9]+ +2 " "a row"
	matches "$(<rows)" '[|`]-cct +chain .* rw +0 +stream [0-9.]+% running' "the chain"
	eq "$(cowchain tree --svg | grep -c '<rect class="chain"')" 2 "chains in the picture"
	eq "$(cowchain tree --svg | grep -c '<rect class="job"')" 1 "progress in the picture"
	cowchain job cct cancel
	cowchain detach cct2
	detached
}

it "tree of a device without a chain" tree_broken
tree_broken() {
	need cowchain
	dmsetup create cct --notable --uuid COWCHAIN-0123
	cowchain tree --json >tree.json
	# shellcheck disable=SC2016
	json tree.json 'is($j->{layers}, "[]", "layers"); is($j->{chains}[0]{mode}, q("no-table"), "mode");
		is($j->{chains}[0]{top}, "null", "top");'
	matches "$(cowchain tree --noheadings)" 'cct +chain +0B .*no-table' text
	tool_fails 1 'no such device|No such file' tree cct-none
	cowchain detach cct
}

it "status for Prometheus" prometheus
prometheus() {
	local text

	two_chains
	# shellcheck disable=SC2034	# for io
	DEV=/dev/mapper/cct
	io write:0:64k:1 read:0:64k
	cowchain stream cct --base none --speed 4K
	dmsetup create cct3 --notable --uuid COWCHAIN-0123
	cowchain status --prometheus >chains.prom
	text=$(<chains.prom)
	matches "$text" 'cowchain_chains 3' "number of chains"
	matches "$text" 'cowchain_mode[{]name="cct",mode="rw"[}] 1' "mode of cct"
	matches "$text" 'cowchain_mode[{]name="cct3",mode="none"[}] 1' "mode of a device without a chain"
	matches "$text" 'cowchain_size_bytes[{]name="cct2"[}] 16777216' size
	matches "$text" 'cowchain_job_info[{]name="cct",job="stream",state="running",io_status="ok"[}] 1' job
	[[ $text != *'job_info{name="cct2"'* ]] || fail "cct2 has no job"
	matches "$text" 'cowchain_bytes_total[{]name="cct",operation="write"[}] 65536' "bytes that were written"
	matches "$text" 'cowchain_info[{]name="cct2",device="[0-9:]+",uuid="COWCHAIN-[0-9a-f]+",top="[^"]*/e.qcow2"[}] 1' info
	keep prometheus chains.prom
	tool_fails 2 'does not go together' status --prometheus --json
	cowchain job cct cancel
	cowchain detach cct2
	cowchain detach cct3
	cowchain detach cct
	# nothing to show is no error
	matches "$(cowchain status --prometheus)" 'cowchain_chains 0' "no chains"
}

it "top: rates and jobs, and its ends" top
top() {
	local rc=0 pid

	two_chains
	# shellcheck disable=SC2034	# for io
	DEV=/dev/mapper/cct
	cowchain stream cct --base none --speed 64K
	cowchain top --json --count 3 --interval 0.5 >top.json &
	pid=$!
	io write:0:64k:1 write:1024k:64k:2 write:2048k:64k:3 read:0:64k
	wait $pid || fail "top --count: $?"
	eq "$(wc -l <top.json)" 3 "lines of JSON"
	while read -r line; do
		nr=$((${nr:-0} + 1))
		echo "$line" >"top-$nr.json"
		keep json top "top-$nr.json"
		# shellcheck disable=SC2016	# perl
		json "top-$nr.json" 'my %c = map { $_->{name} => $_ } @{$j->{chains}};
			is([sort keys %c], q(["cct","cct2"]), "chains");
			is($c{cct}{job}{job}, q("stream"), "job"); is($c{cct2}{job}, "null", "no job");'
	done <top.json
	matches "$(cowchain top -n -c 1 -i 0.1)" 'cct +rw .* stream [0-9.]+% running' text
	# no terminal: no escapes
	[[ $(cowchain top -c 1 -i 0.1) != *$'\e'* ]] || fail "escapes without a terminal"
	cowchain top --interval 60 >/dev/null &
	pid=$!
	sleep 1
	kill -TERM $pid
	wait $pid || rc=$?
	eq $rc 143 "status after SIGTERM"
	rc=0
	cowchain top -c 1 -i 0.1 >/dev/full 2>said || rc=$?
	eq $rc 1 "status with a full disk"
	matches "$(<said)" 'cannot write to the standard output: No space left' "message of a full disk"
	cowchain job cct cancel
	cowchain detach cct2
	cowchain detach cct
}

run_cases
