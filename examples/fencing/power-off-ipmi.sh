#!/bin/sh
# Switches the last holder's machine off through its BMC (address in the nodes file), and waits until it says that it is off.
#
#   FENCE_IPMI_USER=…  FENCE_IPMI_PASSWORD_FILE=…
. "$(dirname "$0")/common.sh"

bmc() { ipmitool -I lanplus -H "$target" -U "${FENCE_IPMI_USER:?}" -f "${FENCE_IPMI_PASSWORD_FILE:?}" chassis power "$@"; }

bmc off || true # it may be off already: what counts is what it says then
turn=0
until bmc status | grep -qi "power is off"; do
    turn=$((turn + 1))
    [ "$turn" -lt "${FENCE_TURNS:-30}" ] || die "$holder ($target) does not say that it is off"
    sleep 1
done
