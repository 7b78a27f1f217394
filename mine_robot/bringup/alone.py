"""One mission at a time: two stacks on the same topics would both drive the robot."""

from __future__ import annotations

import os
import socket

from mine_robot.bringup.domain import domain_id
from mine_robot.pipeline.loading import LoadError


def hold_the_robot(namespace: str) -> socket.socket:
    """Claim the topics of ``namespace`` in this DDS domain until the claim is closed or its process ends, however it ends.

    The claim is a name among the kernel's abstract sockets (unix(7)): one for all users of this machine's network, and no file that
    could stay behind. Raises :class:`LoadError` if another mission has it, or the domain is no number.
    """
    domain = str(domain_id(os.environ))
    claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        claim.bind("\0" + "/".join(["mine_robot", domain, *filter(None, namespace.split("/"))]))
    except OSError as error:
        claim.close()
        place = f"ROS_DOMAIN_ID {domain}" + (f" in {namespace}" if namespace.strip("/") else "")
        raise LoadError(
            f"another mission is running here with {place} ({error.strerror}): end it, or take another domain or --namespace"
        ) from None
    return claim
