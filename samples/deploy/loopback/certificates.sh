# An authority, and certificates for the gateway and one device, in pki beside this file.
set -e
cd "$(dirname "$0")"
deid certs init pki
deid certs issue pki gateway --ae DEID --host localhost
deid certs issue pki ct1 --ae CT1
