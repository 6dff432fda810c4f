#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Makes a cloud of Debian's packages on the host `controller`, as its operator would: databases, broker,
# Keystone, Glance, Placement, Neutron's server, Nova's controller. nova-compute is not started.
#
#   cloud.sh      with CATALOGUE, for catalogue.py, in the environment
#
# Passwords are SECRET, as in docs/install.md. It uses ini.py and catalogue.py beside it.
set -euo pipefail

here=$(dirname "$0")
keystone=http://controller:5000/v3

url() { echo "mysql+pymysql://nova:SECRET@controller/$1"; }
as() { su -s /bin/sh "$1" -c "$2"; }
answers() { curl -s -o /dev/null --retry 120 --retry-delay 1 --retry-all-errors "$1"; }

put() { python3 "$here/ini.py" "$1"; } # FILE

credentials() { # SECTION USER
    printf '\n[%s]\nauth_type = password\nauth_url = %s\nusername = %s\npassword = SECRET\n' "$1" $keystone "$2"
    printf 'project_name = service\nuser_domain_name = Default\nproject_domain_name = Default\n'
    printf 'region_name = regionOne\n'
}

configure_keystone() {
    printf '\n[database]\nconnection = %s\n' "$(url keystone)" | put /etc/keystone/keystone.conf
}

configure_glance() {
    {
        printf '\n[database]\nconnection = %s\n' "$(url glance)"
        printf '\n[paste_deploy]\nflavor = keystone\n'
        credentials keystone_authtoken glance
    } | put /etc/glance/glance-api.conf
}

configure_placement() {
    {
        printf '\n[placement_database]\nconnection = %s\n' "$(url placement)"
        credentials keystone_authtoken placement
    } | put /etc/placement/placement.conf
}

configure_neutron() {
    {
        printf '\n[DEFAULT]\ncore_plugin = ml2\nservice_plugins =\n'
        printf 'transport_url = rabbit://openstack:SECRET@controller/\n'
        printf 'notify_nova_on_port_status_changes = false\nnotify_nova_on_port_data_changes = false\n'
        printf '\n[database]\nconnection = %s\n' "$(url neutron)"
        credentials keystone_authtoken neutron
    } | put /etc/neutron/neutron.conf
    printf '\n[ml2]\ntype_drivers = vxlan\ntenant_network_types = vxlan\nmechanism_drivers =\n' | put /etc/neutron/plugins/ml2/ml2_conf.ini
}

configure_nova() {
    {
        printf '\n[DEFAULT]\ntransport_url = rabbit://openstack:SECRET@controller/\nmy_ip = 127.0.0.1\n'
        printf 'periodic_fuzzy_delay = 0\n'
        printf '\n[api_database]\nconnection = %s\n' "$(url nova_api)"
        printf '\n[database]\nconnection = %s\n' "$(url nova)"
        printf '\n[conductor]\nworkers = 1\n'
        printf '\n[scheduler]\nworkers = 1\ndiscover_hosts_in_cells_interval = 5\n'
        printf '\n[vnc]\nenabled = false\n'
        for section in keystone_authtoken placement neutron glance cinder; do
            credentials $section nova
        done
    } | put /etc/nova/nova.conf
}

# Servers for one user, not for a crowd.
sed -i 's/^processes = .*/processes = 2/' /etc/*/*-uwsgi.ini
# A client that goes on with a connection that uwsgi is just closing gets an error.
sed -i '/^\[uwsgi\]/a add-header = Connection: close' /etc/*/*-uwsgi.ini
# Neutron is of greenlets, which wait for each other for ever across threads.
sed -i 's/^threads = .*/threads = 1/' /etc/neutron/neutron-api-uwsgi.ini

service mariadb start
service rabbitmq-server start
for name in keystone glance placement neutron nova nova_api nova_cell0; do
    echo "CREATE DATABASE $name CHARACTER SET utf8; GRANT ALL ON $name.* TO nova@'%' IDENTIFIED BY 'SECRET';"
done | mysql
rabbitmqctl add_user openstack SECRET
rabbitmqctl set_permissions openstack '.*' '.*' '.*'

configure_keystone
as keystone "keystone-manage db_sync"
keystone-manage fernet_setup --keystone-user keystone --keystone-group keystone
keystone-manage credential_setup --keystone-user keystone --keystone-group keystone
as keystone "keystone-manage bootstrap --bootstrap-password SECRET --bootstrap-region-id regionOne \
    --bootstrap-public-url $keystone --bootstrap-internal-url $keystone"
service keystone restart
cat > /root/openrc <<END
export OS_AUTH_URL=$keystone OS_USERNAME=admin OS_PASSWORD=SECRET OS_PROJECT_NAME=admin
export OS_USER_DOMAIN_NAME=Default OS_PROJECT_DOMAIN_NAME=Default OS_REGION_NAME=regionOne
export OS_IDENTITY_API_VERSION=3
END
. /root/openrc
answers $keystone
SERVICE_PASSWORD=SECRET python3 "$here/catalogue.py"

configure_glance
configure_placement
configure_neutron
configure_nova
as glance "glance-manage db_sync"
as placement "placement-manage db sync"
as neutron "neutron-db-manage --config-file /etc/neutron/neutron.conf \
    --config-file /etc/neutron/plugins/ml2/ml2_conf.ini upgrade heads"
as nova "nova-manage api_db sync"
as nova "nova-manage cell_v2 map_cell0 --database_connection $(url nova_cell0)"
as nova "nova-manage db sync"
as nova "nova-manage cell_v2 create_cell --name cell1"
for name in glance-api placement-api neutron-api nova-api nova-conductor nova-scheduler; do
    service $name restart
done
for port in 9292 8778 9696 8774; do
    answers http://controller:$port
done
