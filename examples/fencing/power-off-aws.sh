#!/bin/sh
# Stops the last holder's instance (its id in the nodes file) without asking its system, and waits until it has stopped.
. "$(dirname "$0")/common.sh"

aws ec2 stop-instances --force --instance-ids "$target" >/dev/null
aws ec2 wait instance-stopped --instance-ids "$target"
state=$(aws ec2 describe-instances --instance-ids "$target" --query 'Reservations[0].Instances[0].State.Name' --output text)
[ "$state" = stopped ] || [ "$state" = terminated ] || die "$holder ($target) is $state"
