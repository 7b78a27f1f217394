"""Use of the track encoders: speed and constraint, and what is made of tracks that slip."""

from __future__ import annotations

from mine_robot.core.types import Array, WheelSample
from mine_robot.localization import models
from mine_robot.localization.filter import SLIP, ErrorStateFilter, Measurement
from mine_robot.localization.gating import Gate, Refusals
from mine_robot.localization.memory import WHEELS_FRESH_S, Memory
from mine_robot.localization.params import WheelNoise

WHEEL_QUIET = 2e-3  # m/s and rad/s: encoders at rest read zero
SLIPPERY_SIGMA, SLIPPERY_TIME = (
    0.4,
    20.0,
)  # slip (sigma) and its correlation time in s while the tracks are known to slip
SLIPPERY_S, GRIP_S = 0.2, 3.0  # so long the tracks have to contradict before they count as slipping, and to agree again


class TrackUse:
    """Weighs track encoders against the filter; the lever arm ``base`` (3,) is from the IMU, in m."""

    def __init__(self, params: WheelNoise, filter_: ErrorStateFilter, gate: Gate, base: Array) -> None:
        self._params, self._filter, self._gate, self._base = params, filter_, gate, base

    def use(self, memory: Memory, sample: WheelSample) -> None:
        """Correct the filter with a sample, or with the half of it that holds."""
        filter_ = self._filter
        interval, memory.wheels_t = min(sample.t - memory.wheels_t, WHEELS_FRESH_S), sample.t
        memory.speed = sample.speed
        if abs(sample.speed) > WHEEL_QUIET or abs(sample.yaw_rate) > WHEEL_QUIET:
            memory.wheels_moved_t = sample.t
            memory.still = False
        if memory.still:
            return  # the zero velocity of the standstill says more
        if not memory.pull.active:  # fixes that walk would teach a false scale
            memory.scale = filter_.aiding.item(models.SCALED)
        way = sample.speed * (1.0 - memory.scale) * interval
        memory.way = memory.way + way * filter_.base_attitude[:2, 0]
        measurement = models.wheels(filter_, self._base, sample.speed, self._params)
        refusals = memory.gates.get("wheel", Refusals())
        good = self._try(measurement)
        if not good:  # one of the two may still hold
            good = self._try(Measurement(measurement.residual[:1], measurement.h[:1], measurement.noise[:1, :1]))
            self._try(Measurement(measurement.residual[1:], measurement.h[1:], measurement.noise[1:, 1:]))
        memory.gates["wheel"] = refusals.after(sample.t, good)
        self._judge_slip(memory, sample.t, memory.gates["wheel"].lasting(sample.t) > SLIPPERY_S)

    def _judge_slip(self, memory: Memory, t: float, contradicting: bool) -> None:
        """Tracks that slip more than grip allows say little of the speed until they grip again."""
        params = self._params
        slip = abs(self._filter.aiding.item(models.SLIPPING))
        if contradicting:  # slip that begins at once is felt by the accelerometers
            memory.felt_t = t
        if contradicting or slip > params.slip_doubt:
            memory.grip_t = t
        slippery = t - memory.grip_t < GRIP_S
        if slippery and not memory.slippery:
            self._filter.set_aiding(SLIP, SLIPPERY_SIGMA**2, SLIPPERY_TIME, renew=False)
            self._filter.inflate_states(SLIP, SLIPPERY_SIGMA**2)
        elif memory.slippery and not slippery:
            self._filter.set_aiding(SLIP, params.slip_sigma**2, params.slip_time, renew=True)
        memory.slippery = slippery

    def _try(self, measurement: Measurement) -> bool:
        innovation = self._filter.compare(measurement)
        good = self._gate.passes(innovation)
        if good:
            self._filter.apply(innovation)
        return good
