#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs, upgrades around and removes the Debian package on a Debian that has Nova from Debian's packages.
#
#   package_walk.sh ./FPGA_NOVA.deb [./EARLIER.deb]
#
# It reinstalls python3-nova and replaces policy-rc.d: `make e2e-package` runs it in a Debian of its own.
set -eu

deb=$1
packages=/usr/lib/python3/dist-packages
nova=$packages/nova
export DEBIAN_FRONTEND=noninteractive

step() { echo "== $*"; }
fail() {
    echo "FAILED: $*" >&2
    exit 1
}
code_is() {
    want=$1
    shift
    got=0
    "$@" || got=$?
    [ "$got" -eq "$want" ] || fail "$* ended with $got, not $want"
}
shipped() { [ -z "$(dpkg --verify python3-nova)" ] || fail "python3-nova is not as shipped"; }

# Asked before each restart of a service: what would it run?
cat > /usr/sbin/policy-rc.d <<'EOF'
#!/bin/sh
echo "$1 $(fpga-patch status --format json 2>/dev/null | sed -n 's/.*"state": "\(stock\|patched\)".*/\1/p' | head -1)" \
    >> /tmp/restarts
exit 101
EOF
chmod 755 /usr/sbin/policy-rc.d

if [ $# -gt 1 ]; then
    step "an earlier release, patched and with its columns"
    apt-get install -y "$2"
    fpga-patch apply
    printf '[database]\nconnection = sqlite:////tmp/nova.sqlite\n' > /tmp/nova.conf
    nova-manage --config-file /tmp/nova.conf db sync --local_cell
    columns() {
        python3 -c 'import sqlite3; print(*sqlite3.connect("/tmp/nova.sqlite").iterdump(), sep="\n")' |
            grep -o 'fpga_[a-z_]*' | sort
    }
    before=$(columns)
    echo "$before" | grep -q fpga_device || fail "no columns"

    step "this release in its place: patched, the columns as they were, nothing of the other left"
    apt-get install -y "$deb"
    code_is 0 fpga-patch verify
    su -s /bin/sh nova -c "python3 -c 'import nova.compute.manager, nova.scheduler.host_manager'"
    dpkg -L fpga-nova | while read -r path; do [ -e "$path" ] || fail "$path is missing"; done
    [ ! -e "$packages/migrations" ] || fail "the package migrations is still there"
    nova-manage --config-file /tmp/nova.conf db sync --local_cell
    [ "$(columns)" = "$before" ] || fail "the columns changed"
    fpga-manage --config-file /tmp/nova.conf db version
    dpkg -r fpga-nova
    dpkg -P fpga-nova
    shipped
fi

step "install: Nova stays as it is"
apt-get install -y "$deb"
shipped
code_is 1 fpga-patch status

step "apply"
files=$(fpga-patch plan | grep -c '^  change ')
code_is 0 fpga-patch apply
code_is 0 fpga-patch status
code_is 0 fpga-patch verify
[ "$(dpkg --verify python3-nova | wc -l)" -eq "$files" ] || fail "other files changed than planned"
su -s /bin/sh nova -c "python3 -c 'import nova.compute.manager, nova.scheduler.host_manager'"

step "python3-nova and services reinstalled: patched before a service restarts"
rm -f /tmp/restarts
apt-get install -y --reinstall python3-nova nova-common nova-compute nova-scheduler
code_is 0 fpga-patch verify
cat /tmp/restarts
grep -q patched /tmp/restarts || fail "no service was to be restarted"
! grep -q stock /tmp/restarts || fail "a service was restarted before Nova was patched"

step "fpga-nova reinstalled: stays patched"
dpkg -i "$deb"
code_is 0 fpga-patch verify

step "a killed apply is finished or undone by the trigger of the next upgrade"
fpga-patch revert
mkdir -p /var/lib/fpga-nova/patch-backup
timeout -s KILL 0.4 fpga-patch apply || true
fpga-patch apply
code_is 0 fpga-patch verify

step "an upgrade to a release without a diff: told loudly, and the package manager goes on"
sed -i 's/^Version: .*/Version: 26.99.0/' "$packages"/nova-*.egg-info/PKG-INFO
dpkg-trigger --by-package=fpga-nova "$nova" && dpkg --configure --pending 2> /tmp/told
grep -q "NOVA IS NOT PATCHED ANY MORE" /tmp/told || fail "nothing was told"
code_is 3 fpga-patch status
apt-get install -y --reinstall python3-nova
code_is 0 fpga-patch verify

step "fpga-api and its engine, from Debian's packages, as their units start them"
apt-get install -y memcached curl $(dpkg-query -W -f '${Suggests}' fpga-nova | tr -d ,)
mkdir -p /etc/fpga-nova
cat > /etc/fpga-nova/fpga-api.conf <<'EOF'
[database]
connection = sqlite:////tmp/fpga-api/fpga.sqlite
[cache]
memcache_servers = 127.0.0.1:11211
[hosts]
transport_url = rabbit://fpga:SECRET@127.0.0.1:1/fpga
[availability]
public = true
[service_credentials]
auth_type = password
auth_url = http://127.0.0.1:1/v3
[keystone_authtoken]
auth_type = password
auth_url = http://127.0.0.1:1/v3
www_authenticate_uri = http://127.0.0.1:1
service_token_roles_required = true
memcached_servers = 127.0.0.1:11211
EOF
chown fpga-api: /etc/fpga-nova/fpga-api.conf
chmod 400 /etc/fpga-nova/fpga-api.conf
install -d -o fpga-api /tmp/fpga-api
as_service() { setpriv --reuid fpga-api --regid fpga-api --clear-groups "$@"; }
as_service fpga-api-manage db sync
as_service fpga-status upgrade check
memcached -d -u nobody -l 127.0.0.1
running=
for unit in fpga-api fpga-api-engine; do
    command=$(sed -n 's/^ExecStart=//p' "/lib/systemd/system/$unit.service")
    # Two words, as systemd reads them.
    # shellcheck disable=SC2086
    as_service $command > "/tmp/$unit.log" 2>&1 &
    running="$running $!"
done
answers() {
    for _ in $(seq 300); do
        ! curl -s -o /tmp/answer "$1" || ! grep -q "$2" /tmp/answer || return 0
        sleep 1
    done
    cat /tmp/fpga-api.log /tmp/fpga-api-engine.log /tmp/answer >&2
    fail "$1 has no $2"
}
answers http://127.0.0.1:8690/ '"v1"'
answers http://127.0.0.1:8690/v1/regions fpga.unauthorized
answers http://127.0.0.1:8690/v1/availability fpga.not_published
answers http://127.0.0.1:8691/metrics '^fpga_engine_active 1.0'
answers http://127.0.0.1:8691/metrics 'result="failure",task="availability"'
# shellcheck disable=SC2086
kill $running
wait
rm -r /etc/fpga-nova/fpga-api.conf /tmp/fpga-api

step "a change of somebody else: removal is refused, and settled by a reinstall"
echo "# theirs" >> "$nova/virt/driver.py"
code_is 4 fpga-patch status
! dpkg -r fpga-nova || fail "the package went while Nova needs it"
apt-get install -y --reinstall python3-nova
code_is 0 fpga-patch verify

step "remove: Nova is as shipped"
dpkg -r fpga-nova
shipped
dpkg -P fpga-nova
[ ! -e /var/lib/fpga-nova/patch-backup ] || fail "purge left its folder"
su -s /bin/sh nova -c "python3 -c 'import nova.compute.manager'"
find "$nova" -name '.*.fpga-patch' | grep . && fail "files left" || true
rm /usr/sbin/policy-rc.d
step "all went well"
