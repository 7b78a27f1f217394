"""Takes serialised messages together with the id of their publisher.

``rclpy`` hands on the time stamps of a message's info and leaves out the publisher's id, which ``rcl`` has; so this calls ``rcl`` as
``rclpy`` does (``rcl/subscription.h``, ``rmw/types.h`` of ROS 2 Jazzy). It costs no more than ``rclpy``'s own call.
"""

from __future__ import annotations

import ctypes
import weakref
from functools import cache
from typing import Any

from rclpy.callback_groups import CallbackGroup
from rclpy.subscription import Subscription

GID_BYTES = 16
OK, NOTHING_TAKEN = 0, 401
FIRST_SIZE = 4096


class _Allocator(ctypes.Structure):
    _fields_ = [(name, ctypes.c_void_p) for name in ("allocate", "deallocate", "reallocate", "zero_allocate", "state")]


class _Buffer(ctypes.Structure):  # rcutils_uint8_array_t
    _fields_ = [
        ("data", ctypes.c_void_p),
        ("length", ctypes.c_size_t),
        ("capacity", ctypes.c_size_t),
        ("allocator", _Allocator),
    ]


class _Info(ctypes.Structure):  # rmw_message_info_t
    _fields_ = [
        ("source_timestamp", ctypes.c_int64),
        ("received_timestamp", ctypes.c_int64),
        ("publication_sequence_number", ctypes.c_uint64),
        ("reception_sequence_number", ctypes.c_uint64),
        ("implementation", ctypes.c_char_p),
        ("gid", ctypes.c_ubyte * GID_BYTES),
        ("rest", ctypes.c_ubyte * 64),  # more than there is, should another release have more
    ]


@cache
def _libraries() -> tuple[Any, Any]:
    """``rcl`` and ``rcutils``, which ``rclpy`` has loaded; nothing of theirs that is called here waits."""
    rcl, rcutils = ctypes.PyDLL("librcl.so"), ctypes.PyDLL("librcutils.so")
    rcl.rcl_take_serialized_message.argtypes = [ctypes.c_void_p] * 4
    rcutils.rcutils_reset_error.restype = None
    rcutils.rcutils_get_default_allocator.restype = _Allocator
    return rcl, rcutils


class Polled(CallbackGroup):
    """A group whose members ``rclpy`` never serves: somebody takes their messages with a :class:`Reader`."""

    def can_execute(self, entity: Any) -> bool:
        """Never."""
        return False

    def beginning_execution(self, entity: Any) -> bool:
        """Never."""
        return False

    def ending_execution(self, entity: Any) -> None:
        """Nothing to do."""


class Reader:
    """Takes what waits on a subscription that no executor takes from; not to be used once the subscription is destroyed."""

    def __init__(self, subscription: Subscription) -> None:
        rcl, rcutils = _libraries()
        self._take, self._reset_error = rcl.rcl_take_serialized_message, rcutils.rcutils_reset_error
        self._buffer, self._info = _Buffer(), _Info()
        allocator = rcutils.rcutils_get_default_allocator()
        size = ctypes.c_size_t(FIRST_SIZE)
        if rcutils.rcutils_uint8_array_init(ctypes.byref(self._buffer), size, ctypes.byref(allocator)) != OK:
            raise MemoryError("no memory for messages")
        weakref.finalize(self, rcutils.rcutils_uint8_array_fini, ctypes.byref(self._buffer))
        self._arguments = (
            subscription.handle.pointer,
            ctypes.addressof(self._buffer),
            ctypes.addressof(self._info),
            None,
        )

    def take(self) -> tuple[bytes, bytes] | None:
        """The oldest message that waits and the id of its publisher; None if nothing waits."""
        code = self._take(*self._arguments)
        if code == OK:
            return ctypes.string_at(self._buffer.data, self._buffer.length), bytes(self._info.gid)
        if code != NOTHING_TAKEN:
            self._reset_error()
            raise RuntimeError(f"rcl_take_serialized_message failed with code {code}")
        return None
