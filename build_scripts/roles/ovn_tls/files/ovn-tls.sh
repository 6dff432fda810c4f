#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Keys and certificates of OVN's southbound database and of the hosts that reach it.
#
#   ovn-tls.sh authority DIR          make the authority that signs them, unless it is there
#   ovn-tls.sh key DIR                make a key, unless it is there, and print its public part
#   ovn-tls.sh issue DIR NAME USAGE   print the authority's certificate for the public key on
#                                     standard input
#   ovn-tls.sh fits DIR NAME USAGE    print "yes" if the certificate is good for another year
#
# A host is what its certificate says (NAME). So it is the caller who names it, and not the host.
# With USAGE, serverAuth or clientAuth, no host can pass for the database: Open vSwitch compares no
# names.
set -eu
umask 077

year=$((365 * 24 * 3600))

# An elliptic curve's key, in place all at once.
make_key() {
    openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1.new"
    mv "$1.new" "$1"
}

dir=$2
case $1 in
authority)
    mkdir -p "$dir"
    [ -s "$dir/ca.key" ] || make_key "$dir/ca.key"
    # A certificate of another key than this is of an earlier authority.
    if [ "$(openssl x509 -in "$dir/ca.crt" -noout -pubkey 2> /dev/null)" != \
        "$(openssl pkey -in "$dir/ca.key" -pubout)" ]; then
        # Two authorities with one name would be taken for each other.
        openssl req -x509 -new -key "$dir/ca.key" -subj "/CN=fpga-nova OVN $(openssl rand -hex 8)" \
            -days 7300 -addext basicConstraints=critical,CA:TRUE,pathlen:0 \
            -addext keyUsage=critical,keyCertSign -out "$dir/ca.crt.new"
        mv "$dir/ca.crt.new" "$dir/ca.crt"
        echo made
    fi
    ;;
key)
    [ -s "$dir/key.pem" ] || make_key "$dir/key.pem"
    openssl pkey -in "$dir/key.pem" -pubout
    ;;
issue)
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    cat > "$work/public.pem"
    printf '%s\n' basicConstraints=critical,CA:FALSE keyUsage=critical,digitalSignature \
        "extendedKeyUsage=$4" > "$work/extensions"
    openssl x509 -new -force_pubkey "$work/public.pem" -subj "/CN=$3" -days 3650 \
        -CA "$dir/ca.crt" -CAkey "$dir/ca.key" -extfile "$work/extensions"
    ;;
fits)
    purpose=ssl${4%Auth}
    # Of this key, of this authority, for this name and for this use.
    if [ "$(openssl x509 -in "$dir/cert.pem" -noout -pubkey 2> /dev/null)" = \
        "$(openssl pkey -in "$dir/key.pem" -pubout 2> /dev/null)" ] &&
        [ "$(openssl x509 -in "$dir/cert.pem" -noout -subject -nameopt RFC2253)" = "subject=CN=$3" ] &&
        openssl verify -CAfile "$dir/ca.pem" -purpose "$purpose" "$dir/cert.pem" > /dev/null 2>&1 &&
        openssl x509 -in "$dir/cert.pem" -noout -checkend $year > /dev/null; then
        echo yes
    fi
    ;;
*)
    echo "Error: ovn-tls.sh - no verb $1" >&2
    exit 2
    ;;
esac
