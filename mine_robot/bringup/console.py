"""``mine-robot console``: the operator's page for a stack that is running already."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from rich.console import Console

from mine_robot.bringup.domain import domain_id
from mine_robot.bringup.namespace import checked_namespace, namespace_arguments
from mine_robot.bringup.prepare import listening
from mine_robot.bringup.resume import recorded_namespace
from mine_robot.bringup.security import check_security, enclave_arguments, participant_error
from mine_robot.console.address import Address, ListenError
from mine_robot.pipeline.loading import LoadError
from mine_robot.records.errors import RecordError
from mine_robot.records.run_directory import RunDirectory

FIND_S = 10.0
NODE = "mission"  # the node that is asked where the run directory is


def listen_address(
    host: str, port: int, certificate: Path | None, key: Path | None, token: Path | None = None
) -> Address:
    """The address, tried; raises :class:`LoadError` if the console may not or cannot listen there."""
    address = Address(host, port, *(str(file.absolute()) if file else "" for file in (certificate, key, token)))
    try:
        address.bind().close()
    except ListenError as error:
        raise LoadError(str(error)) from None
    return address


def serve(folder: Path | None, namespace: str, address: Address, console: Console) -> None:
    """Become the console's node; returns only by an exception. Ends with Ctrl-C."""
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    domain_id(os.environ)
    check_security(os.environ, ["console"])
    namespace = checked_namespace(namespace, os.environ)
    directory = RunDirectory(folder.absolute() if folder else running_directory(namespace))
    try:
        simulated = bool(directory.run_info()["simulation"])
    except (RecordError, KeyError) as error:
        raise LoadError(f"{directory.path} is no run directory: {error}") from None
    token = "" if address.local else f"  (token: {directory.console_token})"
    console.print(f"Console of {directory.path}: {address.url}{token}", highlight=False, soft_wrap=True)
    enclave = enclave_arguments("console", os.environ)
    words = [sys.executable, "-m", "mine_robot.nodes", "console", "--ros-args", *enclave]
    words += namespace_arguments(recorded_namespace(directory))
    words += ["--params-file", str(directory.parameters), "-p", f"use_sim_time:={str(simulated).lower()}"]
    sys.stdout.flush()
    os.execv(sys.executable, [*words, *listening(address)])


def running_directory(namespace: str) -> Path:
    """The run directory of the stack that runs in ``namespace``, as its mission node has it; raises :class:`LoadError` if none answers."""
    import rclpy
    from rclpy.parameter_client import AsyncParameterClient

    try:
        rclpy.init(args=["--ros-args", *enclave_arguments("console", os.environ)])
        node = rclpy.create_node("console_search", namespace=namespace, start_parameter_services=False)
    except RuntimeError as error:
        raise participant_error(error) from None
    try:
        client = AsyncParameterClient(node, NODE)
        limit = time.monotonic() + FIND_S
        while not client.services_are_ready():
            if time.monotonic() > limit:
                raise LoadError(
                    f"no running stack answers within {FIND_S:.0f} s; is one running, with this ROS_DOMAIN_ID and --namespace?"
                )
            rclpy.spin_once(node, timeout_sec=0.1)
        answer = client.get_parameters(["files.run_directory"])
        rclpy.spin_until_future_complete(node, answer, timeout_sec=FIND_S)
        if not answer.done() or not answer.result().values or not answer.result().values[0].string_value:
            raise LoadError(
                "the running stack does not say where its run directory is; give it: mine-robot console DIR"
            )
        return Path(answer.result().values[0].string_value)
    finally:
        node.destroy_node()
        rclpy.try_shutdown()
